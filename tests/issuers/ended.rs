//! A realm that has ended, beside one that has not.

use serde_json::json;

use crate::endpoint::Endpoint;
use crate::realms::{ISS, SUB, account, get, key};
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::table::Table;
use crate::world::{API, KEPT, state};

/// `eu` has ended.
fn table(endpoint: &Endpoint) -> String {
    format!(
        r#"issuers:
  eu: {{profile: kubernetes, issuer: "{ISS}", realm: eu-1, jwksUri: "{}", owner: t@acme.test, expires: 2020-01-01}}
  us: {{profile: kubernetes, issuer: "{ISS}", realm: us-1, jwksUri: "{}", {KEPT}}}
resources:
  api: {{audience: {API}, hosts: [api.acme.test]}}
grants:
  us: {{issuer: us, resource: api, subject: "{SUB}", methods: [GET], paths: [/us/**]}}
"#,
        endpoint.url("/eu"),
        endpoint.url("/us"),
    )
}

#[test]
fn a_cluster_that_was_shut_down_at_its_end_keeps_nobody_waiting_for_its_keys() {
    let (endpoint, us) = (Endpoint::start(), key("u", "ES256"));
    endpoint.json("/us", &json!({"keys": [us.jwk()]}));
    let table = Table::new(&table(&endpoint));
    let credence = Credence::serve(table.path()).keyless("eu").start();
    assert_eq!(credence.check(&get("us", &account(&us))).reason(), "ok");
    let stranger = key("stranger", "ES256");
    assert_eq!(credence.check(&get("us", &account(&stranger))).reason(), "key_unknown");
    assert_eq!(credence.metric("credence_keys{issuer=\"eu\",state=\"usable\"}"), None);
}

#[test]
fn a_key_that_an_ended_cluster_shares_still_speaks_for_neither() {
    let (endpoint, shared) = (Endpoint::start(), key("k", "ES256"));
    for path in ["/eu", "/us"] {
        endpoint.json(path, &json!({"keys": [shared.jwk()]}));
    }
    let table = Table::new(&table(&endpoint));
    let credence = Credence::serve(table.path()).start();
    eventually("the keys of the ended one", || (state(&credence, "eu")["keys"] == 1).then_some(()));
    assert_eq!(credence.check(&get("us", &account(&shared))).reason(), "key_unknown");
    assert_eq!(state(&credence, "eu")["ended"], true);
}
