//! Answers of a key endpoint that are almost HTTP, or almost a key set.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::endpoint::Endpoint;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::key::Key;
use crate::support::server::Stream;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::world::{API, Findings, KEPT, SUBJECT, reason, state, table_of, until};

fn pace(stream: &mut dyn Stream, head: &[u8], again: &[u8], every: u64) -> io::Result<()> {
    stream.write_all(head)?;
    loop {
        stream.write_all(again)?;
        stream.flush()?;
        if every > 0 {
            std::thread::sleep(Duration::from_millis(every));
        }
    }
}

fn resident_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

#[test]
fn answers_that_are_almost_http() {
    let endpoint = Endpoint::start();
    let key = Arc::new(Key::generate("k", "ES256"));
    let body = json!({"keys": [key.jwk()]}).to_string();
    let length = body.len();
    let full = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    let chunk = format!("{length:x}\r\n{body}\r\n");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let keys = |member: &str| format!("\"{member}\":[{}]", key.jwk());
    let wrap = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let jwk = key.jwk().to_string();
    let twice = |member: &str, value: &str| jwk.replacen('{', &format!("{{\"{member}\":\"{value}\","), 1);
    let deep = |levels: usize| format!("{{\"keys\":[{jwk}],\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let many = |count: usize| {
        let list: Vec<_> =
            (1..count).map(|n| json!({"kty": "EC", "kid": format!("n{n}")})).chain([key.jwk()]).collect();
        json!({"keys": list}).to_string()
    };
    // `true`: must be used; `false`: must not; none: either, but alive.
    let raws: Vec<(&str, Vec<u8>, Option<bool>)> = vec![
        ("control", full.clone().into(), Some(true)),
        ("chunked", format!("{chunked}{chunk}0\r\n\r\n").into(), Some(true)),
        ("chunked-trailer", format!("{chunked}{chunk}0\r\nx-t: 1\r\n\r\n").into(), None),
        ("chunked-nonsense", format!("{chunked}ZZ\r\n{body}\r\n0\r\n\r\n").into(), Some(false)),
        ("chunked-negative", format!("{chunked}-1\r\n{body}\r\n0\r\n\r\n").into(), Some(false)),
        ("chunked-huge", format!("{chunked}ffffffffffffffff\r\n{body}\r\n0\r\n\r\n").into(), Some(false)),
        (
            "chunked-endless-size",
            format!("{chunked}{}\r\n{body}\r\n0\r\n\r\n", "0".repeat(100_000)).into(),
            Some(false),
        ),
        ("chunked-cut", format!("{chunked}{chunk}").into(), Some(false)),
        (
            "both-lengths",
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
            )
            .into(),
            None,
        ),
        ("two-lengths", full.replace("content-length", "content-length: 5\r\ncontent-length").into(), Some(false)),
        ("length-short", full.replace(&format!("content-length: {length}"), "content-length: 20").into(), Some(false)),
        ("length-long", full.replace(&format!("content-length: {length}"), "content-length: 9999").into(), Some(false)),
        (
            "length-negative",
            full.replace(&format!("content-length: {length}"), "content-length: -1").into(),
            Some(false),
        ),
        (
            "length-overflow",
            full.replace(&format!("content-length: {length}"), "content-length: 18446744073709551616").into(),
            Some(false),
        ),
        ("length-text", full.replace(&format!("content-length: {length}"), "content-length: many").into(), Some(false)),
        ("continue", format!("HTTP/1.1 100 Continue\r\n\r\n{full}").into(), None),
        ("hints", format!("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n{full}").into(), None),
        (
            "switch",
            format!("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{full}").into(),
            Some(false),
        ),
        ("http10", format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}").into(), None),
        ("http09", body.clone().into(), Some(false)),
        ("http30", full.replace("HTTP/1.1", "HTTP/3.0").into(), Some(false)),
        ("status-text", full.replace("200 OK", "2OO OK").into(), Some(false)),
        ("status-299", full.replace("200 OK", "299 OK").into(), Some(false)),
        ("status-201", full.replace("200 OK", "201 Created").into(), Some(false)),
        ("status-203", full.replace("200 OK", "203 X").into(), None),
        ("not-modified-unasked", b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(), Some(false)),
        ("h2-preface", b"\0\0\0\x04\0\0\0\0\0".to_vec(), Some(false)),
        ("garbage-after", format!("{full}HTTP/1.1 200 OK\r\n\r\nxxxx").into(), None),
        ("bom", wrap(&format!("\u{feff}{body}")).into(), None),
        ("two-documents", wrap(&format!("{body}{body}")).into(), Some(false)),
        ("trailing-comma", wrap(&body.replace("]}", "],}")).into(), Some(false)),
        ("keys-twice", wrap(&format!("{{{},{}}}", keys("keys"), keys("keys"))).into(), Some(false)),
        ("keys-twice-empty-last", wrap(&format!("{{{},\"keys\":[]}}", keys("keys"))).into(), Some(false)),
        ("keys-twice-empty-first", wrap(&format!("{{\"keys\":[],{}}}", keys("keys"))).into(), Some(false)),
        ("keys-twice-escaped", wrap(&format!("{{\"\\u006beys\":[],{}}}", keys("keys"))).into(), Some(false)),
        ("keys-other-case", wrap(&format!("{{{}}}", keys("Keys"))).into(), Some(false)),
        ("kid-twice", wrap(&format!("{{\"keys\":[{}]}}", twice("kid", "other"))).into(), Some(false)),
        ("kid-twice-same", wrap(&format!("{{\"keys\":[{}]}}", twice("kid", "k"))).into(), Some(false)),
        ("use-twice", wrap(&format!("{{\"keys\":[{}]}}", twice("use", "enc"))).into(), Some(false)),
        ("alg-twice", wrap(&format!("{{\"keys\":[{}]}}", twice("alg", "ES384"))).into(), Some(false)),
        ("x-twice", wrap(&format!("{{\"keys\":[{}]}}", twice("x", "AAAA"))).into(), Some(false)),
        ("unknown-twice", wrap(&format!("{{\"keys\":[{jwk}],\"a\":1,\"a\":2}}")).into(), None),
        ("keys-object", wrap(&format!("{{\"keys\":{{\"0\":{jwk}}}}}")).into(), Some(false)),
        ("keys-string", wrap("{\"keys\":\"x\"}").into(), Some(false)),
        ("thousand", wrap(&many(1000)).into(), Some(true)),
        ("thousand-and-one", wrap(&many(1001)).into(), Some(false)),
        ("deep-8", wrap(&deep(8)).into(), Some(true)),
        ("deep-30", wrap(&deep(30)).into(), None),
        ("private-key", wrap(&format!("{{\"keys\":[{}]}}", twice("d", "AAAA"))).into(), None),
        ("html-type", full.replace("application/json", "text/html").into(), None),
        ("identity-coding", full.replace("content-type", "content-encoding: identity\r\ncontent-type").into(), None),
        ("brotli", full.replace("content-type", "content-encoding: br\r\ncontent-type").into(), Some(false)),
        (
            "header-big",
            full.replace("content-type", &format!("x-pad: {}\r\ncontent-type", "a".repeat(2_000_000))).into(),
            Some(false),
        ),
        (
            "headers-many",
            full.replace("content-type", &format!("{}content-type", "x-pad: a\r\n".repeat(5000))).into(),
            None,
        ),
    ];
    let mut names: Vec<(String, Option<bool>)> = Vec::new();
    for (name, bytes, expected) in raws {
        endpoint.raw(&format!("/{name}"), bytes);
        names.push((name.to_owned(), expected));
    }
    endpoint.answers("/slow-headers", |s| pace(s, b"HTTP/1.1 200 OK\r\n", b"x", 300));
    endpoint.answers("/endless-headers", |s| {
        pace(s, b"HTTP/1.1 200 OK\r\n", &b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1000), 0)
    });
    endpoint.answers("/endless-one-header", |s| pace(s, b"HTTP/1.1 200 OK\r\nx: ", &[b'a'; 65536], 0));
    endpoint.answers("/endless-1xx", |s| pace(s, b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0));
    endpoint.answers("/slow-1xx", |s| pace(s, b"", b"HTTP/1.1 102 Processing\r\n\r\n", 200));
    endpoint.answers("/endless-status", |s| pace(s, b"HTTP/1.1 200 ", &[b'O'; 65536], 0));
    endpoint.answers("/slow-chunks", |s| {
        pace(s, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n", 200)
    });
    endpoint.answers("/endless-chunks", |s| {
        pace(s, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &b"1\r\n \r\n".repeat(1000), 0)
    });
    endpoint.answers("/endless-extension", |s| {
        pace(s, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", &[b'a'; 65536], 0)
    });
    endpoint.answers("/endless-trailers", |s| {
        pace(s, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", &b"x-a: a\r\n".repeat(1000), 0)
    });
    for name in [
        "slow-headers",
        "endless-headers",
        "endless-one-header",
        "endless-1xx",
        "slow-1xx",
        "endless-status",
        "slow-chunks",
        "endless-chunks",
        "endless-extension",
        "endless-trailers",
    ] {
        names.push((name.to_owned(), Some(false)));
    }
    let (mut entries, mut grants) = (String::new(), Vec::new());
    for (name, _) in &names {
        entries += &format!(
            "  {name}: {{issuer: \"https://{name}.test\", jwksUri: \"{}\", {KEPT}}}\n",
            endpoint.url(&format!("/{name}"))
        );
        grants.push((name.as_str(), name.as_str()));
    }
    let table = Table::new(&table_of(&entries, &grants));
    let credence = Credence::serve(table.path()).start_unready();
    let mint = |name: &str| Token::new(&key, &format!("https://{name}.test"), SUBJECT, API).mint();
    until(&credence, "control", &mint("control"), "ok");
    // Every fetch has ended: keys or an error.
    for (name, _) in &names {
        eventually(&format!("the end of a fetch of {name}"), || {
            let state = state(&credence, name);
            (state["keys"].as_u64().unwrap_or(0) > 0 || state["last_error"].is_string()).then_some(())
        });
    }
    let mut findings = Findings::default();
    for (name, expected) in &names {
        let seen = reason(&credence, name, &mint(name));
        match expected {
            Some(true) => findings.same(name, &seen, "ok"),
            Some(false) => {
                findings.expect(seen != "ok", format!("{name}: its key was used; {}", state(&credence, name)))
            }
            None => {}
        }
    }
    let memory = resident_kib(credence.pid());
    findings.expect(memory < 200 * 1024, format!("{memory} KiB resident"));
    findings.end();
}

#[test]
fn link_local_addresses_are_never_asked_in_any_spelling() {
    let mut findings = Findings::default();
    let places = [
        "https://169.254.169.254/k",
        "https://[::ffff:169.254.169.254]/k",
        "https://2852039166/k",
        "https://0251.0376.0251.0376/k",
        "https://0xa9fea9fe/k",
        "https://[64:ff9b::a9fe:a9fe]/k",
        "https://[2002:a9fe:a9fe::]/k",
        "https://[fe80::1]/k",
        "https://[febf::1]/k",
        "https://169.254.0.1/k",
        "https://[fd00:ec2::254]/k",
        "https://0.0.0.0/k",
        "https://[::]/k",
        "https://224.0.0.1/k",
        "https://255.255.255.255/k",
        "https://[::ffff:a9fe:a9fe]/k",
        "https://[::a9fe:a9fe]/k",
        "https://100.100.100.200/k",
    ];
    let (mut entries, mut grants) = (String::new(), Vec::new());
    let names: Vec<String> = (0..places.len()).map(|n| format!("p{n}")).collect();
    for (name, place) in names.iter().zip(places) {
        entries += &format!("  {name}: {{issuer: \"https://{name}.test\", jwksUri: \"{place}\", {KEPT}}}\n");
        grants.push((name.as_str(), name.as_str()));
    }
    let table = Table::new(&table_of(&entries, &grants));
    let credence = Credence::serve(table.path()).start_unready();
    for (name, place) in names.iter().zip(places) {
        let told = crate::world::error(&credence, name);
        let refused = credence
            .metric(&format!("credence_jwks_fetches_total{{issuer=\"{name}\",result=\"refused_address\"}}"))
            .unwrap_or(0.0);
        findings.expect(refused >= 1.0, format!("{place}: {told}"));
    }
    findings.end();
}
