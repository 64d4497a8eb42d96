//! `check --probe`: are the keys of every issuer where the table says?

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::output::{escaped, result, trouble, value};
use super::probe_report::quiet;
use super::{NO, YES};
use crate::fetch::{self, Surroundings};
use crate::keys::{Access, Jwk, KeyOrigin, KeyRing, KeyRules, KeySet, KeySource};
use crate::name::{Issuer, IssuerName};
use crate::table::KeyNeed;

/// Fetches at once.
const AT_ONCE: usize = 16;

/// One issuer whose keys are to be fetched.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    name: IssuerName,
    issuer: Issuer,
    origin: KeyOrigin,
    rules: KeyRules,
}

impl Wanted {
    pub(super) fn new(need: &KeyNeed<'_>) -> Self {
        Self {
            name: need.name.clone(),
            issuer: need.issuer.clone(),
            origin: need.origin.clone(),
            rules: need.rules.clone(),
        }
    }

    /// What of the operator's would be sent along, by the field that says so.
    fn credential(&self) -> Option<&'static str> {
        let Access { bearer_token_file, client_certificate, .. } = &self.origin.access;
        match (&self.origin.source, bearer_token_file, client_certificate) {
            (KeySource::InCluster, ..) => Some("kubernetes: inCluster"),
            (_, Some(_), _) => Some("bearerTokenFile"),
            (_, _, Some(_)) => Some("clientCertFile"),
            (_, None, None) => None,
        }
    }
}

/// Fetches the keys of each issuer once and prints a paragraph about each. Credentials are sent only if
/// `with_credentials`: where a table is checked, whoever wrote it could else have them sent anywhere.
pub(super) fn probe_all(wanted: Vec<Wanted>, with_credentials: bool, surroundings: &Surroundings) -> u8 {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return trouble(error);
        }
    };
    let told = runtime.block_on(ask_all(wanted, with_credentials, surroundings));
    for (text, _) in &told {
        result(&escaped(text));
    }
    told.iter().map(|(_, code)| *code).max().unwrap_or(YES)
}

/// What is told of each, in the order asked, with its exit code.
async fn ask_all(wanted: Vec<Wanted>, with_credentials: bool, surroundings: &Surroundings) -> Vec<(String, u8)> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    for (index, wanted) in wanted.into_iter().enumerate() {
        let (room, surroundings) = (Arc::clone(&room), surroundings.clone());
        asked.spawn(async move {
            let _room = room.acquire().await;
            (index, ask(&wanted, with_credentials, surroundings).await)
        });
    }
    let mut told = asked.join_all().await;
    told.sort_by_key(|(index, _)| *index);
    told.into_iter().map(|(_, told)| told).collect()
}

async fn ask(wanted: &Wanted, with_credentials: bool, surroundings: Surroundings) -> (String, u8) {
    let head = format!("issuer {} ({}):", wanted.name, wanted.issuer.as_str().escape_debug());
    if let Some(field) = wanted.credential().filter(|_| !with_credentials) {
        let why = "and sends no credential without --with-credentials";
        return (format!("{head} skipped: it needs {field}, {why}\n"), YES);
    }
    let (set, keep) = match fetch::once_and_keep(&wanted.origin, surroundings).await {
        Ok(fetched) => fetched,
        Err(error) => return (format!("{head} FAILED: {}\n", value(error)), NO),
    };
    let ring = KeyRing::build_for(Some(&wanted.issuer), Arc::clone(&set), &wanted.rules);
    let mut algorithms: Vec<_> = ring.usable().map(|key| key.algorithm().as_str()).collect();
    let count = algorithms.len();
    algorithms.sort_unstable();
    algorithms.dedup();
    let algorithms = algorithms.join(" ");
    let (outcome, code) = match ring.ambiguous().first() {
        Some(kid) => (format!("FAILED: {}; {count} other keys can be used", named_twice(kid.as_str())), NO),
        None if count == 0 => (format!("FAILED: {}", unusable(&set, &ring, wanted)), NO),
        None => {
            let age = keep.map(|keep| format!(", may be kept {} s", keep.as_secs())).unwrap_or_default();
            (format!("ok: {count} keys, {algorithms}{age}"), YES)
        }
    };
    let mut text = format!("{head} {}\n", value(outcome));
    for key in ring.quarantine() {
        let kid = key.kid.as_ref().map(|kid| format!("{:?}", kid.as_str())).unwrap_or_default();
        let _ = writeln!(text, "  published, but not pinned: {} {kid} {}", key.thumbprint, key.algorithm);
    }
    let published = |pin: &&_| !set.keys().iter().any(|key| key.thumbprint() == **pin);
    for pin in wanted.rules.pins.iter().flat_map(|pins| pins.iter()).filter(published) {
        let _ = writeln!(text, "  pinned, but not published: {pin}");
    }
    (text, code)
}

