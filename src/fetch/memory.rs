//! What is kept between the fetches of one source.

use std::time::Duration;

use super::cache::Validator;
use super::error::FetchError;
use super::file::Disk;
use super::url::KeyUrl;
use crate::keys::{FetchResult, SpiffeBundle};

/// What a fetch needs to know of the ones before: one for each source, changed by nobody but
/// [`Loader::load`](super::load::Loader::load), and only by its successes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Where discovery last said that the keys are.
    pub(super) keys_url: Option<KeyUrl>,
    /// What to ask with whether the last good document has changed, and the whole URL that it is of.
    validator: Option<(String, Validator)>,
    /// The last good bundle of a SPIFFE trust domain.
    pub(super) bundle: BundleMemory,
    /// Where its files are read.
    pub(super) disk: Disk,
    /// Whether the last fetch did not end in time.
    pub(super) was_late: bool,
}

/// What outlives a bundle.
#[derive(Debug, Default)]
pub(super) struct BundleMemory {
    sequence: Option<u64>,
    refresh_hint: Option<Duration>,
    authorities: Vec<Vec<u8>>,
}

impl Memory {
    /// What to ask `url` with.
    pub(super) fn validator(&self, url: &KeyUrl) -> Option<&Validator> {
        self.validator.as_ref().filter(|(known, _)| known == url.as_url().as_str()).map(|(_, validator)| validator)
    }

    /// Keeps the validator of a document that was good; one for another URL, or of the document before, goes.
    pub(super) fn remember(&mut self, url: &KeyUrl, validator: Option<Validator>) {
        self.validator = validator.map(|validator| (url.as_url().as_str().to_owned(), validator));
    }

    /// The next fetch asks for the whole document.
    pub(super) fn forget_validator(&mut self) {
        self.validator = None;
    }
}

impl BundleMemory {
    /// Whether a bundle of this sequence may follow the ones before: it never goes backwards (SPIFFE Trust Domain and
    /// Bundle §4.1.1), and one that does is an old bundle, with keys that may be revoked by now.
    pub(super) fn check(&self, place: &str, sequence: Option<u64>) -> Result<(), FetchError> {
        match (self.sequence, sequence) {
            (Some(known), Some(new)) if new < known => {
                let what = format!(
                    "the bundle's spiffe_sequence is {new}, but {known} has been seen: an old bundle is served, or its \
                     publisher has begun to count anew; in the second case restart credence"
                );
                Err(FetchError::new(FetchResult::SequenceBackwards, place, what))
            }
            (Some(known), None) => {
                let what = format!(
                    "the bundle has no spiffe_sequence, but {known} has been seen, so nobody knows how old it is; if \
                     its publisher has stopped counting, restart credence"
                );
                Err(FetchError::new(FetchResult::SequenceBackwards, place, what))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what a good bundle says.
    pub(super) fn remember(&mut self, bundle: SpiffeBundle) {
        self.sequence = bundle.sequence.max(self.sequence);
        self.refresh_hint = bundle.refresh_hint;
        self.authorities = bundle.authorities;
    }

    /// When the publisher wants to be asked again.
    pub(super) const fn refresh_hint(&self) -> Option<Duration> {
        self.refresh_hint
    }

    /// The X.509 authorities of the last good bundle, DER.
    pub(super) fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }
}
