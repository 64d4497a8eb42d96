//! Bundles of SPIFFE trust domains, and servers that prove a SPIFFE ID.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use super::super::testing::{Answer, Authority, Certificate, Server, ok};
use super::*;
use crate::keys::testing::{Signer, with};
use crate::keys::{KeyFormat, ServerIdentity};
use crate::name::TrustDomain;

const ID: &str = "spiffe://acme.test/spire/server";

fn svid_key(kid: &str) -> Value {
    with(Signer::ec("P-256").named(kid), json!({"use": "jwt-svid"}))
}

fn bundle(sequence: u64, keys: &[Value]) -> String {
    json!({"keys": keys, "spiffe_sequence": sequence, "spiffe_refresh_hint": 300}).to_string()
}

fn x509(authority: &Authority) -> Value {
    with(RSA[0].jwk(), json!({"use": "x509-svid", "x5c": [STANDARD.encode(authority.der())]}))
}

fn spiffe(source: KeySource) -> KeyOrigin {
    KeyOrigin { format: KeyFormat::SpiffeBundle(TrustDomain::new("acme.test")), ..KeyOrigin::plain(source) }
}

/// A bundle endpoint with one certificate, and the authority in `caFile`.
struct Endpoint {
    server: Server,
    origin: KeyOrigin,
    folder: TempDir,
}

impl Endpoint {
    async fn start(certificate: &Certificate, ca_file: &Authority, identity: ServerIdentity) -> Self {
        let (server, folder) = (Server::start_tls(certificate).await, TempDir::new().unwrap());
        server.set("/", ok(&bundle(1, &[svid_key("k")])));
        let mut origin = spiffe(KeySource::Url { url: format!("https://idp.test:{}/", server.port()) });
        origin.access.server = identity;
        origin.access.ca_file = Some(file(&folder, "ca.pem", ca_file.pem()));
        Self { server, origin, folder }
    }

    async fn load(&self) -> Result<Arc<KeySet>, FetchError> {
        load_within(Surroundings::default(), &self.origin).await
    }
}

fn workload(id: &str) -> ServerIdentity {
    ServerIdentity::Spiffe(id.to_owned())
}

#[tokio::test]
async fn a_bundle_brings_its_keys_for_tokens_and_no_others() {
    let server = Server::start().await;
    server.set("/", ok(&bundle(7, &[svid_key("k"), x509(&Authority::new()), RSA[1].named("untold")])));
    let loaded = loader(Surroundings::default())
        .load(&spiffe(KeySource::Url { url: server.url("/") }), Errand::Round, &mut Memory::default())
        .await
        .unwrap();
    let set = loaded.set.unwrap();
    assert_eq!((set.keys().len(), set.keys()[0].kid().unwrap().as_str()), (1, "k"));
    assert_eq!(loaded.keep, Some(Duration::from_secs(300)));
}

#[tokio::test]
async fn a_bundle_without_a_key_for_tokens_is_refused() {
    let server = Server::start().await;
    server.set("/", ok(&bundle(7, &[x509(&Authority::new())])));
    let origin = spiffe(KeySource::Url { url: server.url("/") });
    fails(load(&origin).await, FetchResult::NoUsableKeys, "acme.test has no key for jwt-svid");
    server.set("/", ok(r#"{"keys":[],"spiffe_sequence":"7"}"#));
    fails(load(&origin).await, FetchResult::Malformed, "spiffe_sequence");
}

#[tokio::test]
async fn a_bundle_in_a_file_is_read_as_one() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "bundle.json", bundle(1, &[svid_key("k"), x509(&Authority::new())]));
    assert_eq!(load(&spiffe(KeySource::File(path.clone()))).await.unwrap().keys().len(), 1);
    fails(load(&KeyOrigin::plain(KeySource::File(path))).await, FetchResult::NoUsableKeys, "jwt-svid");
}

