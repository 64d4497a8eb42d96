//! `jwks`: a key set, or the bundle of a trust domain, written into the table.

use std::sync::Arc;

use super::super::draft::{At, Jwks};
use super::super::{Code, Diagnostic};
use super::Bench;
use crate::keys::KeySet;
use crate::name::TrustDomain;

impl Bench<'_> {
    /// Reads the set; every key of it must be one that can be used.
    pub(super) fn key_set(
        &mut self,
        owner: &str,
        jwks: &At<Jwks>,
        domain: Option<&TrustDomain>,
    ) -> Option<Arc<KeySet>> {
        const HELP: &str = "write `jwks: {keys: [{kty: …}]}`, or the JSON of the set as a block of text (`jwks: |`)";
        let read = match domain {
            None => KeySet::parse(jwks.value.json.as_bytes()).map_err(|error| error.to_string()),
            Some(_) => bundle(&jwks.value.json),
        };
        let set = match read {
            Ok(set) => set,
            Err(error) => {
                self.hidden(jwks, format!("`jwks` of {owner} cannot be read"), &error, HELP);
                return None;
            }
        };
        for ignored in set.ignored() {
            let message = format!("`jwks` of {owner} holds a key that cannot be used");
            let help = "remove the key, or give its public half as the issuer publishes it";
            self.hidden(jwks, message, &ignored.to_string(), help);
        }
        if set.is_empty() && set.ignored().is_empty() {
            let (message, label, help) = match domain {
                None => (format!("`jwks` of {owner} holds no key"), "an empty set", HELP),
                Some(_) => (
                    format!("`jwks` of {owner} holds no key for JWT-SVIDs"),
                    "no key with `use: jwt-svid`",
                    "write the bundle as the trust domain publishes it: `spire-server bundle show -format spiffe`",
                ),
            };
            self.report(Code::CR002, &jwks.place, message, label, help);
        }
        Some(Arc::new(set))
    }

    /// What stands there may be a private key: the line is not shown.
    fn hidden(&mut self, jwks: &At<Jwks>, message: String, label: &str, help: &str) {
        let finding = Diagnostic::at(Code::CR002, &jwks.place, message).label(label).help(help);
        self.report.push(finding.hidden());
    }
}

/// The keys of a bundle that are for JWT-SVIDs (SPIFFE Trust Domain and Bundle §4.2.2).
fn bundle(json: &str) -> Result<KeySet, String> {
    // Whether it can be read in one way only is judged on the whole; what is taken from it cannot be read in another.
    KeySet::parse(json.as_bytes()).map_err(|error| error.to_string())?;
    let mut document: serde_json::Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if let Some(keys) = document.get_mut("keys").and_then(serde_json::Value::as_array_mut) {
        keys.retain(|key| key.get("use").and_then(serde_json::Value::as_str) == Some("jwt-svid"));
        for key in keys {
            key.as_object_mut().and_then(|members| members.remove("use"));
        }
    }
    KeySet::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())
}