/// Why no published key may be used.
fn unusable(set: &KeySet, ring: &KeyRing, wanted: &Wanted) -> String {
    if !ring.quarantine().is_empty() {
        return "no published key that signingAlgs allow is pinned (pin.keys)".to_owned();
    }
    let fits = |key: &&Jwk| wanted.rules.algorithms.iter().any(|algorithm| key.fits(*algorithm));
    let mut fitting = set.keys().iter().filter(fits).peekable();
    if fitting.peek().is_some() && fitting.all(|key| key.issuer().is_some()) {
        return "every published key that signingAlgs allow says that it is for another issuer".to_owned();
    }
    let told = |key: &Jwk| key.algorithm().map_or_else(|| key.shape(), |algorithm| algorithm.as_str().to_owned());
    let published: BTreeSet<_> = set.keys().iter().map(told).collect();
    let allowed: Vec<_> = wanted.rules.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    format!(
        "the published keys are for {}, and signingAlgs allow {}",
        published.into_iter().collect::<Vec<_>>().join(" "),
        allowed.join(" ")
    )
}

/// What is wrong with such a name, which is a stranger's text.
pub(super) fn named_twice(kid: &str) -> String {
    format!("two keys are named \"{}\": such a name finds neither", quiet(kid))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::keys::ClientCertificate;
    use crate::keys::testing::{RSA, Signer, document, with};
    use crate::name::{Algorithm, NonEmpty, Thumbprint};

    fn wanted(source: KeySource, access: Access) -> Wanted {
        Wanted {
            name: IssuerName::new("closed"),
            issuer: Issuer::new("https://idp.test"),
            origin: KeyOrigin { access, ..KeyOrigin::plain(source) },
            rules: KeyRules { algorithms: NonEmpty::of(Algorithm::RS256), pins: None, max_stale: None },
        }
    }

    /// Answers the next request with a key set, and returns what was sent.
    fn one_answer(listener: TcpListener) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let body = document(&[RSA[0].named("a")]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        })
    }

    #[tokio::test]
    async fn no_credential_is_sent_unless_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "s3cret\n").unwrap();
        let access = Access { bearer_token_file: Some(token.clone()), ..Access::default() };
        let closed = wanted(KeySource::Url { url }, access);
        let mut surroundings = Surroundings::default();
        surroundings.secrets_dir.replace(dir.path().to_owned());

        let (told, code) = ask(&closed, false, surroundings.clone()).await;
        assert!(code == YES && told.contains("skipped: it needs bearerTokenFile"), "{told}");
        // The first connection there ever was is the one that was asked for.
        let answer = one_answer(listener);
        let (told, code) = ask(&closed, true, surroundings).await;
        assert!(code == YES && told.contains("ok: 1 keys, RS256") && !told.contains("s3cret"), "{told}");
        assert!(answer.join().unwrap().contains("authorization: Bearer s3cret"));
    }

    #[test]
    fn what_may_not_be_used_is_told_with_the_reason() {
        let told = |keys: &[serde_json::Value], rules: KeyRules| {
            let set = Arc::new(KeySet::parse(document(keys).as_bytes()).unwrap());
            let mut wanted = wanted(KeySource::InCluster, Access::default());
            wanted.rules = rules;
            let ring = KeyRing::build_for(Some(&wanted.issuer), Arc::clone(&set), &wanted.rules);
            unusable(&set, &ring, &wanted)
        };
        let rules = |pins| KeyRules { algorithms: NonEmpty::of(Algorithm::RS256), pins, max_stale: None };
        let one = serde_json::json!({"alg": "PS512"});
        let other = [with(RSA[0].named("a"), one), Signer::ec("P-256").named("b")];
        assert_eq!(told(&other, rules(None)), "the published keys are for EC P-256 PS512, and signingAlgs allow RS256");
        let pinned = rules(Some(NonEmpty::of(Thumbprint::new([7; 32]))));
        assert!(told(&[RSA[0].named("a")], pinned).contains("pinned"));
        let foreign = with(RSA[0].named("a"), serde_json::json!({"issuer": "https://other.test"}));
        assert!(told(&[foreign], rules(None)).contains("another issuer"));
    }

    #[tokio::test]
    async fn a_client_certificate_and_a_service_account_are_credentials_too() {
        let files = ClientCertificate { certificate: "c.pem".into(), key: "k.pem".into() };
        let shown = Access { client_certificate: Some(files), ..Access::default() };
        let url = KeySource::Url { url: "https://127.0.0.1:1/keys".to_owned() };
        for wanted in [wanted(url, shown), wanted(KeySource::InCluster, Access::default())] {
            let (told, code) = ask(&wanted, false, Surroundings::default()).await;
            assert!(code == YES && told.contains("skipped"), "{told}");
            let (told, code) = ask(&wanted, true, Surroundings::default()).await;
            assert!(code == NO && told.contains("FAILED"), "{told}");
        }
    }
}
