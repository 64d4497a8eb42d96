//! Nothing that a token says makes credence ask anyone for anything.

use serde_json::json;

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{API, SUBJECT, world};

#[test]
fn a_live_issuer_that_is_not_in_the_table() {
    let world = world();
    let stranger = Issuer::start();
    world.refuses(stranger.token(SUBJECT, API), "issuer_unknown", "a stranger");
    world.refuses(stranger.token(SUBJECT, API).claim("iss", world.own.url()), "signature_invalid", "a stranger as own");
    for name in ["jku", "x5u"] {
        world.refuses(world.token().header(name, stranger.jwks_uri()), "malformed", name);
    }
    world.refuses(world.token().header("kid", stranger.jwks_uri()), "key_unknown", "a URL as kid");
    assert_eq!(stranger.all_hits(), 0);
}

#[test]
fn a_discovery_document_of_another_issuer() {
    for named in ["https://evil.test".to_owned(), "SLASH".to_owned(), String::new()] {
        let issuer = Issuer::start();
        let (url, jwks) = (issuer.url().to_owned(), issuer.jwks_uri());
        let named = if named == "SLASH" { format!("{url}/") } else { named };
        issuer.discovery(json!({"issuer": named, "jwks_uri": jwks}));
        let table = Table::new(&format!(
            "issuers:\n  mixed: {{issuer: \"{url}\", owner: a@b.test, reviewBy: 2099-01-01}}\n\
             resources:\n  r: {{audience: {API}, hosts: [api.acme.test]}}\n\
             grants:\n  g: {{issuer: mixed, resource: r, subject: s, methods: [GET], paths: any}}"
        ));
        let credence = Credence::serve(table.path()).keyless("mixed").start();
        crate::support::eventually("the first fetch", || (issuer.all_hits() > 0).then_some(()));
        let answer = credence.check(&Call::get(&format!("{API}/v1/x")).bearer(issuer.token("s", API)));
        assert_eq!((answer.reason().as_str(), answer.status()), ("keys_unavailable", 503), "{named:?}");
        assert_eq!(issuer.hits("/jwks"), 0, "its keys are not even asked for: {named:?}");
    }
}

#[test]
fn four_thousand_bad_tokens_leave_nothing_behind() {
    let world = world();
    let resident = || {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", world.credence.pid())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
    };
    let bad =
        |number: usize| world.token().header("kid", format!("kid-{number}")).claim("sub", format!("sub-{number}"));
    for number in 0..200 {
        world.refuses(bad(number), "key_unknown", number);
    }
    let before = resident();
    for number in 200..4_200 {
        assert!(!world.ask(bad(number).mint_with_signature(&[7; 64])).allowed());
    }
    let after = resident();
    assert!(after < before + 40 * 1024, "{before} KiB became {after} KiB");
    let metrics = world.credence.admin("/metrics").text();
    assert!(!metrics.contains("kid-") && !metrics.contains("sub-"), "a caller made a series");
}
