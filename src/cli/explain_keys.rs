//! The keys that `explain` verifies with: brought along, or fetched from where the table says.

use std::sync::Arc;

use super::explain::Explain;
use super::output::{diagnostic, escaped};
use super::token::read;
use super::trust::Loaded;
use crate::credential::{Parts, Unverified};
use crate::fetch;
use crate::keys::KeyFormat;

/// A `--keys` file is read up to this many bytes.
const MAX_KEYS: u64 = 2 << 20;

/// Gets the keys of the token's issuer, from `--keys` or from where the table says. A failed fetch is told.
pub(super) fn bring_keys(explain: &Explain, loaded: &Loaded, token: Option<&str>) -> Result<(), String> {
    let Loaded { snapshot, origins, .. } = loaded;
    let mut parts = Parts::default();
    let unverified = token.and_then(|token| Unverified::read(token, &mut parts).ok());
    let claimed = unverified.as_ref().and_then(Unverified::claimed_issuer);
    let issuers: Vec<_> = claimed.into_iter().flat_map(|claimed| snapshot.issuers.named(claimed)).collect();
    if let Some(file) = &explain.keys {
        let text = read(file, MAX_KEYS)?;
        return match issuers.as_slice() {
            [] => Ok(()),
            [issuer] => {
                let format = origins.get(&(issuer.name.clone(), issuer.issuer.clone())).map(|origin| &origin.format);
                let set = format.unwrap_or(&KeyFormat::JwkSet).key_set(text.as_bytes());
                issuer.keys.publish(Arc::new(set.map_err(|error| format!("{}: {error}", file.display()))?));
                Ok(())
            }
            several => {
                let names = several.iter().map(|issuer| issuer.name.as_str()).collect::<Vec<_>>().join(", ");
                Err(format!("--keys: the token may be of issuers {names}, and only their own keys tell of which"))
            }
        };
    }
    let missing = issuers.into_iter().filter(|issuer| !issuer.keys.is_ready() && !explain.offline);
    let missing: Vec<_> = missing
        .filter_map(|issuer| Some((issuer, origins.get(&(issuer.name.clone(), issuer.issuer.clone()))?)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    for (issuer, origin) in missing {
        match runtime.block_on(fetch::once(origin, explain.trust.open.outside())) {
            Ok(set) => issuer.keys.publish(set),
            Err(error) => {
                let hint = "a server in this state answers `keys_unavailable`; `--keys FILE` brings keys along";
                diagnostic(&escaped(&format!(
                    "warning: the keys of issuer {} cannot be fetched ({hint}): {error}",
                    issuer.name
                )));
            }
        }
    }
    Ok(())
}
