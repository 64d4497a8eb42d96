//! `jwks`: a key set, or the bundle of a trust domain, written into the table.

use std::sync::Arc;

use super::super::draft::{At, Jwks};
use super::super::{Code, Diagnostic};
use super::Bench;
use crate::keys::{KeySet, SpiffeBundle};
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
            None => KeySet::parse(jwks.value.json.as_bytes()),
            Some(_) => SpiffeBundle::parse(jwks.value.json.as_bytes()).map(|bundle| bundle.keys),
        };
        let set = match read {
            Ok(set) => set,
            Err(error) => {
                self.hidden(jwks, format!("`jwks` of {owner} cannot be read"), &error.to_string(), HELP);
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
