//! `failure_mode_allow: true` is a door that opens when credence gives no verdict. So there always has to be one.
//!
//! Nothing here carries a credential that should be believed, so nothing may reach the upstream.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::thread;

use serde_json::json;

use crate::support::eventually;
use crate::support::http::{Request, connect};
use crate::support::upstream::Echo;
use crate::world::{API, SUBJECT, World, api, mark, world};

/// Sends what the closure makes of a marked request, which has to be refused. Gives the status, if there was one.
fn stays_out(world: &World, listener: &str, what: &str, bend: impl FnOnce(Request) -> Request) -> Option<u16> {
    attempt(world, listener, what, bend).0
}

/// Like [`stays_out`], and it was a verdict of credence that kept it out. Which one is not asked: a machine that is
/// very busy may be too slow to read a large question in time, and `overloaded` is a refusal too.
fn gets_a_verdict(world: &World, listener: &str, what: &str, bend: impl FnOnce(Request) -> Request) {
    let (status, mark) = attempt(world, listener, what, bend);
    assert!(matches!(status, Some(400 | 401 | 503)), "{what} on {listener}: {status:?}");
    let line = world.envoy.access(&mark);
    let told = (&line["details"], &line["metadata"]["credence"]["decision"]);
    assert_eq!(told, (&json!("ext_authz_denied"), &json!("deny")), "{line}");
}

fn attempt(world: &World, listener: &str, what: &str, bend: impl FnOnce(Request) -> Request) -> (Option<u16>, String) {
    let mark = mark();
    let forged = api("POST", "/v1/x", &mark).header("x-credence-subject", "forged");
    let answer = bend(forged).try_send(world.envoy.address(listener)).ok();
    assert!(!world.upstream.saw(&mark), "{what} got through on {listener}");
    let status = answer.map(|response| response.status);
    assert!(status.is_none_or(|status| status >= 400), "{what} on {listener}: {status:?}");
    (status, mark)
}

const OPEN: [&str; 3] = ["open", "open-raw", "open-body"];

#[test]
fn garbage_in_headers_gets_a_verdict() {
    let world = world();
    let bytes: Vec<u8> = (0x80..=0xff).collect();
    for listener in OPEN {
        let refused = stays_out(&world, listener, "bytes above ASCII in the credential", |request| {
            request.header("authorization", [b"Bearer ".as_slice(), &bytes].concat())
        });
        assert_eq!(refused, Some(401), "{listener}");
        stays_out(&world, listener, "bytes above ASCII elsewhere", |request| request.header("x-garbage", &bytes));
        stays_out(&world, listener, "bytes above ASCII in the path of a cookie", |request| {
            request.header("cookie", &bytes)
        });
        stays_out(&world, listener, "a control byte", |request| request.header("authorization", b"Bearer a\x01b"));
        stays_out(&world, listener, "a tab", |request| request.header("authorization", b"Bearer\ta.b.c"));
        stays_out(&world, listener, "an empty credential", |request| request.header("authorization", ""));
        stays_out(&world, listener, "only dots", |request| request.bearer(".".repeat(10_000)));
        stays_out(&world, listener, "a host of garbage", |request| request.header("x-forwarded-host", &bytes));
    }
}