#[tokio::test]
async fn the_sequence_of_a_bundle_never_goes_backwards() {
    let server = Server::start().await;
    let origin = spiffe(KeySource::Url { url: server.url("/") });
    let (loader, mut memory) = (loader(Surroundings::default()), Memory::default());
    for (sequence, good) in [(7, true), (7, true), (9, true), (8, false), (0, false), (9, true), (10, true)] {
        server.set("/", ok(&bundle(sequence, &[svid_key("k")])));
        let loaded = loader.load(&origin, Errand::Round, &mut memory).await;
        assert_eq!(loaded.is_ok(), good, "{sequence}");
        if let Err(error) = loaded {
            assert_eq!(error.result(), FetchResult::SequenceBackwards, "{error}");
        }
    }
    // Of one that no longer counts nobody knows how old it is, and it does not make the old ones good again.
    server.set("/", ok(&json!({"keys": [svid_key("k")]}).to_string()));
    let uncounted = loader.load(&origin, Errand::Round, &mut memory).await;
    assert_eq!(uncounted.unwrap_err().result(), FetchResult::SequenceBackwards);
    server.set("/", ok(&bundle(9, &[svid_key("k")])));
    assert!(loader.load(&origin, Errand::Round, &mut memory).await.is_err());
}

#[tokio::test]
async fn an_unusable_bundle_does_not_move_the_sequence() {
    let server = Server::start().await;
    let origin = spiffe(KeySource::Url { url: server.url("/") });
    let (loader, mut memory) = (loader(Surroundings::default()), Memory::default());
    for (sequence, keys) in [(1, vec![svid_key("k")]), (1_000_000, vec![]), (2, vec![svid_key("k")])] {
        server.set("/", ok(&bundle(sequence, &keys)));
        let loaded = loader.load(&origin, Errand::Round, &mut memory).await;
        assert_eq!(loaded.is_ok(), !keys.is_empty());
    }
}

#[tokio::test]
async fn an_unchanged_bundle_keeps_its_refresh_hint() {
    let server = Server::start().await;
    server.set("/", Answer::Tagged("\"a\"", bundle(1, &[svid_key("k")])));
    let origin = spiffe(KeySource::Url { url: server.url("/") });
    let (loader, mut memory) = (loader(Surroundings::default()), Memory::default());
    for fresh in [true, false] {
        let loaded = loader.load(&origin, Errand::Round, &mut memory).await.unwrap();
        assert_eq!((loaded.set.is_some(), loaded.keep), (fresh, Some(Duration::from_secs(300))));
    }
}

#[tokio::test]
async fn https_spiffe_believes_the_id_and_not_the_name() {
    let authority = Authority::new();
    assert!(Endpoint::start(&authority.sign(&[ID]), &authority, workload(ID)).await.load().await.is_ok());
    for (certificate, words) in [
        (authority.sign(&["spiffe://acme.test/spire/server2"]), "is for spiffe://acme.test/spire/server2, not for"),
        (authority.sign(&["spiffe://acme.test/spire/serve"]), "not for spiffe://acme.test/spire/server"),
        (authority.sign(&["spiffe://ACME.test/spire/server"]), "not for"),
        (authority.sign(&["spiffe://other.test/spire/server"]), "not for"),
        (authority.sign(&[ID, "spiffe://acme.test/other"]), "several"),
        (authority.sign(&["spiffe://acme.test/other", ID]), "several"),
        (authority.sign(&[ID, ID]), "several"),
        (authority.sign(&["idp.test"]), "no SPIFFE ID"),
        (authority.sign_expired(&[ID]), "xpired"),
        (Authority::new().sign(&[ID]), "BadSignature"),
        (Certificate::of("idp.test"), "BadSignature"),
    ] {
        let endpoint = Endpoint::start(&certificate, &authority, workload(ID)).await;
        fails(endpoint.load().await, FetchResult::Tls, words);
        assert!(endpoint.server.heads().is_empty());
    }
}

