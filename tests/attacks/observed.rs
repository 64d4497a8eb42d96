//! What a roll-out must not let through: `observe` on a resource is no way around anything else.

use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::blocks::{Blocks, serve};
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::small::{API, SUBJECT, entry};
use crate::support::table::Table;
use crate::support::token::Token;

/// Identity that a client might claim for itself, in every spelling.
const FORGED: [&str; 5] =
    ["x-credence-subject", "x_credence_subject", "x-credence-principal", "x-credence-realm", "X.Credence.Grants"];

/// One resource that only observes, with a grant below `/v1/` and one below `/once/` that takes a token once.
struct Gate {
    ci: Issuer,
    table: Table,
    blocks: Blocks,
    credence: Credence,
}

fn document(ci: &Issuer, observe: &str) -> String {
    let grant = |name: &str, more: &str| {
        format!(
            "  {name}: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [GET], paths: [/{name}/**]{more}}}\n"
        )
    };
    format!(
        "issuers:\n{}resources:\n  api: {{audience: {API}, hosts: [api.acme.test]{observe}}}\ngrants:\n{}{}",
        entry("ci", ci, ", maxTokenAge: 10m"),
        grant("v1", ""),
        grant("once", ", replay: once"),
    )
}

const OBSERVE: &str = ", observe: {until: 2099-01-01, reason: roll-out}";

fn gate(blocks: &[&str]) -> Gate {
    let ci = Issuer::start();
    let table = Table::new(&document(&ci, OBSERVE));
    let blocks = Blocks::new(blocks);
    let credence = serve(table.path(), blocks.path()).start();
    Gate { ci, table, blocks, credence }
}

impl Gate {
    fn token(&self) -> Token {
        self.ci.token(SUBJECT, API)
    }

    fn ask(&self, path: &str, token: &str) -> Answer {
        self.credence.check(&Call::get(&format!("{API}{path}")).bearer(token))
    }

    /// It goes through without anybody's name, for this reason.
    fn observed(&self, call: &Call, reason: &str) -> Answer {
        let answer = self.credence.check(call);
        let told = answer.metadata();
        assert_eq!((answer.code(), answer.reason().as_str()), (0, "observed"), "{reason}: {told}");
        assert_eq!(told["observed_reason"], reason, "{told}");
        for named in ["principal", "verified", "claimed", "issuer_name", "grants", "scopes", "actor", "token"] {
            assert_eq!(told[named], Value::Null, "{told}");
        }
        let set: Vec<_> = answer.headers().into_iter().map(|(name, _)| name).collect();
        assert_eq!(set, ["x-credence-decision-id"]);
        let line = self.credence.decision(&answer.decision_id());
        assert_eq!(
            (&line["decision"], &line["reason"], &line["status"]),
            (&"allow".into(), &"observed".into(), &200.into())
        );
        assert_eq!(line["observed_reason"], reason, "{line}");
        assert_eq!(line["principal"], Value::Null, "{line}");
        answer
    }

    fn refused(&self, call: &Call, reason: &str) {
        let answer = self.credence.check(call);
        assert!(!answer.allowed() && answer.reason() == reason, "{reason}: {}", answer.metadata());
    }
}

fn v1(token: &str) -> Call {
    Call::get(&format!("{API}/v1/x")).bearer(token)
}

