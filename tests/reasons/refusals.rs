//! One call for every reason that can be brought about from outside.

use std::collections::BTreeSet;
use std::sync::Arc;

use credence::proto::envoy::config::core::v3::{Address, SocketAddress, address};
use credence::proto::envoy::service::auth::v3::CheckRequest;
use credence::proto::envoy::service::auth::v3::attribute_context::Peer;
use credence::reason::Reason;
use serde_json::{Value, json};

use crate::expected::{class, names, refused, stamped};
use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::key::Key;
use crate::support::token::Token;
use crate::support::{eventually, now};
use crate::world::{API, BLOCKED, PRIVATE, QUERY, World, api, at, claimed, good, pair, part, world};

/// Reasons that no call can bring about in this version, each with why.
const UNREACHABLE: [(&str, &str); 2] =
    [("not_ready", "a program without a table ends before it listens"), ("internal", "it takes a fault of our own")];

/// Reasons that need a credence of their own: see `unavailable`.
const ELSEWHERE: [&str; 2] = ["overloaded", "log_unavailable"];

/// Who called, as far as an answer may tell.
enum Who {
    /// Nobody knows.
    Unknown,
    /// What this token merely says.
    Claimed(String),
    /// What this token says is true, by the entry with this name.
    Verified(String, &'static str),
}

/// One call that is refused.
struct Case {
    reason: &'static str,
    call: Call,
    resource: Option<&'static str>,
    who: Who,
    near_miss: Value,
}

fn case(reason: &'static str, call: Call, resource: Option<&'static str>, who: Who) -> Case {
    Case { reason, call, resource, who, near_miss: Value::Null }
}

/// A refusal before anybody looked into the token.
fn early(reason: &'static str, call: Call, resource: Option<&'static str>) -> Case {
    case(reason, call, resource, Who::Unknown)
}

/// A refusal of a token whose signature did not stand.
fn disbelieved(reason: &'static str, token: String) -> Case {
    case(reason, api("GET", "/v1/x").bearer(&token), Some("api"), Who::Claimed(token))
}

/// A refusal of a token whose signature stood.
fn believed(reason: &'static str, issuer: &'static str, call: Call, token: &Token, near_miss: Value) -> Case {
    let token = token.mint();
    Case { near_miss, ..case(reason, call.bearer(&token), Some("api"), Who::Verified(token, issuer)) }
}

fn cases(world: &World) -> Vec<Case> {
    let ci = || good(&world.ci);
    let token = ci().mint();
    let forger = Arc::new(Key::generate(&world.ci.key().kid, "ES256"));
    let signed = |call: Call| call.bearer(&token);
    let mut all = vec![
        early("malformed_request", signed(api("GET", "/v1/x")).header(":authority", "other.test"), None),
        early("path_not_normalized", signed(api("GET", "/v1/../x")), None),
        early("path_not_normalized", signed(api("GET", "/v1/a%2Fb")), Some("api")),
        early("resource_unknown", signed(at("GET", "https://nowhere.test", "/v1/x")), None),
        early("no_token", api("GET", "/v1/x"), Some("api")),
        early("no_token", api("GET", "/v1/x").header("authorization", format!("Basic {token}")), Some("api")),
        early("multiple_tokens", signed(signed(api("GET", "/v1/x"))), Some("api")),
        early("multiple_tokens", signed(signed(api("GET", "/v1/x"))).raw_headers(), Some("api")),
        early("malformed", api("GET", "/v1/x").bearer("a.b.c"), Some("api")),
        early("malformed", api("GET", "/v1/x").bearer(ci().header("crit", json!(["exp"]))), Some("api")),
        early("malformed", api("GET", "/v1/x").bearer(ci().claim("iss", json!([world.ci.url()]))), Some("api")),
    ];
    let too_long = "\u{e4}".repeat(200);
    all.extend([
        disbelieved("issuer_unknown", ci().claim("iss", "https://nobody.test").mint()),
        disbelieved("issuer_unknown", ci().without("iss").mint()),
        disbelieved(
            "issuer_unknown",
            ci().claim("iss", format!("{}/", world.ci.url())).claim("sub", too_long.clone()).mint(),
        ),
        disbelieved(
            "issuer_unknown",
            ci().claim("iss", format!("https://{}.test", "i".repeat(300))).header("kid", "k".repeat(400)).mint(),
        ),
        disbelieved("issuer_expired", good(&world.ended).mint()),
        disbelieved("alg_not_allowed", ci().header("alg", "none").mint_with_signature(b"")),
        disbelieved("alg_not_allowed", ci().header("alg", "HS256").mint_hs256(&world.ci.key().public_der())),
        disbelieved("type_not_allowed", ci().header("typ", "id_token").mint()),
        disbelieved("type_not_allowed", ci().claim("events", json!({})).mint()),
        disbelieved("subject_missing", ci().without("sub").mint()),
        disbelieved("subject_missing", ci().claim("sub", "").mint()),
        disbelieved("claims_malformed", ci().without("exp").mint()),
        disbelieved("claims_malformed", ci().claim("jti", 7).mint()),
        disbelieved("claims_malformed", ci().claim("sub", "a\nb").mint()),
        disbelieved("expired", ci().claim("iat", now() - 700).claim("exp", now() - 100).mint()),
        disbelieved("not_yet_valid", ci().claim("nbf", now() + 200).mint()),
        disbelieved("not_yet_valid", ci().claim("iat", now() + 200).mint()),
        disbelieved("too_old", ci().claim("exp", now() + 90_000).mint()),
        disbelieved("keys_unavailable", good(&world.silent).mint()),
        disbelieved("key_unknown", ci().header("kid", "another").mint()),
        disbelieved(
            "key_not_pinned",
            good(&world.pinned).signed_by(&world.unpinned_key).header("kid", "unpinned").mint(),
        ),
        disbelieved("signature_invalid", ci().signed_by(&forger).mint()),
        disbelieved("signature_invalid", ci().claim("sub", too_long).mint_with_signature(&[7; 64])),
        disbelieved("signature_invalid", ci().mint_with_signature(b"")),
    ]);
    let near = |grant: &str, failed: Value| json!([{"grant": grant, "failed": failed}]);
    let none = || Value::Null;
    let get = || api("GET", "/v1/x");
    let again = json!([{"grant": "ci-once", "failed": ["replay"]}, {"grant": "ci-bare", "failed": ["paths"]},
        {"grant": "ci-deploys", "failed": ["paths"]}]);
    all.extend([
        believed("blocked", "pinned", get(), &good(&world.pinned).claim("sub", BLOCKED), none()),
        believed("pin_mismatch", "pinned", get(), &good(&world.pinned), none()),
        believed("confirmation_required", "ci", get(), &ci().claim("cnf", json!({"jkt": PRIVATE})), none()),
        believed("audience_mismatch", "ci", get(), &ci().claim("aud", PRIVATE),
            json!([{"grant": "ci-reads", "failed": ["audience"]}, {"grant": "ci-bare", "failed": ["audience", "paths"]},
                {"grant": "ci-deploys", "failed": ["audience", "paths"]}])),
        believed("audience_mismatch", "ci", api("PUT", "/v1/main"), &ci().without("aud").claim("ref", PRIVATE),
            json!([{"grant": "ci-main-only", "failed": ["audience", "ref"]}, {"grant": "ci-reads", "failed": ["audience", "methods"]},
                {"grant": "ci-bare", "failed": ["audience", "methods", "paths"]}])),
        believed("actor_not_allowed", "ci", get(), &ci().claim("act", json!({"sub": "agent"})),
            json!([{"grant": "ci-reads", "failed": ["actor"]}, {"grant": "ci-bare", "failed": ["actor", "paths"]},
                {"grant": "ci-deploys", "failed": ["actor", "paths"]}])),
        believed("grant_expired", "ci", api("DELETE", "/old"), &ci(),
            json!([{"grant": "ci-was", "failed": ["expires"]}, {"grant": "ci-bare", "failed": ["methods", "paths"]},
                {"grant": "ci-deploys", "failed": ["methods", "paths"]}])),
        believed("replayed", "ci", api("GET", "/once"), &used(world), again.clone()),
        believed("jti_missing", "ci", api("GET", "/once"), &ci().without("jti"), again.clone()),
        believed("replay_unavailable", "ci", api("GET", "/once"), &ci().claim("iat", now() - 500), again),
        believed("grant_none", "ci", api("PUT", "/v1/main"), &ci().claim("ref", PRIVATE),
            json!([{"grant": "ci-main-only", "failed": ["ref"]}, {"grant": "ci-reads", "failed": ["methods"]},
                {"grant": "ci-bare", "failed": ["methods", "paths"]}])),
        believed("grant_none", "pinned", api("GET", "/bare"), &good(&world.pinned).claim("tenant", "acme"), near("pinned-reads", json!(["paths"]))),
        believed("grant_none", "pinned", get(), &good(&world.pinned).claim("tenant", "acme").claim("sub", PRIVATE.repeat(20)),
            near("pinned-reads", json!(["subject"]))),
    ]);
    all
}

/// A token that was used where it may be used once.
fn used(world: &World) -> Token {
    // One that was issued in the second of the start may be older than the program.
    eventually("a first use", || {
        let token = good(&world.ci);
        let call = api("GET", "/once").bearer(&token);
        world.credence.check(&call).allowed().then_some(token)
    })
}

#[test]
fn every_reason_has_a_case_or_an_excuse() {
    let mut covered: BTreeSet<&str> = cases(world()).iter().map(|case| case.reason).collect();
    covered.extend(ELSEWHERE);
    for reason in Reason::ALL {
        let excused = UNREACHABLE.iter().any(|(code, _)| *code == reason.code());
        assert_ne!(covered.contains(reason.code()), excused, "{reason}: either a case or an excuse");
    }
    assert_eq!(covered.len() + UNREACHABLE.len(), Reason::ALL.len(), "each name is that of a reason");
}

#[test]
fn every_refusal_is_told_to_the_client_by_its_class_and_no_more() {
    let world = world();
    for case in cases(world) {
        eprintln!("{}: {:?}", case.reason, case.call);
        let answer = world.credence.check(&case.call);
        assert_eq!(answer.reason(), case.reason);
        refused(&answer, class(case.reason), class(case.reason).status, &json!({}), None);
    }
}

#[test]
fn a_grpc_caller_gets_a_status_that_does_not_read_as_a_fault_of_the_server() {
    let world = world();
    for case in cases(world) {
        eprintln!("{}: {:?}", case.reason, case.call);
        for content_type in ["application/grpc", "application/grpc+proto", "Application/GRPC"] {
            let answer = world.credence.check(&case.call.clone().header("content-type", content_type));
            assert_eq!(answer.reason(), case.reason);
            let class = class(case.reason);
            refused(&answer, class, class.status_for_grpc, &json!({}), None);
            assert_eq!(world.credence.decision(&answer.decision_id())["status"], class.status_for_grpc);
        }
        for content_type in ["application/json", "text/plain; x=application/grpc", ""] {
            let answer = world.credence.check(&case.call.clone().header("content-type", content_type));
            assert_eq!(answer.status(), class(case.reason).status);
        }
    }
}

#[test]
fn the_metadata_of_a_refusal_keeps_apart_what_was_verified_and_what_was_claimed() {
    let world = world();
    for case in cases(world) {
        eprintln!("{}: {:?}", case.reason, case.call);
        let told = world.credence.check(&case.call).metadata();
        let mut expected = json!({"decision": "deny", "reason": case.reason, "decision_id": told["decision_id"], "table": told["table"]});
        if let Some(resource) = case.resource {
            expected["resource"] = json!(resource);
        }
        match &case.who {
            Who::Unknown => {}
            Who::Claimed(token) => expected["claimed"] = claimed(token),
            Who::Verified(token, issuer) => {
                expected["verified"] = pair(token);
                expected["issuer_name"] = json!(issuer);
            }
        }
        assert_eq!(told, expected);
        stamped(&world.credence, &told);
    }
}

#[test]
fn the_log_tells_of_a_refusal_what_the_operator_needs_and_nothing_that_was_secret() {
    let world = world();
    for case in cases(world) {
        eprintln!("{}: {:?}", case.reason, case.call);
        let (answer, line) = asked(&world.credence, &case);
        let mut expected = BTreeSet::from([
            "schema",
            "ts",
            "decision_id",
            "decision",
            "reason",
            "status",
            "http",
            "proxy",
            "table",
            "duration_us",
        ]);
        expected.extend(case.resource.map(|_| "resource"));
        match &case.who {
            Who::Unknown => {}
            Who::Claimed(token) => {
                expected.extend(["claimed", "token"]);
                let mut said = claimed(token);
                let mut members = said.as_object_mut().unwrap().clone();
                let of_token: Value = ["kid", "alg"].iter().filter_map(|name| members.remove_entry(*name)).collect();
                assert_eq!(line["token"], of_token);
                assert_eq!(line["claimed"], Value::Object(members));
            }
            Who::Verified(token, issuer) => {
                expected.extend(["verified", "issuer_name", "token"]);
                assert_eq!((&line["verified"], &line["issuer_name"]), (&pair(token), &json!(issuer)));
                let id = (case.reason != "jti_missing").then_some("jti_hash");
                let told: BTreeSet<_> = ["kid", "alg", "typ", "iat", "exp"].into_iter().chain(id).collect();
                assert_eq!(names(&line["token"]), told);
                let acts = part(token, 1).get("act").is_some();
                expected.extend(acts.then_some("actor"));
            }
        }
        expected.extend((!case.near_miss.is_null()).then_some("near_miss"));
        expected.extend((case.reason == "blocked").then_some("block"));
        assert_eq!(names(&line), expected, "{line}");
        assert_eq!(line["near_miss"], case.near_miss);
        assert_eq!(line["resource"].as_str(), case.resource);
        assert_eq!(
            (&line["schema"], &line["decision"], &line["reason"]),
            (&json!("credence.decision/v1"), &json!("deny"), &json!(case.reason))
        );
        assert_eq!(line["status"], answer.status());
        assert_eq!(line["table"]["sha256"], answer.metadata()["table"]["sha256"]);
        assert_eq!(names(&line["http"]), BTreeSet::from(["method", "host", "path", "request_id"]));
    }
}

/// Asks, and makes sure that neither the answer nor its line tells a secret.
fn asked(credence: &Credence, case: &Case) -> (Answer, Value) {
    let answer = credence.check(&case.call);
    let line = credence.decision(&answer.decision_id());
    let http = case.call.message().attributes.unwrap().request.unwrap().http.unwrap();
    let raw = http.header_map.unwrap_or_default().headers;
    let raw = raw
        .iter()
        .filter(|header| header.key == "authorization")
        .map(|header| String::from_utf8_lossy(&header.raw_value).into_owned());
    let credentials = http.headers.get("authorization").cloned().into_iter().chain(raw);
    let parts: Vec<String> = credentials
        .flat_map(|value| {
            value.split([' ', '.', ',']).filter(|part| part.len() > 20).map(str::to_owned).collect::<Vec<_>>()
        })
        .chain([QUERY.to_owned(), "password=".to_owned()])
        .collect();
    let mut told = vec![line.to_string(), format!("{answer:?}")];
    for secret in parts {
        assert!(told.iter().all(|text| !text.contains(&secret)), "{secret} is told: {told:?}");
    }
    // A subject may be told; every other claim may not.
    if case.near_miss != json!([{"grant": "pinned-reads", "failed": ["subject"]}]) {
        told.retain(|text| text.contains(PRIVATE));
        assert!(told.is_empty(), "{told:?}");
    }
    (answer, line)
}

#[test]
fn a_message_that_is_no_request_is_refused_in_full_too() {
    let world = world();
    let mut torn = api("GET", "/v1/x").raw_headers().header("x", "raw").message();
    let http = torn.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
    http.header_map.as_mut().unwrap().headers[0].value = "another".into();
    for message in [CheckRequest::default(), torn] {
        let answer = world.credence.check_message(message);
        refused(&answer, class("malformed_request"), 400, &json!({}), None);
        let told = answer.metadata();
        assert_eq!(names(&told), BTreeSet::from(["decision", "reason", "decision_id", "table"]));
        stamped(&world.credence, &told);
        let line = world.credence.decision(&answer.decision_id());
        let expected = ["schema", "ts", "decision_id", "decision", "reason", "status", "table", "duration_us"];
        assert_eq!(names(&line), BTreeSet::from(expected));
    }
}

#[test]
fn where_to_learn_more_is_told_with_every_challenge_of_a_resource_that_says_so() {
    let world = world();
    let audience = "https://signposted.acme.test";
    let url = "https://signposted.acme.test/.well-known/oauth-protected-resource";
    let ask = |call: Call, reason: &str| {
        let answer = world.credence.check(&call);
        assert_eq!(answer.reason(), reason);
        refused(&answer, class(reason), class(reason).status, &json!({}), Some(url));
    };
    ask(at("GET", audience, "/x"), "no_token");
    ask(at("GET", audience, "/x").bearer("a.b.c"), "malformed");
    ask(at("GET", audience, "/x%2Fy"), "path_not_normalized");
    ask(at("GET", audience, "/x").bearer(world.ci.token("robot-7", API)), "audience_mismatch");
    ask(at("POST", audience, "/x").bearer(world.ci.token("robot-7", audience)), "grant_none");
    let silent = world.credence.check(&at("GET", audience, "/x").bearer(world.silent.token("robot-7", audience)));
    refused(&silent, class("keys_unavailable"), 503, &json!({}), None);
}

#[test]
fn the_log_names_the_client_cuts_what_is_long_and_drops_a_password_before_the_host() {
    let world = world();
    let mut message = api("GET", &format!("/{}", "x".repeat(3000))).host("user:opensesame@api.acme.test").message();
    message.attributes.as_mut().unwrap().source = Some(Peer {
        address: Some(Address {
            address: Some(address::Address::SocketAddress(SocketAddress {
                address: "192.0.2.7".into(),
                ..SocketAddress::default()
            })),
        }),
        principal: "spiffe://acme.test/web".into(),
    });
    let answer = world.credence.check_message(message);
    assert_eq!(answer.reason(), "resource_unknown");
    let line = world.credence.decision(&answer.decision_id());
    assert_eq!(line["source"], json!({"address": "192.0.2.7", "principal": "spiffe://acme.test/web"}));
    assert_eq!(line["http"]["host"], "api.acme.test");
    assert_eq!(line["http"]["path"].as_str().unwrap().len(), 2048);
    assert!(!line.to_string().contains("opensesame") && !answer.metadata().to_string().contains("opensesame"));
}
