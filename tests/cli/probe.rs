//! `issuer probe`: what a look at an issuer tells, and what it may never send or print.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_rustls::rustls::version;

use crate::support::credence::command;
use crate::support::issuer::{Ca, DISCOVERY, Fault, Issuer, JWKS};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::{now, scratch};
use crate::world::{Ended, run, with_input};

/// Who the SPIFFE bundle endpoint here is.
const ENDPOINT: &str = "spiffe://prod.acme.test/spire/server";

fn probe(url: &str, more: &[&str]) -> Ended {
    let ended = run(&[&["issuer", "probe", url], more].concat());
    assert!(ended.is_plain(), "{:?}", ended.all());
    ended
}

fn probed(url: &str, more: &[&str]) -> (i32, Value) {
    let ended = probe(url, &[more, &["-o", "json"]].concat());
    (ended.code, serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.all())))
}

/// The entry that was proposed, as text tells it.
fn entry(ended: &Ended) -> String {
    let (_, entry) = ended.out.split_once("\nissuers:\n").unwrap_or_else(|| panic!("no entry in {}", ended.all()));
    format!("issuers:\n{entry}")
}

/// The entry loads, and its keys are where it says.
#[track_caller]
fn loads(entry: &str) -> Ended {
    loads_with(entry, &[])
}

#[track_caller]
fn loads_with(entry: &str, more: &[&str]) -> Ended {
    let resources = "resources:\n  api: {audience: https://api.acme.test, hosts: [api.acme.test]}\n";
    let table = Table::new(&format!("{entry}{resources}"));
    let ended = run(&[&["check", "--probe", &table.path().display().to_string()], more].concat());
    assert_eq!(ended.code, 0, "{entry}\n{}", ended.all());
    assert!(more.is_empty() || ended.out.contains(": ok: "), "{}", ended.all());
    ended
}

/// The same, where this version has the profile that the entry needs.
#[track_caller]
fn loads_with_its_profile(profile: &str, entry: &str) {
    if entry.contains(&format!("profile: {profile}\n")) {
        loads(entry);
    }
}

#[test]
fn a_healthy_issuer_is_told_whole_and_its_entry_loads() {
    let issuer = Issuer::with(&["ES256", "RS256"]);
    let cached = vec![("cache-control", "max-age=120".to_owned()), ("etag", "\"7\"".to_owned())];
    issuer.fault(JWKS, Some(Fault::Headers(cached)));
    let ended = probe(issuer.url(), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.all());
    for alg in ["ES256", "RS256"] {
        assert!(ended.out.contains(&issuer.key_for(alg).thumbprint()), "{}", ended.out);
    }
    for word in ["RSA 2048", "EC P-256", "max-age 120 s", "ETag", "2 of 2 keys", "Still to be filled in", "CR310"] {
        assert!(ended.out.contains(word), "no {word} in {}", ended.out);
    }
    let entry = entry(&ended);
    assert!(entry.contains(&format!("issuer: {:?}", issuer.url())) && !entry.contains("discoveryUrl"), "{entry}");
    assert!(entry.contains("signingAlgs: [RS256, ES256]"), "{entry}");
    assert!(loads(&entry).out.contains("ok: 2 keys, ES256 RS256"));
}

#[test]
fn the_thumbprints_of_the_entry_are_ready_to_be_pinned() {
    let issuer = Issuer::start();
    let pinned: String = entry(&probe(issuer.url(), &[]))
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(rest) if rest.starts_with("pin:") => format!("    {rest}\n"),
            Some(rest) if rest.trim_start().starts_with("keys:") => format!("      {}\n", rest.trim()),
            Some(rest) if rest.trim_start().starts_with("- sha256:") => format!("        {}\n", rest.trim()),
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(pinned.contains("\n    pin:\n"), "{pinned}");
    loads(&pinned);
    issuer.publish(&[Arc::new(Key::generate("next", "ES256"))]);
    let table = Table::new(&pinned);
    let ended = run(&["check", "--probe", &table.path().display().to_string()]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.out.contains("published, but not pinned: ") && ended.out.contains("pinned, but not published: "));
    assert!(ended.out.contains(&issuer.key().thumbprint()), "{}", ended.out);
}

