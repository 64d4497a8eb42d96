//! One fetch.

use std::time::Duration;

use super::super::testing::{Answer, Server, answer, ok};
use super::*;

#[tokio::test]
async fn a_discovered_key_set_is_fetched() {
    let server = Server::start().await;
    let issuer = server.url("");
    server.set("/.well-known/openid-configuration", ok(&discovery_document(&issuer, &server.url("/keys"))));
    server.set("/keys", ok(&keys("k")));
    let set = load(&discovery(&issuer, server.url("/.well-known/openid-configuration"), &[])).await.unwrap();
    assert_eq!(set.keys()[0].kid().unwrap().as_str(), "k");
    for head in server.heads() {
        let head = head.to_ascii_lowercase();
        assert!(head.contains(concat!("user-agent: credence/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
        assert!(head.contains("accept: application/json") && head.contains("accept-encoding: identity"), "{head}");
    }
}

#[tokio::test]
async fn a_document_of_another_issuer_is_refused_and_its_keys_are_not_asked_for() {
    let server = Server::start().await;
    let issuer = server.url("");
    for other in ["https://evil.test".to_owned(), format!("{issuer}/")] {
        server.set("/d", ok(&discovery_document(&other, &server.url("/keys"))));
        fails(load(&discovery(&issuer, server.url("/d"), &[])).await, FetchResult::IssuerMismatch, &other);
    }
    assert!(server.heads().iter().all(|head| head.starts_with("GET /d ")));
}

#[tokio::test]
async fn a_key_set_on_a_foreign_host_is_not_contacted_unless_listed() {
    let (server, foreign) = (Server::start().await, Server::start().await);
    let issuer = server.url("");
    server.set("/d", ok(&discovery_document(&issuer, &foreign.url("/keys"))));
    foreign.set("/keys", ok(&keys("k")));
    fails(load(&discovery(&issuer, server.url("/d"), &[])).await, FetchResult::JwksHost, "jwksHosts");
    assert_eq!(foreign.connections(), 0);
    let listed = format!("127.0.0.1:{}", foreign.port());
    assert!(load(&discovery(&issuer, server.url("/d"), &[&listed])).await.is_ok());
}

#[tokio::test]
async fn an_endless_jwks_uri_is_refused_and_not_repeated_in_full() {
    let server = Server::start().await;
    let issuer = server.url("");
    let endless = server.url(&format!("/{}", "x".repeat(100_000)));
    server.set("/d", ok(&discovery_document(&issuer, &endless)));
    let error = load(&discovery(&issuer, server.url("/d"), &[])).await.unwrap_err();
    assert_eq!(error.result(), FetchResult::Url);
    assert!(error.to_string().len() < 1000, "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, target) = (Server::start().await, Server::start().await);
    target.set("/keys", ok(&keys("k")));
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        server.set("/keys", answer(status, &format!("location: {}\r\n", target.url("/keys")), ""));
        fails(load(&jwks(server.url("/keys"))).await, FetchResult::Redirect, &target.url("/keys"));
    }
    server.set("/keys", answer("302 Found", "location: file:///etc/passwd\r\n", ""));
    fails(load(&jwks(server.url("/keys"))).await, FetchResult::Redirect, "file:///etc/passwd");
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn only_status_200_counts() {
    let server = Server::start().await;
    for status in
        ["201 Created", "204 No Content", "206 Partial", "401 Unauthorized", "404 Not Found", "500 Oops", "503 Busy"]
    {
        let body = if status.starts_with("204") { String::new() } else { keys("k") };
        server.set("/keys", answer(status, "", &body));
        fails(load(&jwks(server.url("/keys"))).await, FetchResult::Status, status.split(' ').next().unwrap());
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_told_by_kind() {
    let server = Server::start().await;
    let deep = "[".repeat(100_000);
    for (body, result, words) in [
        ("<!doctype html><title>Sign in</title>", FetchResult::NotJson, "HTML"),
        ("", FetchResult::NotJson, "ends too early"),
        (r#"{"keys":[{"kty":"RS"#, FetchResult::NotJson, "ends too early"),
        (&deep, FetchResult::NotJson, "deep"),
        ("null", FetchResult::Malformed, "null"),
        ("[]", FetchResult::Malformed, "an array"),
        ("{}", FetchResult::Malformed, "no list named keys"),
        (r#"{"keys":[]}"#, FetchResult::NoUsableKeys, "empty"),
        (r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, FetchResult::NoUsableKeys, "symmetric"),
    ] {
        server.set("/keys", ok(body));
        fails(load(&jwks(server.url("/keys"))).await, result, words);
    }
}

#[tokio::test]
async fn a_document_that_is_not_utf_8_is_refused() {
    let server = Server::start().await;
    let body = b"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"\xff\xfe\"}]}";
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    server.set("/keys", Answer::Raw([head.as_bytes(), body].concat()));
    fails(load(&jwks(server.url("/keys"))).await, FetchResult::NotJson, "not JSON");
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let server = Server::start().await;
    let lines = "x-filler: 0123456789\r\n".repeat(100_000);
    server.set("/keys", answer("200 OK", &lines, &keys("k")));
    fails(load(&jwks(server.url("/keys"))).await, FetchResult::Connect, "broke");
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_by_its_head() {
    let server = Server::start().await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08";
    for coding in ["content-encoding", "transfer-encoding"] {
        let head = String::from_utf8_lossy(head).replace("content-encoding", coding).into_bytes();
        server.set("/keys", Answer::Raw(head));
        assert!(load(&jwks(server.url("/keys"))).await.is_err(), "{coding}");
    }
}

#[tokio::test]
async fn a_body_of_60_megabytes_is_cut_at_one() {
    const FLOOD: usize = 60 << 20;
    let server = Server::start().await;
    server.set("/keys", Answer::Flood(FLOOD));
    let patient = Timing { exchange: Duration::from_secs(60), ..Timing::default() };
    fails(load_with(&jwks(server.url("/keys")), Arc::new(System), patient).await, FetchResult::TooLarge, "1048576");
    assert!(server.sent() < FLOOD / 2, "{} bytes were taken", server.sent());
}

#[tokio::test]
async fn an_announced_length_above_the_cap_is_refused_unread() {
    let server = Server::start().await;
    server.set("/keys", Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 62914560\r\n\r\n".to_vec()));
    fails(load(&jwks(server.url("/keys"))).await, FetchResult::TooLarge, "1048576");
}

#[tokio::test]
async fn a_body_that_drips_or_never_comes_hits_the_time_cap() {
    let server = Server::start().await;
    let hasty = Timing { exchange: Duration::from_millis(100), ..Timing::default() };
    for answer in [Answer::Drip, Answer::Hang] {
        server.set("/keys", answer);
        let outcome = load_with(&jwks(server.url("/keys")), Arc::new(System), hasty.clone()).await;
        fails(outcome, FetchResult::Timeout, "within 100ms");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_body_yields_nothing() {
    let server = Server::start().await;
    let body = keys("k");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 1);
    // The part that arrives would be a whole set.
    let cut = [head.as_bytes(), body.as_bytes()].concat();
    for answer in
        [Answer::Raw(cut.clone()), Answer::Reset(cut), Answer::Reset(Vec::new()), Answer::Raw(b"ICY\r\n\r\n".to_vec())]
    {
        server.set("/keys", answer);
        fails(load(&jwks(server.url("/keys"))).await, FetchResult::Connect, "broke");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    let server = Server::start().await;
    for encoding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
        server.set("/keys", answer("200 OK", &format!("content-encoding: {encoding}\r\n"), &keys("k")));
        fails(load(&jwks(server.url("/keys"))).await, FetchResult::ContentEncoding, encoding);
    }
    server.set("/keys", answer("200 OK", "content-encoding: identity\r\n", &keys("k")));
    assert!(load(&jwks(server.url("/keys"))).await.is_ok());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_no_connection() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fails(load(&jwks(format!("http://127.0.0.1:{port}/k"))).await, FetchResult::Connect, "refused");
}

#[tokio::test]
async fn a_name_that_leads_to_a_link_local_address_is_refused() {
    let server = Server::start().await;
    let origin = jwks(format!("https://idp.test:{}/keys", server.port()));
    for addresses in
        [&["169.254.169.254"][..], &["fe80::1"], &["::ffff:169.254.169.254"], &["127.0.0.1", "169.254.169.254"]]
    {
        let outcome = load_with(&origin, names(&[("idp.test", addresses)]), Timing::default()).await;
        fails(outcome, FetchResult::RefusedAddress, "never fetched from there");
    }
    assert_eq!(server.connections(), 0);
    let literal = load(&jwks("https://169.254.169.254/latest/keys".to_owned())).await;
    fails(literal, FetchResult::RefusedAddress, "never fetched");
}

#[tokio::test]
async fn localhost_that_is_not_this_machine_is_refused() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let origin = jwks(format!("http://localhost:{}/keys", server.port()));
    let elsewhere = load_with(&origin, names(&[("localhost", &["10.0.0.1"])]), Timing::default()).await;
    fails(elsewhere, FetchResult::RefusedAddress, "10.0.0.1");
    assert!(load_with(&origin, names(&[("localhost", &["127.0.0.1"])]), Timing::default()).await.is_ok());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_as_such() {
    let outcome = load_with(&jwks("https://idp.test/k".to_owned()), names(&[]), Timing::default()).await;
    fails(outcome, FetchResult::Dns, "does not resolve");
}

#[tokio::test]
async fn a_query_is_sent_but_not_told() {
    let server = Server::start().await;
    let outcome = load(&jwks(server.url("/keys?token=hunter2"))).await.unwrap_err();
    assert!(server.heads()[0].starts_with("GET /keys?token=hunter2 "));
    assert!(!outcome.to_string().contains("hunter2"), "{outcome}");
}

#[tokio::test]
async fn a_file_is_read_with_the_same_limits() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| KeyOrigin::plain(KeySource::File(folder.path().join(name)));
    std::fs::write(folder.path().join("good"), keys("k")).unwrap();
    std::fs::write(folder.path().join("large"), vec![b' '; (1 << 20) + 1]).unwrap();
    std::fs::write(folder.path().join("half"), keys("k").split_at(40).0).unwrap();
    assert!(load(&file("good")).await.is_ok());
    fails(load(&file("large")).await, FetchResult::TooLarge, "1048576");
    fails(load(&file("half")).await, FetchResult::NotJson, "ends too early");
    fails(load(&file("absent")).await, FetchResult::File, "cannot be read");
    fails(load(&file("")).await, FetchResult::File, "not a regular file");
}