#[tokio::test]
async fn https_web_believes_the_name_and_not_just_any_id() {
    let authority = Authority::new();
    let endpoint = Endpoint::start(&authority.sign(&[ID]), &authority, ServerIdentity::Host).await;
    fails(endpoint.load().await, FetchResult::Tls, "idp.test");
}

#[tokio::test]
async fn the_id_may_stand_for_the_name_where_both_are_allowed() {
    let authority = Authority::new();
    let either = || ServerIdentity::HostOr(ID.to_owned());
    for good in [authority.sign(&[ID]), authority.sign(&["idp.test"]), authority.sign(&["idp.test", ID])] {
        assert!(Endpoint::start(&good, &authority, either()).await.load().await.is_ok());
    }
    for (bad, words) in [
        (authority.sign(&["other.test"]), "idp.test"),
        (authority.sign(&["spiffe://acme.test/other"]), "spiffe://acme.test/other"),
        (authority.sign_expired(&[ID]), "xpired"),
        (Authority::new().sign(&["idp.test", ID]), "BadSignature"),
    ] {
        fails(Endpoint::start(&bad, &authority, either()).await.load().await, FetchResult::Tls, words);
    }
    // Without caFile the system's authorities judge, and an ID proves nothing under them.
    let mut endpoint = Endpoint::start(&authority.sign(&[ID]), &authority, either()).await;
    endpoint.origin.access.ca_file = None;
    fails(endpoint.load().await, FetchResult::Tls, "caFile");
}

#[tokio::test]
async fn https_spiffe_needs_an_authority_and_https() {
    let authority = Authority::new();
    let mut endpoint = Endpoint::start(&authority.sign(&[ID]), &authority, workload(ID)).await;
    endpoint.origin.access.ca_file = None;
    fails(endpoint.load().await, FetchResult::Tls, "no authority is known");
    let plain = Server::start().await;
    plain.set("/", ok(&bundle(1, &[svid_key("k")])));
    endpoint.origin.source = KeySource::Url { url: plain.url("/") };
    fails(endpoint.load().await, FetchResult::Url, "use https");
    assert_eq!(plain.connections(), 0);
}

#[tokio::test]
async fn a_bundle_introduces_the_next_authority_of_its_own_trust_domain() {
    let (old, new) = (Authority::new(), Authority::new());
    let (before, after) = (Server::start_tls(&old.sign(&[ID])).await, Server::start_tls(&new.sign(&[ID])).await);
    for server in [&before, &after] {
        server.set("/", ok(&bundle(1, &[svid_key("k"), x509(&old), x509(&new)])));
    }
    let folder = TempDir::new().unwrap();
    for (domain, good) in [("acme.test", true), ("acme.tes", false), ("other.test", false)] {
        let mut origin = spiffe(KeySource::Url { url: format!("https://idp.test:{}/", before.port()) });
        origin.format = KeyFormat::SpiffeBundle(TrustDomain::new(domain));
        origin.access.server = workload(ID);
        origin.access.ca_file = Some(file(&folder, "ca.pem", old.pem()));
        let (loader, mut memory) = (loader(Surroundings::default()), Memory::default());
        loader.load(&origin, Errand::Round, &mut memory).await.unwrap();
        origin.source = KeySource::Url { url: format!("https://idp.test:{}/", after.port()) };
        let rotated = loader.load(&origin, Errand::Round, &mut memory).await;
        assert_eq!(rotated.is_ok(), good, "{domain}: {:?}", rotated.err());
    }
}

#[tokio::test]
async fn a_ca_file_that_changes_is_read_again() {
    let (old, new) = (Authority::new(), Authority::new());
    let endpoint = Endpoint::start(&new.sign(&[ID]), &old, workload(ID)).await;
    fails(endpoint.load().await, FetchResult::Tls, "BadSignature");
    file(&endpoint.folder, "ca.pem", new.pem());
    assert!(endpoint.load().await.is_ok());
}
