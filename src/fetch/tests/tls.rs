//! Whose certificate is believed.

use super::super::testing::{Authority, Certificate, Server, ok};
use super::*;

async fn world(certificate: &Certificate) -> (Server, KeyOrigin) {
    let server = Server::start_tls(certificate).await;
    server.set("/keys", ok(&keys("k")));
    let origin = jwks(format!("https://idp.test:{}/keys", server.port()));
    (server, origin)
}

async fn fetch(origin: &KeyOrigin) -> Result<Arc<KeySet>, FetchError> {
    load_with(origin, names(&[("idp.test", &["127.0.0.1"])]), Timing::default()).await
}

#[tokio::test]
async fn a_private_authority_is_believed_only_through_ca_file() {
    let (right, wrong) = (Certificate::of("idp.test"), Certificate::of("idp.test"));
    let (server, mut origin) = world(&right).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fails(fetch(&origin).await, FetchResult::Tls, "caFile");

    origin.access.ca_file = Some(path.clone());
    fails(fetch(&origin).await, FetchResult::File, "ca.pem");
    std::fs::write(&path, "no certificate").unwrap();
    fails(fetch(&origin).await, FetchResult::File, "no PEM certificate");
    std::fs::write(&path, wrong.pem()).unwrap();
    let none = format!("signed by none of the authorities in caFile {}", path.display());
    fails(fetch(&origin).await, FetchResult::Tls, &none);
    assert!(server.heads().is_empty());
    std::fs::write(&path, right.pem()).unwrap();
    assert!(fetch(&origin).await.is_ok());
}

#[tokio::test]
async fn a_certificate_for_another_name_or_past_its_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (certificate, words) in
        [(Certificate::of("other.test"), "idp.test"), (Certificate::expired("idp.test"), "xpired")]
    {
        let (server, mut origin) = world(&certificate).await;
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, certificate.pem()).unwrap();
        origin.access.ca_file = Some(path);
        fails(fetch(&origin).await, FetchResult::Tls, words);
        assert!(server.heads().is_empty());
    }
}

#[tokio::test]
async fn a_server_with_a_spiffe_id_alone_is_told_by_the_field_that_would_believe_it() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (_server, mut origin) = world(&authority.sign(&["spiffe://acme.test/spire/server"])).await;
    origin.access.ca_file = Some(file(&folder, "ca.pem", authority.pem()));
    fails(fetch(&origin).await, FetchResult::Tls, "--spiffe-endpoint-id");
}

#[tokio::test]
async fn an_https_issuer_cannot_send_us_to_plain_http() {
    let certificate = Certificate::of("idp.test");
    let (server, plain) = (Server::start_tls(&certificate).await, Server::start().await);
    let issuer = format!("https://idp.test:{}", server.port());
    let folder = tempfile::tempdir().unwrap();
    let mut origin = discovery(&issuer, format!("{issuer}/d"), &[&format!("127.0.0.1:{}", plain.port())]);
    origin.access.ca_file = Some(file(&folder, "ca.pem", certificate.pem()));
    for target in [plain.url("/keys"), format!("http://idp.test:{}/keys", server.port())] {
        server.set("/d", ok(&discovery_document(&issuer, &target)));
        assert!(fetch(&origin).await.is_err(), "{target}");
    }
    assert_eq!((server.heads().len(), plain.connections()), (2, 0));
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_refused() {
    let server = Server::start().await;
    let origin = jwks(format!("https://idp.test:{}/keys", server.port()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, Certificate::of("idp.test").pem()).unwrap();
    let timing = Timing { exchange: std::time::Duration::from_millis(200), ..Timing::default() };
    let origin = KeyOrigin { access: Access { ca_file: Some(path), ..Access::default() }, ..origin };
    let error = load_with(&origin, names(&[("idp.test", &["127.0.0.1"])]), timing).await.unwrap_err();
    assert!(matches!(error.result(), FetchResult::Tls | FetchResult::Timeout), "{error}");
}
