//! Connections that want nothing good do not keep a proxy from its answers.

use std::io::Write as _;
use std::net::TcpStream;

use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tonic::transport::Endpoint;

use crate::support::answer::Answer;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{eventually, runtime};
use crate::world::{RELOADED, call, reason, table, token, until};

/// Three hundred connections: silent ones, ones that talk nonsense, ones that stop in the middle of the preface.
fn crowd(address: &str) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for n in 0..300 {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let _ = match n % 3 {
            0 => Ok(()),
            1 => stream.write_all(b"\x16\x03\x01\x00\xff GET / HTTP/1.0\r\n\0\0\0\r\n"),
            _ => stream.write_all(b"PRI * HTTP/2.0\r\n\r\nS"),
        };
        crowd.push(stream);
    }
    crowd
}

/// A client with a connection of its own.
fn newcomer(credence: &Credence, token: &str) -> Option<String> {
    let (uri, message) = (format!("http://{}", credence.grpc()), call("own", token).message());
    runtime().block_on(async {
        let asked = async {
            let channel = Endpoint::from_shared(uri).unwrap().connect().await.ok()?;
            AuthorizationClient::new(channel).check(message).await.ok()
        };
        let answer = tokio::time::timeout(std::time::Duration::from_secs(2), asked).await.ok()??;
        Some(Answer(answer.into_inner()).reason())
    })
}

#[test]
fn three_hundred_bad_connections_at_once_keep_nobody_from_an_answer() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = Credence::serve(file.path()).start();
    let crowd = crowd(credence.grpc());
    assert_eq!(crowd.len(), 300);
    let token = token(&ci);
    let reason_told = eventually("an answer for a newcomer", || newcomer(&credence, &token));
    assert_eq!(reason_told, "ok");
    assert_eq!(reason(&credence, "own", &token), "ok");
    assert_eq!(credence.stop().code(), Some(0), "nor do they hold up the end");
    drop(crowd);
}

#[test]
fn with_few_descriptors_who_is_in_stays_served_and_the_rest_comes_in_later() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).shell(r#"ulimit -n 256; exec "$@""#).start();
    let token = token(&ci);
    assert_eq!(reason(&credence, "own", &token), "ok");
    let crowd = crowd(credence.grpc());
    for _ in 0..20 {
        assert_eq!(reason(&credence, "own", &token), "ok");
        assert_eq!(reason(&credence, "more", &token), "grant_none");
    }
    // The crowd is cut off for not greeting in time; then there is room again, even if it hangs on.
    eventually("a newcomer to get in", || newcomer(&credence, &token).filter(|reason| reason == "ok"));
    // A table that could not be read for want of descriptors is read later.
    file.replace(&table(&ci, &["own", "more"]));
    until(&credence, "more", &token, "ok");
    assert_eq!(credence.metric(RELOADED), Some(1.0));
    drop(crowd);
}