#[test]
fn garbage_that_is_base64_and_almost_json_gets_a_verdict() {
    let world = world();
    let good = || world.ci.token(SUBJECT, API);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let twice = format!(r#"{{"iss":"{0}","iss":"{0}","sub":"x","exp":9999999999}}"#, world.ci.url());
    for claims in [deep.as_str(), twice.as_str(), "null", "[]", "\u{feff}{}", "{", "{\"iss\":1}", "{\"exp\":1e999}"] {
        let token = good().raw_claims(claims).mint();
        assert_eq!(stays_out(&world, "open", claims, |request| request.bearer(&token)), Some(401));
    }
}

#[test]
fn a_hundred_kilobytes_of_headers_get_a_verdict() {
    let world = world();
    for listener in OPEN {
        gets_a_verdict(&world, listener, "one header of 100 kB", |request| {
            request.header("x-large", "a".repeat(100_000))
        });
        gets_a_verdict(&world, listener, "a token of 100 kB", |request| request.bearer("a".repeat(100_000)));
        gets_a_verdict(&world, listener, "3 MB of headers", |request| {
            (0..30).fold(request, |request, n| request.header(&format!("x-large-{n}"), "a".repeat(100_000)))
        });
        gets_a_verdict(&world, listener, "5,000 headers", |request| {
            (0..5_000).fold(request, |request, n| request.header(&format!("x-{n}"), "a"))
        });
    }
}

#[test]
fn a_large_body_gets_a_verdict() {
    let world = world();
    gets_a_verdict(&world, "open-body", "a body of 3 MB", |request| request.body(vec![b'a'; 3_000_000]));
    // More than `--max-request-bytes`: the question does not fit, and is refused without being read.
    gets_a_verdict(&world, "open-body", "a body of 17 MiB", |request| request.body(vec![b'a'; 17 << 20]));
}

#[test]
fn a_large_body_with_a_good_token_passes_whole() {
    let world = world();
    // Again and again, because on a machine that is very busy a question of 3 MB may come too slowly: `overloaded`.
    let response = eventually("a body of 3 MB to pass", || {
        let request = api("POST", "/v1/x", &mark()).bearer(world.ci.token(SUBJECT, API)).body(vec![b'a'; 3_000_000]);
        let response = request.send(world.envoy.address("open-body"));
        (response.status != 503).then_some(response)
    });
    assert_eq!(Echo::of(&response).one("content-length"), "3000000");
    assert_eq!(response.json()["body_length"], 3_000_000);
}

#[test]
fn a_body_that_drips_opens_nothing_while_it_drips() {
    let world = world();
    let mark = mark();
    let head = api("POST", "/v1/x", &mark).header("content-length", "100000").bytes();
    let mut stream = connect(world.envoy.address("open-body")).unwrap();
    stream.write_all(&head).unwrap();
    for _ in 0..10 {
        stream.write_all(b"drip").unwrap();
        // Something else is asked and answered in between, so Envoy has had its turn.
        assert_eq!(stays_out(&world, "open-body", "another request", |request| request), Some(401));
        assert!(!world.upstream.saw(&mark));
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!world.upstream.saw(&mark), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn an_issuer_that_hangs_delays_no_verdict() {
    let world = world();
    let token = world.hanging.token(SUBJECT, API).mint();
    for listener in OPEN {
        assert_eq!(
            stays_out(&world, listener, "a token of the hanging issuer", |request| request.bearer(&token)),
            Some(503)
        );
    }
}

#[test]
fn a_token_that_points_at_another_issuer_makes_credence_fetch_nothing() {
    let world = world();
    let attacker = crate::support::issuer::Issuer::start();
    let key = attacker.key();
    let jku = json!(attacker.jwks_uri());
    let tokens = [
        ("an issuer that is not in the table", attacker.token(SUBJECT, API)),
        ("jku", world.ci.token(SUBJECT, API).signed_by(&key).header("jku", jku.clone())),
        ("x5u", world.ci.token(SUBJECT, API).signed_by(&key).header("x5u", jku.clone())),
        ("a URL as kid", world.ci.token(SUBJECT, API).signed_by(&key).header("kid", jku)),
        ("jwk", world.ci.token(SUBJECT, API).signed_by(&key).header("jwk", key.jwk())),
    ];
    for (what, token) in tokens {
        assert_eq!(stays_out(&world, "open", what, |request| request.bearer(&token)), Some(401), "{what}");
    }
    assert_eq!(attacker.all_hits(), 0);
}

#[test]
fn callers_that_hang_up_at_once_leave_credence_answering() {
    let world = world();
    let bytes = api("GET", "/v1/x", "hangs-up").bearer("a.b.c").bytes();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let mut stream = connect(world.envoy.address("open")).unwrap();
                    let _ = stream.write_all(&bytes);
                }
            });
        }
    });
    assert!(!world.upstream.saw("hangs-up"));
    let request = api("GET", "/v1/x", &mark()).bearer(world.ci.token(SUBJECT, API));
    assert_eq!(Echo::of(&request.send(world.envoy.address("open"))).one("x-credence-subject"), SUBJECT);
}

#[test]
fn line_breaks_in_a_subject_make_no_second_line_and_no_header() {
    let world = world();
    for sub in ["a\r\nx-credence-subject: root", "a\n{\"decision\":\"allow\"}", "a\u{0}b", "a\u{202e}b", "a\u{2028}b"] {
        let token = world.ci.token(sub, API).mint();
        let mark = mark();
        let response = api("GET", "/v1/x", &mark).bearer(&token).send(world.envoy.address("open"));
        assert_eq!(response.status, 401, "{sub:?}");
        assert!(!world.upstream.saw(&mark), "{sub:?}");
        let id = response.json()["decision_id"].as_str().unwrap().to_owned();
        // The log is read line by line, each of which has to be JSON.
        assert_eq!(world.credence.decision(&id)["reason"], "claims_malformed", "{sub:?}");
    }
}

#[test]
fn many_at_once_each_get_their_own_verdict() {
    let world = world();
    let good = world.ci.token(SUBJECT, API).mint();
    let other = world.partner.token(SUBJECT, API).mint();
    let forged = world.ci.token(SUBJECT, API).mint_with_signature(&[7; 64]);
    let address: SocketAddr = world.envoy.address("open");
    let ask = |n: usize| {
        let mark = mark();
        let (token, expected) = match n % 4 {
            0 => (good.as_str(), 200),
            1 => (other.as_str(), 403),
            2 => (forged.as_str(), 401),
            _ => ("", 401),
        };
        let response = api("GET", "/v1/x", &mark).header("x-credence-subject", "forged").bearer(token).send(address);
        assert_eq!(response.status, expected, "{response:?}");
        if expected == 200 {
            let echo = Echo::of(&response);
            assert_eq!((echo.one("x-credence-issuer"), echo.one("x-credence-subject")), (world.ci.url(), SUBJECT));
        } else {
            assert!(!world.upstream.saw(&mark));
        }
    };
    thread::scope(|scope| {
        for start in 0..32 {
            let ask = &ask;
            scope.spawn(move || (0..20).for_each(|n| ask(start + n)));
        }
    });
}
