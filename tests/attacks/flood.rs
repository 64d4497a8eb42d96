//! Floods: many bad tokens from few addresses, to make credence busy or to shut others out.

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::small::{API, entry, table_of, token};
use crate::support::table::Table;

#[test]
fn a_flood_of_bad_signatures_is_cut_and_shuts_out_neither_an_issuer_nor_who_was_verified_before() {
    let (one, two) = (Issuer::start(), Issuer::start());
    let entries = entry("one", &one, "") + &entry("two", &two, "");
    let table = Table::new(&table_of(&entries, &[("one", "one"), ("two", "two")]));
    let credence = Credence::serve(table.path()).arg("--max-bad-signatures").arg("1").start();
    let reason = |grant: &str, address: &str, token: &str| {
        credence.check(&Call::get(&format!("{API}/{grant}/x")).bearer(token).from(address)).reason()
    };

    let (stranger, known) = ("192.0.2.66", token(&one));
    assert_eq!(reason("one", stranger, &known), "ok");
    let forged = || one.token("deployer", API).signed_by(&two.key()).mint();
    assert_eq!(reason("one", stranger, &forged()), "signature_invalid");
    eventually("the flood to be cut", || (reason("one", stranger, &forged()) == "overloaded").then_some(()));

    assert_eq!(reason("one", "192.0.2.7", &token(&one)), "ok", "the issuer is open to other addresses");
    assert_eq!(reason("two", stranger, &token(&two)), "ok", "the address may still come with another issuer");
    assert_eq!(reason("one", stranger, &known), "ok", "who was verified before need not be verified");
    let cut = eventually("the line of the call that was cut", || {
        credence.decisions().into_iter().find(|line| line["reason"] == "overloaded")
    });
    assert_eq!(cut["source"]["address"], stranger, "whoever looks for it finds the address");
    assert_eq!(cut["claimed"]["iss"], one.url());
    assert_eq!(
        credence.metric("credence_calls_shed_total"),
        Some(0.0),
        "the alert that wakes people does not count it"
    );
}