#[test]
fn somebody_who_forges_identity_comes_through_as_nobody() {
    let gate = gate(&[]);
    for (call, reason) in [
        (Call::get(&format!("{API}/v1/x")), "no_token"),
        (v1("opaque"), "malformed"),
        (v1(&gate.ci.token("stranger", API).mint()), "grant_none"),
        (v1(&gate.token().claim("iss", "https://evil.test").mint()), "issuer_unknown"),
        (v1(&gate.token().claim("exp", 1_000_000).mint()), "expired"),
        (v1(&gate.token().mint_with_signature(&[7; 64])), "signature_invalid"),
        (v1(&gate.ci.token(SUBJECT, "https://other.test").mint()), "audience_mismatch"),
    ] {
        let call = FORGED.iter().fold(call, |call, name| call.header(name, "root"));
        let answer = gate.observed(&call, reason);
        for name in FORGED {
            assert!(answer.removed().contains(&name.to_ascii_lowercase()), "{name} stays");
        }
        assert!(!answer.removed().iter().any(|name| name == "authorization"), "the credential must stay");
    }
    // Who may is named as ever.
    let answer = gate.credence.check(&v1(&gate.token().mint()));
    assert_eq!((answer.reason().as_str(), answer.header("x-credence-subject").as_deref()), ("ok", Some(SUBJECT)));
    assert_eq!(
        gate.credence.metric(r#"credence_decisions_total{decision="allow",reason="observed",issuer="ci"}"#),
        Some(2.0)
    );
    let unverified = r#"credence_decisions_total{decision="allow",reason="observed",issuer="unverified"}"#;
    assert_eq!(gate.credence.metric(unverified), Some(5.0));
    assert_eq!(
        gate.credence.metric(r#"credence_resource_decisions_total{resource="api",decision="allow"}"#),
        Some(8.0)
    );
    assert_eq!(gate.credence.metric(r#"credence_resource_decisions_total{resource="api",decision="deny"}"#), None);
}

#[test]
fn somebody_who_is_blocked_and_hides_behind_another_refusal() {
    let gate = gate(&[&format!("stolen: {{issuer: ci, subject: {SUBJECT}, reason: incident}}")]);
    gate.refused(&v1(&gate.token().mint()), "blocked");
    gate.refused(&Call::get(&format!("{API}/elsewhere")).bearer(gate.token().mint()), "blocked");
    // Each of these is judged before the signature, and so before any block.
    let old = crate::support::now() - 3600;
    gate.refused(&v1(&gate.token().claim("iat", old).claim("exp", old + 4000).mint()), "too_old");
    gate.refused(&v1(&gate.token().claim("exp", old).mint()), "expired");
    gate.refused(&v1(&gate.token().header("alg", "RS512").mint_with_signature(&[7; 64])), "alg_not_allowed");
    gate.refused(&v1(&gate.token().header("typ", "dpop+jwt").mint()), "type_not_allowed");
    gate.refused(&v1(&gate.token().without("exp").mint()), "claims_malformed");
    // A reader that is laxer than we are would take this one.
    gate.refused(&v1(&format!("{}=", gate.token().mint())), "malformed");
    let twice = v1(&gate.token().mint()).header("authorization", "Bearer x");
    gate.refused(&twice, "multiple_tokens");
    // Others are observed as ever, and so is what can be nobody's token.
    gate.observed(&v1(&gate.ci.token("stranger", API).claim("exp", old).mint()), "expired");
    gate.observed(&v1(&gate.ci.token("stranger", API).mint()), "grant_none");
    gate.observed(&v1("opaque"), "malformed");
    gate.observed(&Call::get(&format!("{API}/v1/x")), "no_token");
    gate.blocks.replace(&[]);
    eventually("the block to be lifted", || gate.ask("/v1/x", &gate.token().mint()).allowed().then_some(()));
    gate.observed(&v1(&gate.token().claim("exp", old).mint()), "expired");
}

#[test]
fn somebody_who_is_blocked_and_writes_the_header_for_a_laxer_reader_than_we_are() {
    let gate = gate(&[&format!("stolen: {{issuer: ci, subject: {SUBJECT}, reason: incident}}")]);
    let token = gate.token().mint();
    let with = |value: &str| Call::get(&format!("{API}/v1/x")).header("authorization", value);
    for form in ["Bearer\t{}", "Token {}", "DPoP {}", "JWT {}", "{}", "bearer:{}", "Bearer=\"{}\""] {
        let answer = gate.credence.check(&with(&form.replace("{}", &token)));
        assert!(!answer.allowed(), "{form}: {}", answer.metadata());
    }
    gate.refused(&with(&format!("Bearer  {token}")), "malformed");
    // What holds no token is observed as ever.
    gate.observed(&with("Basic YWxpY2U6c2VjcmV0"), "no_token");
    gate.observed(&with("Bearer opaque"), "malformed");
    gate.observed(&with("Bearer"), "malformed");
}

#[test]
fn a_key_that_is_blocked_and_signs_what_is_refused_before_its_signature() {
    let gate = gate(&[]);
    let expired = gate.token().claim("exp", 1_000_000).mint();
    gate.observed(&v1(&expired), "expired");
    gate.blocks.replace(&[&format!("key: {{key: \"{}\", reason: leaked}}", gate.ci.key().thumbprint())]);
    eventually("the block", || (gate.ask("/v1/x", &gate.token().mint()).reason() == "blocked").then_some(()));
    gate.refused(&v1(&expired), "expired");
    gate.observed(&v1(&gate.token().claim("iss", "https://evil.test").mint_with_signature(&[7; 64])), "issuer_unknown");
}

#[test]
fn a_path_that_reads_in_two_ways_and_a_place_that_is_no_resource() {
    let gate = gate(&[]);
    for path in ["/v1//x", "/v1/../x", "/v1/%2e%2e/x", "/v1/a%2Fb", "/v1/x;y"] {
        gate.refused(&Call::get(API).target(path).bearer(gate.token().mint()), "path_not_normalized");
    }
    gate.refused(&Call::get("https://other.acme.test/v1/x").bearer(gate.token().mint()), "resource_unknown");
    gate.refused(&v1(&gate.token().mint()).header(":path", "/other"), "malformed_request");
}

#[test]
fn a_token_for_one_use_is_not_spent_by_a_call_that_is_only_observed() {
    let gate = gate(&[]);
    // The store knows nothing of tokens from before its time.
    eventually("a token that can be spent", || {
        gate.ask("/once/x", &gate.token().mint()).headers().len().gt(&1).then_some(())
    });
    let token = gate.token().mint();
    for _ in 0..3 {
        gate.observed(&Call::new("POST", &format!("{API}/once/x")).bearer(&token), "grant_none");
    }
    assert_eq!(gate.ask("/once/x", &token).reason(), "ok");
    gate.observed(&Call::get(&format!("{API}/once/x")).bearer(&token), "replayed");
    let bare = gate.token().without("jti").mint();
    gate.observed(&Call::get(&format!("{API}/once/x")).bearer(&bare), "jti_missing");
}

#[test]
fn an_end_that_has_come_makes_refusals_count_without_a_new_table() {
    let gate = gate(&[]);
    let soon = format!(", observe: {{until: \"{}\", reason: roll-out}}", stamp(crate::support::now() + 2));
    gate.table.replace(&document(&gate.ci, &soon));
    let stranger = gate.ci.token("stranger", API).mint();
    let ended = eventually("the end", || {
        let answer = gate.ask("/v1/x", &stranger);
        (answer.reason() == "grant_none").then_some(answer)
    });
    assert_eq!((ended.status(), ended.code()), (403, 7));
    assert_eq!(gate.credence.admin("/readyz").json()["table"]["generation"], 2);
    assert_eq!(gate.ask("/v1/x", &gate.token().mint()).reason(), "ok");
}

fn stamp(seconds: u64) -> String {
    credence::clock::Time::from_seconds(f64::from(u32::try_from(seconds).unwrap())).to_rfc3339()
}

#[test]
fn a_new_key_is_fetched_at_its_first_token_although_that_is_only_observed() {
    let gate = gate(&[]);
    assert_eq!(gate.ask("/v1/x", &gate.token().mint()).reason(), "ok");
    let key = std::sync::Arc::new(crate::support::key::Key::generate("rotated", "ES256"));
    gate.ci.publish(&[gate.ci.key(), std::sync::Arc::clone(&key)]);
    let token = gate.token().signed_by(&key).header("kid", "rotated").mint();
    // How long it is waited for is not asked here, only that it is fetched as for a refusal that counts.
    eventually("the new key", || (gate.ask("/v1/x", &token).reason() == "ok").then_some(()));
}
