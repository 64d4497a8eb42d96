//! Each kind of token has its own way to be something else than it seems.

use serde_json::json;

use crate::support::credence::run;
use crate::support::scratch;
use crate::support::token::Token;
use crate::traps::{allowed, refused};
use crate::world::{Ran, scene};

const EXAMPLE: &str = "token-formats";
const PROJECTED: &str = "a projected service account token";
const SVID: &str = "a JWT-SVID with what the standard asks for and nothing more";
const ACCESS: &str = "an access token of RFC 9068";
const CLERK: &str = "a clerk's access token";
const TENANT_A: &str = "the application in tenant A";
const TENANT_B: &str = "the application in tenant B";
const JOB: &str = "the import job";

/// Sends the case with a token bent by hand, which must be refused before anybody vouched for it.
fn forged(case: &str, reason: &str, bend: impl FnOnce(Token) -> String) -> Ran {
    let ran = scene(EXAMPLE).forge(case, bend);
    assert!(ran.echo.is_none(), "{case}: {}", ran.log);
    assert_eq!(ran.log["reason"], reason, "{case}: {}", ran.log);
    assert!(ran.log["verified"].is_null() && ran.log["principal"].is_null(), "{case}: {}", ran.log);
    ran
}

/// Refused by the grants, one of which would have fitted but for these.
fn nearly(case: &str, grant: &str, failed: &[&str]) {
    let ran = refused(EXAMPLE, case, "grant_none");
    let miss = ran.log["near_miss"].as_array().unwrap().first().unwrap_or_else(|| panic!("{case}: {}", ran.log));
    assert_eq!(miss, &json!({"grant": grant, "failed": failed}), "{case}");
}

#[test]
fn s8_each_format_is_read_by_its_own_profile() {
    for (case, issuer, typ) in [
        (PROJECTED, "cluster-prod", json!(null)),
        (SVID, "mesh", json!("JWT")),
        (ACCESS, "partner-api", json!("at+jwt")),
        (CLERK, "staff", json!("JWT")),
        (TENANT_A, "suppliers", json!("JWT")),
        (TENANT_B, "suppliers", json!("JWT")),
        (JOB, "github-acme", json!("JWT")),
    ] {
        let ran = allowed(EXAMPLE, case);
        assert_eq!((&ran.log["issuer_name"], &ran.log["token"]["typ"]), (&json!(issuer), &typ), "{case}: {}", ran.log);
    }
    let svid = allowed(EXAMPLE, SVID);
    assert_eq!(svid.echo.as_ref().unwrap().one("x-credence-issuer"), "spiffe://mesh.acme.test");
    assert!(svid.log["token"]["jti_hash"].is_null() && svid.log["token"]["iat"].is_null(), "{}", svid.log);
}

#[test]
fn s8_no_issuer_of_the_table_can_sign_for_another() {
    let scene = scene(EXAMPLE);
    for case in [PROJECTED, SVID, ACCESS, CLERK, TENANT_A, TENANT_B, JOB] {
        let own = scene.signer_of(scene.case(case));
        let others = scene.signers().iter().filter(|other| other.iss != own.iss);
        assert_eq!(others.clone().count(), 6, "{case}");
        for other in others {
            forged(case, "key_unknown", |token| {
                token.header("kid", other.key.kid.as_str()).signed_by(&other.key).mint()
            });
            forged(case, "signature_invalid", |token| token.signed_by(&other.key).mint());
        }
    }
}

#[test]
fn s8_kubernetes_a_years_life_and_the_api_servers_audience_are_refused() {
    let year = refused(EXAMPLE, "a token with a year's life", "too_old");
    assert!(year.log["verified"].is_null(), "times are judged before the signature: {}", year.log);
    let pods = refused(EXAMPLE, "the token that every pod has, for the API server", "audience_mismatch");
    assert_eq!(pods.log["verified"]["sub"], "system:serviceaccount:stock:sync");
    nearly(
        "a service account that was made again under the old name",
        "stock-sync",
        &["/kubernetes.io/serviceaccount/uid"],
    );
    nearly("nested claims flattened by somebody", "stock-sync", &["/kubernetes.io/serviceaccount/uid"]);
    forged(PROJECTED, "type_not_allowed", |token| token.header("typ", "JWT").mint());
}

#[test]
fn s8_spiffe_another_trust_domain_is_unknown_and_a_key_for_x509_signs_no_token() {
    let other = refused(EXAMPLE, "a JWT-SVID of another trust domain", "issuer_unknown");
    assert_eq!(other.log["claimed"]["sub"], "spiffe://dev.acme.test/ns/billing/sa/invoicer");
    assert!(other.log["issuer_name"].is_null(), "{}", other.log);
    nearly("another workload of the trust domain", "invoicer", &["subject"]);
    let x509 = scene(EXAMPLE).signer("mesh").x509.as_ref().unwrap();
    forged(SVID, "key_unknown", |token| token.header("kid", x509.kid.as_str()).signed_by(x509).mint());
    forged(SVID, "signature_invalid", |token| token.signed_by(x509).mint());
}

