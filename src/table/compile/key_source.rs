//! Where an issuer's keys come from: at most one place, reached safely.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::draft::{At, IssuerDraft};
use super::super::{Code, Place};
use super::Bench;
use super::url::{UrlFault, judge};
use crate::keys::{Access, KeyFormat, KeyOrigin, KeySource};
use crate::name::Issuer;

impl Bench<'_> {
    /// The source; `sound` says whether the `iss` is one that discovery could start from.
    pub(super) fn key_origin(
        &mut self,
        owner: &str,
        draft: &IssuerDraft,
        iss: &str,
        place: &Place,
        sound: bool,
    ) -> Option<KeyOrigin> {
        let written = [
            ("discoveryUrl", draft.discovery_url.given().map(|at| &at.place)),
            ("jwksUri", draft.jwks_uri.given().map(|at| &at.place)),
            ("jwks", draft.jwks.given().map(|at| &at.place)),
            ("jwksFile", draft.jwks_file.given().map(|at| &at.place)),
        ];
        let mut sources = written.iter().filter_map(|(name, place)| Some((name, (*place)?)));
        if let (Some((first, _)), Some((second, place))) = (sources.next(), sources.next()) {
            let message = format!("{owner} says twice where its keys come from");
            let help = format!("keep one of `{first}` and `{second}`");
            self.report(Code::CR002, place, message, format!("besides `{first}`"), help);
            return None;
        }
        let absent = draft.discovery_url.is_absent()
            && draft.jwks_uri.is_absent()
            && draft.jwks.is_absent()
            && draft.jwks_file.is_absent();
        self.only_with(owner, draft);
        let ca_file = draft.ca_file.given().map(beside);
        let source = if let Some(url) = draft.discovery_url.given() {
            self.key_url(owner, url)?;
            self.discovery(draft, iss, url.value.clone())
        } else if let Some(url) = draft.jwks_uri.given() {
            self.key_url(owner, url)?;
            KeySource::Url { url: url.value.clone() }
        } else if let Some(jwks) = draft.jwks.value() {
            KeySource::Inline(Arc::clone(&jwks.set))
        } else if let Some(file) = draft.jwks_file.given() {
            KeySource::File(beside(file))
        } else if absent && sound {
            if judge(iss).is_err() {
                let help = "write the exact URL of the issuer, or where its keys are: `jwksUri`, `jwks` or `jwksFile`";
                let message = format!("the `iss` of {owner} is no URL, so its keys cannot be discovered");
                self.report(Code::CR103, place, message, "not a URL that begins with `https://`", help);
                return None;
            }
            let base = iss.strip_suffix('/').unwrap_or(iss);
            self.discovery(draft, iss, format!("{base}/.well-known/openid-configuration"))
        } else {
            return None;
        };
        let access = Access { ca_file, ..Access::default() };
        Some(KeyOrigin { source, format: KeyFormat::JwkSet, access })
    }

    fn discovery(&self, draft: &IssuerDraft, iss: &str, url: String) -> KeySource {
        let mut hosts: Vec<_> = draft.jwks_hosts.items().iter().map(|at| at.value.clone()).collect();
        hosts.sort();
        hosts.dedup();
        KeySource::Discovery { issuer: Issuer::new(iss), url, hosts }
    }

    /// Fields that would say nothing beside the source that is written.
    fn only_with(&mut self, owner: &str, draft: &IssuerDraft) {
        let local = draft.jwks.given().is_some() || draft.jwks_file.given().is_some();
        let fetched = draft.jwks_uri.given().is_some() || local;
        let idle = [
            ("jwksHosts", draft.jwks_hosts.given().map(|at| &at.place).filter(|_| fetched), "keys are discovered"),
            ("caFile", draft.ca_file.given().map(|at| &at.place).filter(|_| local), "keys are fetched"),
        ];
        for (field, place, when) in idle {
            let Some(place) = place else { continue };
            let message = format!("`{field}` of {owner} has no effect");
            self.report(Code::CR002, place, message, format!("only used where {when}"), "remove it");
        }
    }

    /// A URL that keys or their whereabouts are fetched from (CR102 over plain `http:`).
    fn key_url(&mut self, owner: &str, url: &At<String>) -> Option<()> {
        let Err(fault) = judge(&url.value) else { return Some(()) };
        let help = "use `https:`, or give the keys themselves with `jwks` or `jwksFile`";
        let (code, message) = match fault {
            UrlFault::Plain => (Code::CR102, format!("the keys of {owner} would be fetched over plain `http:`")),
            _ => (Code::CR002, format!("{:?} is no URL to fetch keys from", url.value)),
        };
        self.report(code, &url.place, message, fault.as_str(), help);
        None
    }
}

/// A path as it stands in a file: relative ones begin beside that file.
fn beside(at: &At<String>) -> PathBuf {
    let directory = Path::new(&**at.place.file.name()).parent().unwrap_or(Path::new(""));
    directory.join(&at.value)
}
