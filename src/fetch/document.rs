//! From the bytes of a key document to keys of which at least one can be used.

use super::discovery::not_json;
use super::error::FetchError;
use crate::keys::{FetchResult, KeyFormat, KeySet, KeySetError, SpiffeBundle};

/// Reads the document found at `place`. A JWK Set is a bundle that says nothing but its keys.
pub(super) fn read(format: &KeyFormat, place: &str, body: &[u8]) -> Result<SpiffeBundle, FetchError> {
    let bundle = match format {
        KeyFormat::JwkSet => KeySet::parse(body).map(|keys| SpiffeBundle { keys, ..SpiffeBundle::default() }),
        KeyFormat::SpiffeBundle(_) => SpiffeBundle::parse(body),
    };
    let bundle = bundle.map_err(|error| unreadable(place, body, &error))?;
    if bundle.keys.is_empty() {
        return Err(no_usable_keys(place, format, &bundle.keys));
    }
    Ok(bundle)
}

fn unreadable(place: &str, body: &[u8], error: &KeySetError) -> FetchError {
    match error {
        KeySetError::NotJson(error) => FetchError::new(FetchResult::NotJson, place, not_json(body, error)),
        KeySetError::TooLarge | KeySetError::TooManyKeys(_) => FetchError::new(FetchResult::TooLarge, place, error),
        KeySetError::NotAnObject(_) | KeySetError::NoKeys | KeySetError::Sequence => {
            FetchError::new(FetchResult::Malformed, place, error)
        }
    }
}

fn no_usable_keys(place: &str, format: &KeyFormat, set: &KeySet) -> FetchError {
    let told: Vec<String> = set.ignored().iter().take(3).map(ToString::to_string).collect();
    let what = match (set.ignored().len(), format) {
        (0, KeyFormat::JwkSet) => "the key set is empty".to_owned(),
        (0, KeyFormat::SpiffeBundle(domain)) => {
            format!("the bundle of {} has no key for jwt-svid", domain.as_str())
        }
        (1, _) => format!("its only key cannot be used: {}", told.join("; ")),
        (count, _) => format!("none of {count} keys can be used: {}", told.join("; ")),
    };
    FetchError::new(FetchResult::NoUsableKeys, place, what)
}
