//! Where two rules are broken at once, the first one is the reason: it says what to mend first, and nothing of what
//! was not looked at.

use std::sync::Arc;

use serde_json::json;

use crate::support::call::Call;
use crate::support::key::Key;
use crate::support::now;
use crate::support::token::Token;
use crate::world::{API, BLOCKED, api, at, good, world};

#[test]
fn a_request_is_read_before_it_is_placed_and_placed_before_its_credential_is_looked_at() {
    let world = world();
    let nowhere = "https://nowhere.test";
    let rows = [
        ("malformed_request", api("GET", "/v1/../x").header(":path", "/other")),
        ("malformed_request", at("GET", nowhere, "/x").header(":method", "POST")),
        ("path_not_normalized", at("GET", nowhere, "/a//b")),
        ("path_not_normalized", api("GET", "/healthz/../healthz")),
        ("path_not_normalized", api("GET", "/v1/a%2Fb").bearer("garbage")),
        ("resource_unknown", at("GET", nowhere, "/a%2Fb")),
        ("resource_unknown", at("GET", nowhere, "/x").bearer("garbage")),
        ("resource_unknown", at("GET", nowhere, "/x")),
        ("anonymous", api("GET", "/healthz").bearer("a,b")),
        ("no_token", api("GET", "/nothing/granted/here")),
        ("multiple_tokens", api("GET", "/v1/x").bearer("garbage").bearer("garbage")),
    ];
    for (reason, call) in rows {
        assert_eq!(world.credence.check(&call).reason(), reason, "{call:?}");
    }
}

#[test]
fn a_token_is_read_then_its_issuer_found_then_its_envelope_its_claims_its_times_and_last_its_signature() {
    let world = world();
    let forger = Arc::new(Key::generate("unknown", "ES256"));
    let (ci, silent) = (|| good(&world.ci), || good(&world.silent));
    let nobody = || ci().claim("iss", "https://nobody.test");
    let forged = |token: Token| token.signed_by(&forger).header("kid", "unknown");
    let stale = |token: Token| token.claim("iat", now() - 700).claim("exp", now() - 100);
    let rows = [
        ("malformed", nobody().header("jku", "https://evil.test/jwks")),
        ("malformed", nobody().header("kid", 7)),
        ("issuer_unknown", nobody().header("alg", "none")),
        ("issuer_unknown", stale(nobody())),
        ("issuer_expired", good(&world.ended).header("typ", "secevent+jwt")),
        ("issuer_expired", stale(good(&world.ended).header("alg", "ES512"))),
        ("alg_not_allowed", ci().header("alg", "ES512").header("typ", "dpop+jwt")),
        ("alg_not_allowed", silent().header("alg", "RS512")),
        ("type_not_allowed", ci().header("typ", "dpop+jwt").without("sub")),
        ("type_not_allowed", stale(ci().claim("events", json!({})))),
        ("subject_missing", ci().without("sub").without("exp")),
        ("claims_malformed", stale(ci().claim("nbf", "soon"))),
        ("claims_malformed", forged(ci()).without("exp")),
        ("expired", stale(ci()).claim("nbf", now() + 500)),
        ("expired", stale(silent())),
        ("expired", stale(forged(ci()))),
        ("not_yet_valid", ci().claim("iat", now() + 500).claim("exp", now() + 200_000)),
        ("too_old", forged(ci()).claim("exp", now() + 200_000)),
        ("keys_unavailable", forged(silent())),
        ("key_unknown", forged(good(&world.pinned)).claim("tenant", "other")),
        ("key_not_pinned", good(&world.pinned).header("kid", "unpinned").claim("tenant", "other")),
        ("signature_invalid", good(&world.pinned).signed_by(&forger)),
        ("signature_invalid", ci().signed_by(&forger).claim("cnf", json!({"jkt": "x"})).claim("aud", "other")),
    ];
    for (reason, token) in rows {
        let claims = token.claims_json();
        let call = api("DELETE", "/nothing/granted/here").bearer(&token);
        assert_eq!(world.credence.check(&call).reason(), reason, "{claims}");
    }
}

#[test]
fn a_believed_caller_meets_the_pins_the_confirmation_the_audience_and_then_the_grants() {
    let world = world();
    let (ci, pinned) = (|| good(&world.ci), || good(&world.pinned));
    let bound = || json!({"jkt": "x"});
    let act = || json!({"sub": "agent"});
    let rows = [
        ("blocked", "GET", "/v1/x", pinned().claim("sub", BLOCKED).claim("cnf", bound()).claim("aud", "other")),
        ("pin_mismatch", "GET", "/v1/x", pinned().claim("cnf", bound())),
        ("pin_mismatch", "GET", "/v1/x", pinned().claim("aud", "other")),
        ("confirmation_required", "GET", "/v1/x", ci().claim("cnf", bound()).claim("aud", "other")),
        ("confirmation_required", "PUT", "/none", ci().claim("cnf", bound())),
        ("audience_mismatch", "GET", "/v1/x", ci().claim("aud", "other").claim("act", act())),
        ("audience_mismatch", "DELETE", "/old", ci().claim("aud", json!([]))),
        ("audience_mismatch", "PUT", "/none", ci().claim("aud", "other").claim("sub", "nobody")),
        ("actor_not_allowed", "GET", "/v1/x", ci().claim("act", act())),
        ("actor_not_allowed", "GET", "/once", ci().claim("act", act()).without("jti")),
        ("jti_missing", "GET", "/once", ci().without("jti").without("iat")),
        ("grant_none", "PUT", "/once", ci().without("jti")),
        ("grant_none", "DELETE", "/old", ci().claim("act", act())),
        ("grant_none", "DELETE", "/old", ci().claim("sub", "nobody")),
        ("grant_none", "PUT", "/none", ci().claim("act", act())),
    ];
    for (reason, method, path, token) in rows {
        let call: Call = api(method, path).bearer(token.mint());
        assert_eq!(world.credence.check(&call).reason(), reason, "{method} {path} {}", token.claims_json());
    }
    // An issuer without any grant at the resource learns nothing of the audience there.
    let call = at("GET", "https://web.acme.test", "/x")
        .header("cookie", format!("session={}", pinned().claim("tenant", "acme")));
    assert_eq!(world.credence.check(&call).reason(), "grant_none", "{API} is not the audience either");
}
