//! What is known about an issuer's keys and their fetches, for `/metrics`, `/readyz` and people.

use std::sync::{Mutex, PoisonError};

use crate::clock::Time;

/// How one fetch ended: the `result` label of `credence_jwks_fetches_total`. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FetchResult {
    /// A set with at least one usable key.
    Ok,
    /// The name does not resolve.
    Dns,
    /// No connection, or it broke.
    Connect,
    /// The name or address is link-local, a metadata service, or no host.
    RefusedAddress,
    /// The peer's certificate is not believed.
    Tls,
    /// Not done in time.
    Timeout,
    /// A status other than 200, or a 304 that was not asked for.
    Status,
    /// A redirect, which is never followed.
    Redirect,
    /// A compressed answer, which was not asked for.
    ContentEncoding,
    /// More than 1 MiB.
    TooLarge,
    /// Not JSON, or JSON that can be read in more than one way.
    NotJson,
    /// JSON, but no discovery document or no JWK Set.
    Malformed,
    /// The discovery document is another issuer's.
    IssuerMismatch,
    /// The discovery document sends us to a host that is not listed.
    JwksHost,
    /// A set in which no key can be used.
    NoUsableKeys,
    /// A SPIFFE bundle older than the one already seen, by its `spiffe_sequence`.
    SequenceBackwards,
    /// The HTTP proxy in between is not reached, or lets nothing through.
    Proxy,
    /// The URL is not one that keys are fetched from.
    Url,
    /// A file (`jwksFile`, `caFile`, `bearerTokenFile`, …) that cannot be read or used.
    File,
    /// A fault of credence's own.
    Internal,
}

impl FetchResult {
    /// Every result.
    pub const ALL: [Self; 20] = [
        Self::Ok,
        Self::Dns,
        Self::Connect,
        Self::RefusedAddress,
        Self::Tls,
        Self::Timeout,
        Self::Status,
        Self::Redirect,
        Self::ContentEncoding,
        Self::TooLarge,
        Self::NotJson,
        Self::Malformed,
        Self::IssuerMismatch,
        Self::JwksHost,
        Self::NoUsableKeys,
        Self::SequenceBackwards,
        Self::Proxy,
        Self::Url,
        Self::File,
        Self::Internal,
    ];

    /// The stable label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::RefusedAddress => "refused_address",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::ContentEncoding => "content_encoding",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Malformed => "malformed",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::JwksHost => "jwks_host",
            Self::NoUsableKeys => "no_usable_keys",
            Self::SequenceBackwards => "sequence_backwards",
            Self::Proxy => "proxy",
            Self::Url => "url",
            Self::File => "file",
            Self::Internal => "internal",
        }
    }
}

/// The state of an issuer's keys at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Keys that verify.
    pub usable: usize,
    /// Published keys left out: not usable, or not under this issuer's rules.
    pub ignored: usize,
    /// Keys that would do, but are not pinned.
    pub not_pinned: usize,
    /// Whether they are fetched at all, and do not stand in the table.
    pub is_fetched: bool,
    /// When keys were last fetched with success.
    pub last_success: Option<Time>,
    /// How the last fetch ended; none before the first.
    pub last_result: Option<FetchResult>,
    /// What went wrong at the last fetch, if it failed; a sentence for people.
    pub last_error: Option<String>,
    /// When the next fetch is due; none for keys that are written in the table.
    pub next_refresh: Option<Time>,
    /// How many fetches ended how, without those that never did.
    pub fetches: Vec<(FetchResult, u64)>,
}

/// What the fetches of one source left behind. Written by `fetch`, read when scraped.
#[derive(Debug, Default)]
pub struct FetchLog(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    last_success: Option<Time>,
    last_result: Option<FetchResult>,
    last_error: Option<String>,
    next_refresh: Option<Time>,
    fetches: std::collections::BTreeMap<FetchResult, u64>,
}

impl FetchLog {
    /// A fetch ended well.
    pub fn succeeded(&self, at: Time) {
        self.write(|facts| {
            facts.last_success = Some(at);
            (facts.last_result, facts.last_error) = (Some(FetchResult::Ok), None);
            *facts.fetches.entry(FetchResult::Ok).or_default() += 1;
        });
    }

    /// A fetch failed; `sentence` says how, for people.
    pub fn failed(&self, result: FetchResult, sentence: String) {
        self.write(|facts| {
            (facts.last_result, facts.last_error) = (Some(result), Some(sentence));
            *facts.fetches.entry(result).or_default() += 1;
        });
    }

    /// When the next fetch is due.
    pub fn scheduled(&self, at: Time) {
        self.write(|facts| facts.next_refresh = Some(at));
    }

    /// Nobody needs the keys, so nothing is fetched and nothing is amiss.
    pub fn rested(&self) {
        self.write(|facts| (facts.last_result, facts.last_error, facts.next_refresh) = (None, None, None));
    }

    pub(super) fn status(&self, is_fetched: bool, usable: usize, ignored: usize, not_pinned: usize) -> Status {
        self.write(|facts| Status {
            usable,
            ignored,
            not_pinned,
            is_fetched,
            last_success: facts.last_success,
            last_result: facts.last_result,
            last_error: facts.last_error.clone(),
            next_refresh: facts.next_refresh,
            fetches: facts.fetches.iter().map(|(result, count)| (*result, *count)).collect(),
        })
    }

    fn write<T>(&self, with: impl FnOnce(&mut Facts) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
