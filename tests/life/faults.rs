//! Every way in which an issuer's endpoint can be out of order, at the start and later: each is that issuer's trouble
//! alone, the last good keys go on, and what heals is used again.

use serde_json::{Value, json};

use crate::support::credence::{Credence, Serve};
use crate::support::eventually;
use crate::support::issuer::{DISCOVERY, Fault, Issuer, JWKS};
use crate::support::table::Table;
use crate::world::{API, SUBJECT, entry, reason, table_of, token, until};

/// Name, what is out of order, how, and the `result` that it is counted as.
fn faults() -> Vec<(&'static str, &'static str, Fault, &'static str)> {
    let body = |text: &str| Fault::Body(text.as_bytes().to_vec());
    let nested = format!("{{\"keys\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let many = json!({"keys": vec![json!({"kty": "EC"}); 1001]}).to_string();
    let mut list = Vec::new();
    for path in [DISCOVERY, JWKS] {
        list.extend([
            ("500", path, Fault::Status(500), "status"),
            ("503", path, Fault::Status(503), "status"),
            ("404", path, Fault::Status(404), "status"),
            ("401", path, Fault::Status(401), "status"),
            ("204", path, Fault::Status(204), "status"),
            ("206", path, Fault::Status(206), "status"),
            ("redirect", path, Fault::Redirect("http://127.0.0.1:1/keys".into()), "redirect"),
            ("redirect-file", path, Fault::Redirect("file:///etc/passwd".into()), "redirect"),
            ("reset", path, Fault::Reset, "connect"),
            ("hang", path, Fault::Hang, "timeout"),
            ("drip", path, Fault::Drip, "timeout"),
            ("cut", path, Fault::Cut, "connect"),
            ("html", path, body("<!doctype html><title>Sign in</title>"), "not_json"),
            ("empty", path, body(""), "not_json"),
            ("null", path, body("null"), "malformed"),
            ("list", path, body("[]"), "malformed"),
            ("utf8", path, Fault::Body(b"{\"keys\":[\"\xff\"]}".to_vec()), "not_json"),
            ("nested", path, body(&nested), "not_json"),
            ("flood", path, Fault::Flood(60 << 20), "too_large"),
            ("announced", path, Fault::Body(vec![b' '; 4 << 20]), "too_large"),
            ("gzip", path, Fault::Compressed(vec![0x1f, 0x8b, 8, 0]), "content_encoding"),
        ]);
    }
    list.extend([
        (
            "other-issuer",
            DISCOVERY,
            body(r#"{"issuer":"https://evil.test","jwks_uri":"https://evil.test/k"}"#),
            "issuer_mismatch",
        ),
        ("no-uri", DISCOVERY, body(r#"{"issuer":"ISSUER"}"#), "malformed"),
        ("elsewhere", DISCOVERY, body(r#"{"issuer":"ISSUER","jwks_uri":"https://evil.test/k"}"#), "jwks_host"),
        ("metadata", DISCOVERY, body(r#"{"issuer":"ISSUER","jwks_uri":"http://169.254.169.254/k"}"#), "url"),
        ("emptied", JWKS, body(r#"{"keys":[]}"#), "no_usable_keys"),
        ("symmetric", JWKS, body(r#"{"keys":[{"kty":"oct","kid":"key-ES256","k":"AAAA"}]}"#), "no_usable_keys"),
        ("junk", JWKS, body(r#"{"keys":[7,null,{}]}"#), "no_usable_keys"),
        ("many", JWKS, body(&many), "too_large"),
    ]);
    list
}

/// One faulty issuer for each fault, and a healthy one.
struct World {
    healthy: Issuer,
    faulty: Vec<(String, Issuer, &'static str, Fault, &'static str)>,
    credence: Credence,
    _table: Table,
}

/// Starts with `before`, which may put the faults in place first.
fn world(start: impl Fn(Serve) -> Credence, before: impl Fn(&Issuer, &str, &Fault)) -> World {
    let healthy = Issuer::start();
    let mut faulty = Vec::new();
    let mut entries = entry("healthy", &healthy, "");
    let mut grants = vec![("healthy".to_owned(), "healthy".to_owned())];
    for (number, (what, path, fault, result)) in faults().into_iter().enumerate() {
        let issuer = Issuer::start();
        let fault = match fault {
            Fault::Body(bytes) if bytes.is_ascii() => {
                Fault::Body(String::from_utf8(bytes).unwrap().replace("ISSUER", issuer.url()).into_bytes())
            }
            other => other,
        };
        before(&issuer, path, &fault);
        let name = format!("f{number}-{what}");
        entries += &entry(&name, &issuer, "");
        grants.push((name.clone(), name.clone()));
        faulty.push((name, issuer, path, fault, result));
    }
    let grants: Vec<_> = grants.iter().map(|(grant, issuer)| (grant.as_str(), issuer.as_str())).collect();
    let table = Table::new(&table_of(&entries, &grants));
    let mut serve = Credence::serve(table.path());
    for (name, ..) in &faulty {
        serve = serve.keyless(name);
    }
    World { healthy, faulty, credence: start(serve), _table: table }
}

/// The last error of each issuer, by name.
fn errors(credence: &Credence) -> Vec<(String, Value)> {
    let ready = credence.admin("/readyz").json();
    let issuers = ready["issuers"].as_array().unwrap();
    issuers.iter().map(|state| (state["name"].as_str().unwrap().to_owned(), state["last_error"].clone())).collect()
}

impl World {
    /// Waits until each fault was met, and was counted as what it is.
    fn met(&self) {
        for (name, _, _, _, result) in &self.faulty {
            let series = format!("credence_jwks_fetches_total{{issuer=\"{name}\",result=\"{result}\"}}");
            eventually(&series, || self.credence.metric(&series).filter(|count| *count >= 1.0));
        }
    }

    fn resident_kib(&self) -> usize {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.credence.pid())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
    }
}

#[test]
fn an_issuer_that_is_out_of_order_from_the_start_is_alone_with_it_and_heals() {
    let world = world(Serve::start, |issuer, path, fault| issuer.fault(path, Some(fault.clone())));
    let credence = &world.credence;
    assert_eq!(reason(credence, "healthy", &token(&world.healthy)), "ok", "nobody waited for the others");
    assert_eq!(credence.admin("/readyz").status, 200);
    world.met();
    for (name, issuer, ..) in &world.faulty {
        let answer = credence.check(&crate::world::call(name, &token(issuer)));
        assert_eq!((answer.reason().as_str(), answer.status()), ("keys_unavailable", 503), "{name}");
    }
    let told = errors(credence);
    for (name, error) in told {
        assert_eq!(error.is_string(), name != "healthy", "{name}: {error}");
        assert!(error.as_str().is_none_or(|text| text.len() < 1500), "{name}: {error}");
    }
    // What was read and thrown away: 60 MiB twice, 4 MiB twice, and 100,000 brackets twice.
    assert!(world.resident_kib() < 150 * 1024, "{} KiB", world.resident_kib());
    for (_, issuer, path, ..) in &world.faulty {
        issuer.fault(path, None);
    }
    for (name, issuer, ..) in &world.faulty {
        until(credence, name, &token(issuer), "ok");
    }
}

#[test]
fn an_endpoint_that_fails_later_takes_no_key_away_and_a_rotation_is_taken_when_it_heals() {
    let world = world(Serve::start, |_, _, _| ());
    let credence = &world.credence;
    let old: Vec<String> = world.faulty.iter().map(|(_, issuer, ..)| token(issuer)).collect();
    for ((name, ..), token) in world.faulty.iter().zip(&old) {
        until(credence, name, token, "ok");
    }
    // A reload that removes and brings back an entry begins its source anew; here nothing changes but the endpoint. A
    // token that names an unknown key makes each be looked at again.
    for (name, issuer, path, fault, _) in &world.faulty {
        issuer.fault(path, Some(fault.clone()));
        let stray = crate::support::key::Key::generate("stray", "ES256");
        let stray = issuer.token(SUBJECT, API).signed_by(&std::sync::Arc::new(stray)).header("kid", "stray").mint();
        assert_eq!(reason(credence, name, &stray), "key_unknown", "{name}");
    }
    for ((name, _, path, ..), token) in world.faulty.iter().zip(&old) {
        if *path == JWKS {
            eventually(&format!("{name} to be met"), || {
                errors(credence).into_iter().find(|(other, error)| other == name && error.is_string())
            });
        }
        assert_eq!(reason(credence, name, token), "ok", "{name}: known keys go on");
    }
    assert_eq!(reason(credence, "healthy", &token(&world.healthy)), "ok");
    for (name, issuer, path, ..) in &world.faulty {
        issuer.fault(path, None);
        issuer.publish(&[std::sync::Arc::new(crate::support::key::Key::generate("next", "ES256"))]);
        until(credence, name, &token(issuer), "ok");
    }
    for ((name, ..), token) in world.faulty.iter().zip(&old) {
        assert_eq!(reason(credence, name, token), "key_unknown", "{name}: what is no longer published is refused");
    }
}
