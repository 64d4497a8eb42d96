//! Issuers whose trust has ended: refused, and no longer anybody's trouble.

use serde_json::Value;

use crate::admin::exposition;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{entry, reason, state, table_of, token, until};

#[test]
fn an_issuer_that_has_ended_is_not_fetched_and_is_none_without_keys_until_the_table_gives_it_more_time() {
    let (old, own) = (Issuer::start(), Issuer::start());
    let table = |end: &str| {
        let entry_of_old = entry("old", &old, &format!(", expires: {end}")).replace("reviewBy: 2099-01-01, ", "");
        table_of(&(entry_of_old + &entry("own", &own, "")), &[("own", "own"), ("old", "old")])
    };
    let file = Table::new(&table("2020-01-01"));
    let credence = Credence::serve(file.path()).keyless("old").start();
    assert_eq!(reason(&credence, "old", &token(&old)), "issuer_expired");
    let of_keys = || {
        let all = exposition(&credence).into_iter();
        let of_old = all.filter(|(_, labels, _)| labels.get("issuer").is_some_and(|issuer| issuer == "old"));
        of_old.filter(|(name, ..)| name.starts_with("credence_keys") || name.starts_with("credence_jwks")).count()
    };
    assert_eq!((of_keys(), old.all_hits()), (0, 0), "nothing is missed of an issuer that has ended");
    let said = state(&credence, "old");
    assert_eq!(
        (&said["ended"], &said["last_error"], &said["next_refresh"]),
        (&true.into(), &Value::Null, &Value::Null)
    );
    assert_eq!(state(&credence, "own")["ended"], false);
    assert_eq!(
        credence.metric("credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"old\"}").map(f64::is_normal),
        Some(true)
    );

    file.replace(&table("2099-01-01"));
    until(&credence, "old", &token(&old), "ok");
    assert!(of_keys() > 3);
    assert_eq!(state(&credence, "old")["ended"], false);
    file.replace(&table("2020-01-01"));
    until(&credence, "old", &token(&old), "issuer_expired");
    eventually("the rest", || credence.stderr().contains("its keys are not fetched").then_some(()));
    eventually("the series to go", || (of_keys() == 0).then_some(()));
    assert_eq!(reason(&credence, "own", &token(&own)), "ok");
}