#[test]
fn a_slash_too_much_is_told_and_the_entry_has_the_documents_own_issuer() {
    let issuer = Issuer::start();
    let typed = format!("{}/", issuer.url());
    let ended = probe(&typed, &[]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.out.contains("no slash at the end"), "{}", ended.out);
    loads(&entry(&ended));
    issuer.discovery(json!({"issuer": typed, "jwks_uri": issuer.jwks_uri()}));
    let ended = probe(issuer.url(), &[]);
    assert!(ended.code == 1 && ended.out.contains("it ends in a slash"), "{}", ended.all());
    assert!(entry(&ended).contains(&format!("issuer: {typed:?}")), "{}", ended.out);
    loads(&entry(&ended));
}

#[test]
fn another_issuer_than_was_typed_is_1() {
    let issuer = Issuer::start();
    issuer.discovery(json!({"issuer": "https://evil.test", "jwks_uri": issuer.jwks_uri()}));
    let ended = probe(issuer.url(), &[]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.err.contains("another issuer") && ended.out.contains("the host"), "{}", ended.all());
    assert!(entry(&ended).contains(&format!("discoveryUrl: \"{}{DISCOVERY}\"", issuer.url())), "{}", ended.out);
}

#[test]
fn a_document_or_a_key_set_will_do_as_well() {
    let issuer = Issuer::start();
    let ended = probe(&format!("{}{DISCOVERY}", issuer.url()), &[]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    loads(&entry(&ended));
    let ended = probe(&issuer.jwks_uri(), &[]);
    assert_eq!((ended.code, issuer.hits(JWKS)), (0, 3), "{}", ended.all());
    assert!(ended.out.contains("issuer: a key set does not tell whose it is"), "{}", ended.out);
    assert!(entry(&ended).contains("replace-me.invalid"), "{}", ended.out);
    // It loads so that its keys can be looked at, and is told to be a placeholder.
    assert!(loads(&entry(&ended)).err.contains("CR205"));
}

#[test]
fn keys_on_another_host_are_fetched_and_the_entry_allows_that_host() {
    let (issuer, keys) = (Issuer::start(), Issuer::with(&["RS256"]));
    issuer.discovery(json!({"issuer": issuer.url(), "jwks_uri": keys.jwks_uri()}));
    let ended = probe(issuer.url(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    let host = keys.url().strip_prefix("http://").unwrap();
    assert!(entry(&ended).contains(&format!("jwksHosts: [\"{host}\"]")), "{}", ended.out);
    loads(&entry(&ended));
}

#[test]
fn the_certificate_is_told_and_its_troubles_with_their_remedies() {
    let (dir, ca, stranger) = (scratch(), Ca::new(), Ca::new());
    let file = ca.write(dir.path());
    let with_ca = ["--ca-file", file.as_str()];
    let good = Issuer::https(&["ES256"], &ca);
    let ended = probe(good.url(), &with_ca);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(ended.out.contains("signed by \"an authority for tests\""), "{}", ended.out);
    assert!(entry(&ended).contains(&format!("caFile: {file:?}")), "{}", ended.out);
    loads(&entry(&ended));
    let ended = probe(good.url(), &[]);
    assert!(ended.code == 1 && ended.err.contains("name that in caFile"), "{}", ended.all());

    let soon = Issuer::https_by(&["ES256"], ca.server_config_until("localhost", 3));
    let ended = probe(soon.url(), &with_ca);
    assert!(ended.code == 0 && ended.out.contains("ends in 3 days"), "{}", ended.all());
    for (tls, word) in [
        (ca.server_config_until("localhost", -1), "renew"),
        (ca.server_config("other.test"), "a name that the certificate holds"),
        (stranger.server_config("localhost"), "signed by none of the authorities in caFile"),
        (ca.server_config_of(&[ENDPOINT]), "--spiffe-endpoint-id"),
    ] {
        let issuer = Issuer::https_by(&["ES256"], tls);
        let ended = probe(issuer.url(), &with_ca);
        assert!(ended.code == 1 && ended.err.contains(word), "{word}: {}", ended.all());
        assert_eq!(issuer.all_hits(), 0);
    }
}

#[test]
fn a_clock_that_is_off_by_an_hour_is_told() {
    let issuer = Issuer::start();
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(now() - 3600));
    issuer.fault(DISCOVERY, Some(Fault::Headers(vec![("date", date)])));
    let ended = probe(issuer.url(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(ended.out.contains("s behind ours") && ended.out.contains("clockSkew"), "{}", ended.out);
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(now() + 5));
    issuer.fault(DISCOVERY, Some(Fault::Headers(vec![("date", date)])));
    assert!(!probe(issuer.url(), &[]).out.contains("clockSkew"));
}

#[test]
fn a_wrong_guess_gets_a_next_step_and_costs_few_requests() {
    let issuer = Issuer::start();
    let typed = format!("{}/realms/x", issuer.url());
    let ended = probe(&typed, &[]);
    assert_eq!((ended.code, issuer.all_hits()), (1, 2), "{}", ended.all());
    for word in [format!("{typed}{DISCOVERY} and {typed}").as_str(), "answered 404", "try the exact `iss`"] {
        assert!(ended.err.contains(word), "no {word} in {}", ended.err);
    }
    issuer.fault(DISCOVERY, Some(Fault::Body(b"<!doctype html><title>Sign in</title>".to_vec())));
    issuer.fault("/", Some(Fault::Body(b"<!doctype html><title>Sign in</title>".to_vec())));
    let ended = probe(issuer.url(), &[]);
    assert!(ended.code == 1 && ended.err.contains("a login page?"), "{}", ended.all());
    issuer.fault(DISCOVERY, Some(Fault::Status(404)));
    let ended = probe(issuer.url(), &[]);
    assert!(ended.code == 1 && ended.err.contains("answered 404"), "{}", ended.all());
    assert!(
        ended.err.contains(&format!("{}/ answered with a page for people (a login page?)", issuer.url())),
        "{}",
        ended.err
    );
    for status in [401, 403] {
        issuer.fault(DISCOVERY, Some(Fault::Status(status)));
        let ended = probe(issuer.url(), &[]);
        assert!(ended.code == 1 && ended.err.contains("--bearer-token-file"), "{}", ended.all());
    }
    issuer.fault(DISCOVERY, Some(Fault::Body(b"{\"hello\": 1}".to_vec())));
    assert!(probe(issuer.url(), &[]).err.contains("neither a discovery document"));
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let (issuer, target) = (Issuer::start(), Issuer::start());
    let to = format!("{}{DISCOVERY}", target.url());
    issuer.fault(DISCOVERY, Some(Fault::Redirect(to.clone())));
    let ended = probe(issuer.url(), &[]);
    assert_eq!((ended.code, target.all_hits(), issuer.all_hits()), (1, 0, 1), "{}", ended.all());
    assert!(ended.err.contains(&format!("credence issuer probe {to:?}")), "{}", ended.err);
}

#[test]
fn keys_that_cannot_be_used_are_told_with_the_reason() {
    let issuer = Issuer::start();
    issuer.publish(&[]);
    let oct = json!({"kty": "oct", "kid": "s", "k": "AAAA", "alg": "HS256"});
    issuer.publish_also(vec![oct.clone(), json!({"kty": "RSA", "kid": "w", "e": "AQAB", "n": "AQ"})]);
    let (code, told) = probed(issuer.url(), &[]);
    assert_eq!(code, 1, "{told:#}");
    assert_eq!((&told["error_kind"], &told["stanza"]), (&json!("no_usable_keys"), &Value::Null), "{told:#}");
    assert!(told["keys"][0]["why"].as_str().unwrap().contains("symmetric"), "{told:#}");
    assert!(told["keys"][1]["why"].as_str().unwrap().contains("RSA of 1 bits"), "{told:#}");
    issuer.publish(&[Arc::new(Key::generate("good", "ES256"))]);
    issuer.publish_also(vec![oct]);
    let (code, told) = probed(issuer.url(), &[]);
    assert_eq!(code, 0, "{told:#}");
    assert_eq!((&told["keys"][0]["ok"], &told["keys"][1]["ok"]), (&json!(false), &json!(true)), "{told:#}");
    let (one, two) = (Key::generate("same", "ES256"), Key::generate("same", "ES256"));
    issuer.publish(&[Arc::new(one), Arc::new(two)]);
    let ended = probe(issuer.url(), &[]);
    assert!(ended.out.contains("two keys are named \"same\""), "{}", ended.out);
    assert!(ended.code == 1 && ended.out.contains("0 of 3 keys can be used"), "{}", ended.all());
}

#[test]
fn a_huge_body_is_not_read() {
    let issuer = Issuer::start();
    issuer.fault(JWKS, Some(Fault::Flood(60 << 20)));
    let (code, told) = probed(issuer.url(), &[]);
    assert_eq!((code, &told["error_kind"]), (1, &json!("too_large")), "{told:#}");
}

#[test]
fn a_hostile_issuer_cannot_move_the_cursor_or_write_the_table() {
    let issuer = Issuer::start();
    let hostile = "https://x.test/\u{1b}[2J\n  admin:\n    issuer: \"https://evil.test\u{202e}";
    issuer.publish(&[Arc::new(Key::generate("k\u{1b}]0;x\u{7}\n# - sha256:\u{202e}", "ES256"))]);
    issuer.discovery(json!({"issuer": hostile, "jwks_uri": issuer.jwks_uri()}));
    let ended = probe(issuer.url(), &[]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.err.contains("no table can hold the issuer") && !ended.out.contains("\nissuers:"), "{}", ended.all());
    let (_, told) = probed(issuer.url(), &[]);
    assert_eq!(told["issuer"], hostile);
    // The name of a key may be as strange as it likes: it stands in a comment, on one line.
    issuer.discovery(json!({"issuer": issuer.url(), "jwks_uri": issuer.jwks_uri()}));
    let ended = probe(issuer.url(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    loads(&entry(&ended));
    // Nor may the place of the keys.
    issuer.discovery(json!({"issuer": issuer.url(), "jwks_uri": "https://a.test/\u{1b}[2J\n", "id_token_signing_alg_values_supported": 7}));
    let (code, told) = probed(issuer.url(), &[]);
    assert_eq!((code, &told["stanza"]), (1, &Value::Null), "{told:#}");
}

#[test]
fn a_cluster_that_names_itself_from_within_is_asked_where_it_was_found() {
    let issuer = Issuer::start();
    let iss = "https://kubernetes.default.svc.cluster.local";
    issuer.discovery(json!({"issuer": iss, "jwks_uri": "https://10.96.0.1:6443/openid/v1/jwks"}));
    issuer.fault("/openid/v1/jwks", Some(Fault::Body(issuer.jwks().to_string().into_bytes())));
    let (code, told) = probed(issuer.url(), &[]);
    assert_eq!((code, &told["kind"], &told["mismatch"]), (0, &json!("kubernetes"), &json!(false)), "{told:#}");
    let stanza = told["stanza"].as_str().unwrap();
    assert!(stanza.contains(&format!("jwksUri: \"{}/openid/v1/jwks\"", issuer.url())), "{stanza}");
    assert!(stanza.contains(&format!("issuer: {iss:?}")) && stanza.contains("`realm: NAME`"), "{stanza}");
    assert!(!stanza.contains("discoveryUrl") && !stanza.contains("jwksHosts"), "{stanza}");
    loads_with_its_profile("kubernetes", stanza);
    // Where the address does not have them, the document is followed after all.
    issuer.fault("/openid/v1/jwks", None);
    let keys = Issuer::start();
    issuer.discovery(json!({"issuer": iss, "jwks_uri": format!("{}/openid/v1/jwks", keys.url())}));
    keys.fault("/openid/v1/jwks", Some(Fault::Body(keys.jwks().to_string().into_bytes())));
    let (code, told) = probed(issuer.url(), &[]);
    assert_eq!((code, told["requests"].as_array().unwrap().len()), (0, 3), "{told:#}");
    loads_with_its_profile("kubernetes", told["stanza"].as_str().unwrap());
}

#[test]
fn a_realm_of_keycloak_is_recognised() {
    let issuer = Issuer::start();
    let iss = format!("{}/realms/x", issuer.url());
    let document = json!({"issuer": iss, "jwks_uri": issuer.jwks_uri()});
    issuer.fault(&format!("/realms/x{DISCOVERY}"), Some(Fault::Body(document.to_string().into_bytes())));
    let (code, told) = probed(&iss, &[]);
    assert_eq!((code, &told["kind"], &told["differs"]), (0, &json!("keycloak"), &Value::Null), "{told:#}");
    loads(told["stanza"].as_str().unwrap());
}

#[test]
fn a_spiffe_bundle_is_told_from_a_key_set() {
    let issuer = Issuer::start();
    let mut svid = issuer.key().jwk();
    svid["use"] = json!("jwt-svid");
    let authority = |uri: &str| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let x5c = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.der());
        json!({"kty": "EC", "use": "x509-svid", "x5c": [x5c]})
    };
    let serve = |keys: Value| {
        let bundle = json!({"keys": keys, "spiffe_sequence": 7, "spiffe_refresh_hint": 300});
        issuer.fault("/bundle", Some(Fault::Body(bundle.to_string().into_bytes())));
        probed(&format!("{}/bundle", issuer.url()), &[])
    };
    let (code, told) = serve(json!([authority("spiffe://prod.acme.test"), svid.clone()]));
    assert_eq!((code, &told["kind"]), (0, &json!("spiffe")), "{told:#}");
    assert_eq!(told["bundle"], json!({"trust_domain": "prod.acme.test", "sequence": 7, "refresh_hint_seconds": 300}));
    assert_eq!(told["keys"].as_array().unwrap().len(), 1, "{told:#}");
    let stanza = told["stanza"].as_str().unwrap();
    assert!(
        stanza.contains("with: {trustDomain: \"prod.acme.test\"}") && stanza.contains("spiffeBundleUrl: "),
        "{stanza}"
    );
    loads_with_its_profile("spiffe", stanza);
    let (_, told) = serve(json!([authority("spiffe://a.test"), authority("spiffe://b.test"), svid]));
    assert!(told["stanza"].as_str().unwrap().contains("trustDomain: \"replace-me.invalid\""), "{told:#}");
    let (code, told) = serve(json!([authority("spiffe://a.test")]));
    assert_eq!((code, &told["stanza"]), (1, &Value::Null), "{told:#}");
}

#[test]
fn a_bundle_endpoint_that_proves_a_spiffe_id_is_asked_by_it() {
    let (dir, ca) = (scratch(), Ca::new());
    let file = ca.write(dir.path());
    let issuer = Issuer::https_by(&["ES256"], ca.server_config_of(&[ENDPOINT]));
    let mut svid = issuer.key().jwk();
    svid["use"] = json!("jwt-svid");
    let bundle = json!({"keys": [svid], "spiffe_sequence": 1});
    issuer.fault("/bundle", Some(Fault::Body(bundle.to_string().into_bytes())));
    let url = format!("{}/bundle", issuer.url());
    let (code, told) = probed(&url, &["--ca-file", &file, "--spiffe-endpoint-id", ENDPOINT]);
    assert_eq!((code, issuer.all_hits()), (0, 1), "{told:#}");
    let stanza = told["stanza"].as_str().unwrap();
    assert!(stanza.contains(&format!("spiffeEndpointId: {ENDPOINT:?}")), "{stanza}");
    loads(stanza);

    let other = probe(&url, &["--ca-file", &file, "--spiffe-endpoint-id", "spiffe://prod.acme.test/other"]);
    assert!(other.code == 1 && other.err.contains(ENDPOINT), "{}", other.all());
    for more in [&["--spiffe-endpoint-id", ENDPOINT][..], &["--ca-file", &file, "--spiffe-endpoint-id", "acme.test"]] {
        assert_eq!(probe(&url, more).code, 2, "{more:?}");
    }
    // A key set cannot be believed from there: the table has no field for it.
    let ended = probe(&issuer.jwks_uri(), &["--ca-file", &file, "--spiffe-endpoint-id", ENDPOINT]);
    assert!(!entry(&ended).contains("spiffeEndpointId") && ended.out.contains("SPIFFE bundles only"), "{}", ended.out);
}

#[test]
fn an_issuer_that_wants_a_client_certificate_is_shown_one() {
    let (dir, ca, clients) = (scratch(), Ca::new(), Ca::new());
    let (file, (certificate, key)) = (ca.write(dir.path()), clients.issue(&["me.test"]).write(dir.path(), "me"));
    let secrets = dir.path().display().to_string();
    let issuer = Issuer::https_by(&["ES256"], ca.mutual_config_in(&[&version::TLS12], "localhost", &clients));
    let without = probe(issuer.url(), &["--ca-file", &file]);
    assert!(without.code == 1 && without.err.contains("clientCertFile"), "{}", without.all());
    assert!(without.err.contains("--client-cert-file"), "{}", without.err);

    let shown = ["--ca-file", &file, "--client-cert-file", &certificate, "--client-key-file", &key];
    let ended = probe(issuer.url(), &[&shown[..], &["--secrets-dir", &secrets]].concat());
    assert_eq!(ended.code, 0, "{}", ended.all());
    let entry = entry(&ended);
    assert!(entry.contains(&format!("clientCertFile: {certificate:?}")), "{entry}");
    assert!(entry.contains(&format!("clientKeyFile: {key:?}")), "{entry}");
    loads_with(&entry, &["--with-credentials", "--secrets-dir", &secrets]);
    assert_eq!(probe(issuer.url(), &shown).code, 2, "a key lies under --secrets-dir");
    assert_eq!(probe(issuer.url(), &shown[..4]).code, 2, "a certificate needs its key");
}

#[test]
fn what_cannot_be_asked_is_2() {
    for url in
        ["idp.test", "http://idp.test", "https://169.254.169.254/", "ftp://idp.test", "https://u:hunter2@idp.test"]
    {
        let ended = probe(url, &[]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{url}: {}", ended.all());
        assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    }
    let ended = probe("https://localhost:1", &["--ca-file", "/nowhere/ca.pem"]);
    assert!(ended.code == 2 && ended.err.contains("/nowhere/ca.pem"), "{}", ended.all());
    assert_eq!(probe("https://localhost:1", &["--bearer-token-file", "t"]).code, 2);
    let ended = probe("http://127.0.0.1:1", &[]);
    assert!(ended.code == 1 && ended.err.contains("no connection"), "{}", ended.all());
}

#[test]
fn a_bearer_token_goes_to_the_typed_origin_only_and_is_never_printed() {
    let (issuer, keys, dir) = (Issuer::start(), Issuer::start(), scratch());
    issuer.discovery(json!({"issuer": issuer.url(), "jwks_uri": keys.jwks_uri()}));
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret-token\n").unwrap();
    let (dir, token) = (dir.path().display().to_string(), token.display().to_string());
    let ended = probe(issuer.url(), &["--secrets-dir", &dir, "--bearer-token-file", &token]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert_eq!((issuer.credentials(), keys.credentials()), (vec!["Bearer s3cret-token".to_owned()], vec![]));
    assert!(!ended.all().contains("s3cret-token"), "{}", ended.all());
    assert!(entry(&ended).contains(&format!("bearerTokenFile: {token:?}")), "{}", ended.out);
    let ended = probe(issuer.url(), &["--secrets-dir", &dir, "--bearer-token-file", "/etc/hostname"]);
    assert_eq!((ended.code, issuer.credentials().len()), (2, 1), "{}", ended.all());
    let mut empty = command(&["issuer", "probe", issuer.url(), "--bearer-token-file", &token]);
    empty.env("CREDENCE_SECRETS_DIR", "");
    let ended = with_input(empty, "");
    assert_eq!((ended.code, issuer.credentials().len()), (2, 1), "{}", ended.all());
}