#[test]
fn s8_rfc_9068_an_id_token_is_no_access_token() {
    for typ in ["JWT", "jwt", "id+jwt", "application/jwt", "logout+jwt"] {
        forged(ACCESS, "type_not_allowed", |token| token.header("typ", typ).mint());
    }
    forged(ACCESS, "type_not_allowed", |token| token.without_header("typ").mint());
    let long = scene(EXAMPLE).forge(ACCESS, |token| token.header("typ", "application/at+jwt").mint());
    assert!(long.echo.is_some(), "the long form is the same type (RFC 9068 §2.1): {}", long.log);
    refused(EXAMPLE, "an ID token, whose audience is the client", "audience_mismatch");
    nearly("a scope that only begins like it", "partner-orders", &["scope"]);
}

#[test]
fn s8_keycloak_id_and_refresh_tokens_are_refused_though_the_header_is_the_same() {
    for case in ["the clerk's ID token", "the clerk's refresh token"] {
        let ran = refused(EXAMPLE, case, "pin_mismatch");
        assert_eq!(ran.log["token"]["typ"], "JWT", "{case}");
        assert_eq!(ran.log["issuer_name"], "staff", "{case}");
    }
    refused(EXAMPLE, "the clerk's logout token", "type_not_allowed");
    // As Keycloak really signs refresh tokens: with a secret of its own.
    forged("the clerk's refresh token", "alg_not_allowed", |token| token.header("alg", "HS512").mint_hs256(b"its own"));
    refused(EXAMPLE, "a token for Keycloak's own account pages", "audience_mismatch");
}

#[test]
fn s8_keycloak_the_readme_shows_what_explain_says_of_an_id_token() {
    let dir = scratch();
    let file = dir.path().join("token");
    let scene = scene(EXAMPLE);
    std::fs::write(&file, scene.token(scene.case("the clerk's ID token")).unwrap().mint()).unwrap();
    let readme = include_str!("../../examples/token-formats/README.md");
    let (mut lines, prompt) = (readme.lines().map(str::trim), "$ credence ");
    let command = lines.find_map(|line| line.strip_prefix(prompt).filter(|line| line.starts_with("explain"))).unwrap();
    let path = file.display().to_string();
    let args: Vec<_> = command.split(' ').map(|word| if word == "TOKEN" { path.as_str() } else { word }).collect();
    let output = run(&args);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let shown: Vec<_> = lines.filter(|line| *line != "…").collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    for line in shown {
        assert!(told.lines().any(|said| said.trim_end() == line), "{line} in\n{told}");
    }
}

#[test]
fn s8_entra_the_key_of_one_tenant_does_not_sign_for_another() {
    let scene = scene(EXAMPLE);
    let [a, b] = [TENANT_A, TENANT_B].map(|case| scene.signer_of(scene.case(case)));
    assert!(a.name == b.name && a.iss != b.iss, "one entry, two issuers");
    for (case, other) in [(TENANT_B, a), (TENANT_A, b)] {
        let ran = forged(case, "key_unknown", |token| {
            token.header("kid", other.key.kid.as_str()).signed_by(&other.key).mint()
        });
        assert_eq!(ran.log["token"]["kid"], other.key.kid, "the set holds this key, for the other tenant");
    }
    // The key that Entra publishes for everybody signs for both, and then `tid` is all that keeps them apart.
    let common = a.common.as_ref().unwrap();
    let sign = |token: Token| token.header("kid", common.kid.as_str()).signed_by(common).mint();
    for (case, iss) in [(TENANT_A, &a.iss), (TENANT_B, &b.iss)] {
        assert_eq!(&scene.forge(case, sign).log["principal"]["iss"], iss);
    }
    for (case, reason) in
        [("tenant B's issuer with tenant A's tid", "pin_mismatch"), ("a tenant that nobody listed", "issuer_unknown")]
    {
        let ran = scene.forge(case, sign);
        assert!(ran.echo.is_none() && ran.log["reason"] == reason, "{case}: {}", ran.log);
    }
    let tid = refused(EXAMPLE, "tenant B's issuer with tenant A's tid", "pin_mismatch");
    assert_eq!(tid.log["verified"]["iss"], b.iss);
    refused(EXAMPLE, "a tenant that nobody listed", "issuer_unknown");
    refused(EXAMPLE, "a version 1 token of tenant A", "issuer_unknown");
}

#[test]
fn s8_entra_a_user_is_not_the_application() {
    nearly("a user who signed in to that application", "supplier-delivers", &["idtyp"]);
    nearly("a token that does not say whether a user signed in", "supplier-delivers", &["idtyp"]);
}

#[test]
fn s8_ci_the_job_of_a_fork_is_refused() {
    let fork = refused(EXAMPLE, "the import job of a fork", "pin_mismatch");
    assert_eq!(fork.log["verified"]["sub"], "repo:mallory@6666/import@999:environment:production");
    assert_eq!(fork.log["issuer_name"], "github-acme");
    refused(EXAMPLE, "the owner's default audience", "audience_mismatch");
}
