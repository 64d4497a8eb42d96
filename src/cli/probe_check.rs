//! `check --probe`: are the keys of every issuer where the table says?

use std::fmt::Write as _;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::output::{diagnostic, escaped, result};
use super::{NO, TROUBLE, YES};
use crate::fetch::{self, Surroundings};
use crate::keys::{Access, KeyOrigin, KeyRing, KeyRules, KeySource};
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
            diagnostic(&format!("error: {error}"));
            return TROUBLE;
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
        Err(error) => return (format!("{head} FAILED: {error}\n"), NO),
    };
    let ring = KeyRing::build_for(Some(&wanted.issuer), Arc::clone(&set), &wanted.rules);
    let mut algorithms: Vec<_> = ring.keys().iter().map(|key| key.algorithm().as_str()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    let mut text = match ring.keys().len() {
        0 => format!("{head} FAILED: no published key may be used under signingAlgs and pin.keys\n"),
        count => {
            let age = keep.map(|keep| format!(", may be kept {} s", keep.as_secs())).unwrap_or_default();
            format!("{head} ok: {count} keys, {}{age}\n", algorithms.join(" "))
        }
    };
    for key in ring.quarantine() {
        let kid = key.kid.as_ref().map(|kid| format!("{:?}", kid.as_str())).unwrap_or_default();
        let _ = writeln!(text, "  published, but not pinned: {} {kid} {}", key.thumbprint, key.algorithm);
    }
    let published = |pin: &&_| !set.keys().iter().any(|key| key.thumbprint() == **pin);
    for pin in wanted.rules.pins.iter().flat_map(|pins| pins.iter()).filter(published) {
        let _ = writeln!(text, "  pinned, but not published: {pin}");
    }
    (text, if ring.keys().is_empty() { NO } else { YES })
}
