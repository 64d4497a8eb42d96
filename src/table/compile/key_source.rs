//! Where an issuer's keys come from: at most one place, reached safely.

use std::path::{Path, PathBuf};

use super::super::draft::{At, IssuerDraft, KeysDraft};
use super::super::{Code, Place};
use super::Bench;
use super::url::{UrlFault, judge};
use crate::keys::{Access, KeyFormat, KeyOrigin, KeySource};
use crate::name::{Issuer, TrustDomain};
use crate::profile::{Identity, Profile};

/// Where the keys of an entry are, and how they are reached: what all its exact issuers share.
#[derive(Debug)]
pub(super) struct KeyPlan {
    place: KeyPlace,
    hosts: Vec<String>,
    format: KeyFormat,
    access: Access,
}

#[derive(Debug)]
enum KeyPlace {
    /// As it is written.
    Given(KeySource),
    /// In the discovery document at this URL.
    Document(String),
    /// In the discovery document that the `iss` leads to.
    Issuer,
}

impl Bench<'_> {
    /// What the entry says about its keys; `None` where something of it was refused.
    pub(super) fn key_plan(
        &mut self,
        owner: &str,
        draft: &IssuerDraft,
        profile: &Profile,
        domain: Option<&TrustDomain>,
    ) -> Option<KeyPlan> {
        let keys = &draft.keys;
        let mut sources = keys.sources();
        if let (Some((first, _)), Some((second, place))) = (sources.next(), sources.next()) {
            let message = format!("{owner} says twice where its keys come from");
            let help = format!("keep one of `{first}` and `{second}`");
            self.report(Code::CR002, place, message, format!("besides `{first}`"), help);
            return None;
        }
        self.only_with(owner, keys);
        self.of_profile(owner, keys, profile)?;
        let access = self.access(owner, keys, domain);
        let place = if let Some(url) = keys.discovery_url.given() {
            self.key_url(owner, url)?;
            KeyPlace::Document(url.value.clone())
        } else if let Some(url) = keys.jwks_uri.given().or(keys.spiffe_bundle_url.given()) {
            self.key_url(owner, url)?;
            KeyPlace::Given(KeySource::Url { url: url.value.clone() })
        } else if let Some(jwks) = keys.jwks.given() {
            KeyPlace::Given(KeySource::Inline(self.key_set(owner, jwks, domain)?))
        } else if let Some(file) = keys.jwks_file.given() {
            KeyPlace::Given(KeySource::File(beside(file)))
        } else if keys.in_cluster.given().is_some() {
            KeyPlace::Given(KeySource::InCluster)
        } else if keys.is_silent() {
            KeyPlace::Issuer
        } else {
            return None;
        };
        let known = profile.key_hosts.iter().map(|host| (*host).to_owned());
        let mut hosts: Vec<_> = keys.jwks_hosts.items().iter().map(|at| at.value.clone()).chain(known).collect();
        hosts.sort();
        hosts.dedup();
        let format = domain.map_or(KeyFormat::JwkSet, |domain| KeyFormat::SpiffeBundle(domain.clone()));
        Some(KeyPlan { place, hosts, format, access: access? })
    }

    /// Where the keys of one exact issuer are; `sound` says whether its `iss` is one that discovery could start from.
    pub(super) fn origin(
        &mut self,
        owner: &str,
        plan: &KeyPlan,
        profile: &Profile,
        iss: &str,
        place: &Place,
        sound: bool,
    ) -> Option<KeyOrigin> {
        let discovery = |url| KeySource::Discovery { issuer: Issuer::new(iss), url, hosts: plan.hosts.clone() };
        let source = match &plan.place {
            KeyPlace::Given(source) => source.clone(),
            KeyPlace::Document(url) => discovery(url.clone()),
            KeyPlace::Issuer if !sound => return None,
            KeyPlace::Issuer => {
                if let Err(why) = (profile.discovery)(iss) {
                    let help = if profile.in_cluster {
                        "say where they are: `jwksUri` with its `caFile` and `bearerTokenFile`, `kubernetes: inCluster`, `jwksFile` or `jwks`"
                    } else {
                        "say where they are: `spiffeBundleUrl`, `jwksFile` or `jwks`"
                    };
                    let message = format!("the keys of {owner} cannot be discovered from {iss:?}");
                    self.report(Code::CR103, place, message, why, help);
                    return None;
                }
                if judge(iss).is_err() {
                    let help =
                        "write the exact URL of the issuer, or where its keys are: `jwksUri`, `jwks` or `jwksFile`";
                    let message = format!("the `iss` of {owner} is no URL, so its keys cannot be discovered");
                    self.report(Code::CR103, place, message, "not a URL that begins with `https://`", help);
                    return None;
                }
                let base = iss.strip_suffix('/').unwrap_or(iss);
                discovery(format!("{base}/.well-known/openid-configuration"))
            }
        };
        Some(KeyOrigin { source, format: plan.format.clone(), access: plan.access.clone() })
    }

    /// Sources that are for one kind of issuer only.
    fn of_profile(&mut self, owner: &str, keys: &KeysDraft, profile: &Profile) -> Option<()> {
        let spiffe = matches!(profile.identity, Identity::TrustDomain);
        let (place, message, label, help) = if let Some(at) = keys.spiffe_bundle_url.given().filter(|_| !spiffe) {
            let message = format!("`spiffeBundleUrl` of {owner} is for trust domains");
            let help = "write `profile: spiffe` and `with: {trustDomain: …}`, or `jwksUri` for a JWK Set";
            (&at.place, message, format!("not for profile `{}`", profile.name), help)
        } else if let Some(at) = keys.discovery_url.given().or(keys.jwks_uri.given()).filter(|_| spiffe) {
            let message = format!("{owner} takes its keys from something else than a trust bundle");
            let help = "write `spiffeBundleUrl`, where each key says what it is for; tokens whose keys are found by OpenID Connect Discovery are of an ordinary issuer, by their `iss`";
            (&at.place, message, "keys for X.509 and for tokens look alike there".to_owned(), help)
        } else if let Some(at) = keys.in_cluster.given().filter(|_| !profile.in_cluster) {
            let message = format!("`kubernetes: inCluster` of {owner} is for Kubernetes clusters");
            let help = "write `profile: kubernetes` and the `issuer` of the cluster";
            (&at.place, message, format!("not for profile `{}`", profile.name), help)
        } else {
            return Some(());
        };
        self.report(Code::CR002, place, message, label, help);
        None
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
pub(super) fn beside(at: &At<String>) -> PathBuf {
    let directory = Path::new(&**at.place.file.name()).parent().unwrap_or(Path::new(""));
    directory.join(&at.value)
}
