//! `issuer probe`: what was found, and what follows from it.

use crate::fetch::Probe;
use crate::keys::{Jwk, KeyRing, KeyRules};
use crate::name::{Algorithm, Issuer, NonEmpty, Thumbprint};
use crate::profile::{KnownIssuer, Profile, Tenancy, known_issuer};

use super::probe_check::named_twice;
use super::probe_stanza::in_order;

/// A clock that is further off than this is told of, in seconds: the `clockSkew` of an entry that does not say.
const SKEW: f64 = 30.0;
/// A certificate with less time left is told of, in days.
const DAYS: f64 = 14.0;
/// The path of an issuer's discovery document.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// What follows from what was found.
pub(super) struct Findings<'a> {
    /// The exact `issuer`, where something says it.
    pub(super) issuer: Option<&'a str>,
    /// How that differs from what was typed.
    pub(super) differs: Option<String>,
    /// Whether it is another issuer than was typed, and not only spelt in another way.
    pub(super) mismatch: bool,
    /// Who runs it, where that is known.
    pub(super) known: Option<KnownIssuer>,
    /// What it looks like, whether or not this version has a profile for it.
    pub(super) kind: Option<&'static str>,
    /// The profile that the entry needs.
    pub(super) profile: Option<&'static Profile>,
    pub(super) tenancy: Tenancy,
    pub(super) is_cluster: bool,
    /// Its `iss` is the one that every cluster has by default.
    pub(super) default_cluster_name: bool,
    /// Where the keys of a cluster were found, other than where it says.
    pub(super) keys_elsewhere: Option<&'a str>,
    /// The algorithms that the usable keys are for.
    pub(super) algorithms: Vec<Algorithm>,
    /// Names and thumbprints of the keys that the entry would use.
    pub(super) thumbprints: Vec<(String, Thumbprint)>,
    /// What somebody should look at, one sentence each. Texts of strangers in it are escaped.
    pub(super) warnings: Vec<String>,
}

impl<'a> Findings<'a> {
    pub(super) fn of(typed: &str, probe: &'a Probe) -> Self {
        let issuer = probe.document.as_ref().map(|document| document.issuer.as_str());
        let known = issuer.and_then(known_issuer);
        let mut found = Self {
            issuer,
            differs: None,
            mismatch: false,
            known,
            kind: None,
            profile: None,
            tenancy: Tenancy::Private,
            is_cluster: false,
            default_cluster_name: known.is_some_and(|known| known.profile == Some("kubernetes")),
            keys_elsewhere: None,
            algorithms: Vec::new(),
            thumbprints: Vec::new(),
            warnings: Vec::new(),
        };
        found.kind(probe);
        found.place(typed, probe);
        found.keys(probe);
        found.surroundings(probe);
        found
    }

    /// Whether the keys that were found would serve.
    pub(super) fn is_good(&self, probe: &Probe) -> bool {
        probe.error.is_none() && !self.mismatch && !self.thumbprints.is_empty()
    }

    /// What kind of issuer it looks like.
    fn kind(&mut self, probe: &Probe) {
        let path = |part: &str| self.issuer.is_some_and(|issuer| issuer.contains(part));
        let is_bundle = probe.published.as_ref().is_some_and(|published| published.bundle.is_some());
        let says_cluster = probe.document.as_ref().is_some_and(|document| document.is_cluster);
        let known = self.known.and_then(|known| known.profile);
        self.kind = match known {
            _ if is_bundle => Some("spiffe"),
            Some(profile) => Some(profile),
            None if says_cluster => Some("kubernetes"),
            None if path("/realms/") => Some("keycloak"),
            None => None,
        };
        self.is_cluster = self.kind == Some("kubernetes");
        let Some(kind) = self.kind else {
            return self.tenancy = self.known.map_or(Tenancy::Private, |known| known.tenancy);
        };
        self.profile = Profile::find(kind);
        if let Some(known) = self.known {
            self.tenancy = known.tenancy;
        }
        let Some(profile) = self.profile else {
            return self.warnings.push(format!(
                "this version has no profile {kind} yet: the entry does not name it, and may not load without it"
            ));
        };
        match self.issuer.map(profile.issuer) {
            Some(Ok(Tenancy::Shared)) => self.tenancy = Tenancy::Shared,
            Some(Err(_)) if known.is_none() => (self.kind, self.profile) = (None, None),
            Some(Err(form)) => self.warnings.push(format!("the entry will not load (CR103): {form}")),
            Some(Ok(Tenancy::Private)) | None => {}
        }
    }

    /// Whether it is where it was looked for.
    fn place(&mut self, typed: &str, probe: &'a Probe) {
        let Some(document) = &probe.document else { return };
        let asked = typed.strip_suffix(DISCOVERY).unwrap_or(typed);
        let asked_for_issuer = asked.len() < typed.len() || document.url.ends_with(DISCOVERY);
        if asked_for_issuer
            && asked != document.issuer
            && !(asked.len() < typed.len() && is_slash(asked, &document.issuer))
        {
            let (how, harmless) = difference(asked, &document.issuer);
            self.mismatch = !harmless && !self.is_cluster;
            self.differs = Some(how);
        }
        let keys = probe.published.as_ref().map(|published| published.url.as_str());
        let elsewhere = keys.filter(|keys| *keys != document.jwks_uri && self.is_cluster);
        let unreachable_by_name = self.is_cluster && document.url != document.by_issuer;
        self.keys_elsewhere = elsewhere.or(keys.filter(|_| unreachable_by_name));
        if elsewhere.is_some() {
            self.warnings.push(format!(
                "its jwks_uri \"{}\" holds within the cluster; the entry names the key set where it was found, by `jwksUri`",
                quiet(&document.jwks_uri)
            ));
        }
    }

    fn keys(&mut self, probe: &Probe) {
        let Some(published) = &probe.published else { return };
        let issuer = self.issuer.map(Issuer::new);
        let hints: Vec<Algorithm> = probe.document.iter().flat_map(hinted).collect();
        let default = self.profile.unwrap_or(Profile::generic()).algorithms;
        let keys = || published.set.keys().iter();
        let algorithms = in_order(keys().filter_map(|key| algorithm(key, &hints, default)).collect());
        let Some(allowed) = NonEmpty::new(algorithms) else { return };
        let rules = KeyRules { algorithms: allowed, pins: None, max_stale: None };
        let ring = KeyRing::build_for(issuer.as_ref(), published.set.clone(), &rules);
        let doubled = ring.ambiguous();
        self.warnings.extend(doubled.iter().map(|kid| named_twice(kid.as_str())));
        let serves = |key: &&Jwk| key.kid().is_none_or(|kid| !doubled.contains(kid));
        self.algorithms = in_order(keys().filter(serves).filter_map(|key| algorithm(key, &hints, default)).collect());
        let usable: Vec<_> = ring.keys().iter().map(|key| key.thumbprint()).collect();
        for key in &published.keys {
            let Some(jwk) = key.judged.as_ref().ok().filter(serves) else { continue };
            if usable.contains(&jwk.thumbprint()) {
                self.thumbprints.push((key.name(), jwk.thumbprint()));
            } else if let Some(named) = jwk.issuer() {
                self.warnings.push(format!("key {} is for the issuer \"{}\" only", key.name(), quiet(named)));
            }
        }
    }

    /// Clocks and certificates.
    fn surroundings(&mut self, probe: &Probe) {
        for exchange in &probe.exchanges {
            if let Some(difference) = exchange.clock_difference.filter(|difference| difference.abs() > SKEW) {
                let (seconds, side) = (difference.abs(), if difference > 0.0 { "ahead of" } else { "behind" });
                self.warnings.push(format!(
                    "the clock of {} is {seconds} s {side} ours, more than the `clockSkew` of 30 s: set the wrong one right",
                    exchange.place
                ));
            }
            if let Some((certificate, days)) = exchange.certificate_left().filter(|(_, days)| *days < DAYS) {
                self.warnings.push(format!(
                    "the certificate of {} ends in {days:.0} days, on {}",
                    exchange.place, certificate.not_after
                ));
            }
        }
        self.warnings.sort();
        self.warnings.dedup();
    }
}

/// The algorithm that a key is for: its own, else what the document hints at, else the first default that fits.
fn algorithm(key: &Jwk, hints: &[Algorithm], default: &[Algorithm]) -> Option<Algorithm> {
    let fitting = |algorithms: &[Algorithm]| algorithms.iter().copied().find(|algorithm| key.fits(*algorithm));
    key.algorithm().or_else(|| fitting(hints)).or_else(|| fitting(default)).or_else(|| fitting(&Algorithm::ALL))
}

fn hinted(document: &crate::fetch::Document) -> impl Iterator<Item = Algorithm> {
    document.algorithms.iter().filter_map(|name| Algorithm::parse(name))
}

fn is_slash(one: &str, other: &str) -> bool {
    one.strip_suffix('/').unwrap_or(one) == other.strip_suffix('/').unwrap_or(other)
}

/// A stranger's text, escaped and cut, on one line.
pub(super) fn quiet(text: &str) -> String {
    text.chars().take(500).collect::<String>().escape_debug().to_string()
}

/// In what two issuers differ, and whether they are but two spellings of one place.
fn difference(typed: &str, found: &str) -> (String, bool) {
    if is_slash(typed, found) {
        let which = if found.ends_with('/') { "it ends in a slash" } else { "it has no slash at the end" };
        return (which.to_owned(), true);
    }
    let (a, b) = (Parts::of(typed), Parts::of(found));
    let mut parts = Vec::new();
    if a.scheme != b.scheme {
        parts.push("the scheme");
    }
    let same_host = a.host.eq_ignore_ascii_case(b.host);
    if a.host != b.host {
        parts.push(if same_host { "the case of the host" } else { "the host" });
    }
    if a.port != b.port {
        parts.push("the port");
    }
    if !is_slash(a.path, b.path) {
        let case = a.path.eq_ignore_ascii_case(b.path);
        parts.push(if case { "the case of the path" } else { "the path" });
    } else if a.path != b.path {
        parts.push("the slash at the end");
    }
    let one_place = a.scheme == b.scheme && same_host && a.port() == b.port() && is_slash(a.path, b.path);
    let what = if parts.is_empty() {
        "it is spelt in another way".to_owned()
    } else {
        format!("what differs is {}", parts.join(" and "))
    };
    (what, one_place)
}

/// What a URL is made of.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
        match authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
            Some((host, port)) => Self { scheme, host, port: Some(port), path },
            None => Self { scheme, host: authority, port: None, path },
        }
    }

    /// The port, also where it goes without saying.
    fn port(&self) -> &'a str {
        self.port.unwrap_or(if self.scheme == "http" { "80" } else { "443" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_differ_in_spelling_or_in_place() {
        for (typed, found, word, harmless) in [
            ("https://idp.test/r", "https://idp.test/r/", "ends in a slash", true),
            ("https://idp.test/", "https://idp.test", "no slash", true),
            ("https://IDP.test/r", "https://idp.test/r", "case of the host", true),
            ("https://idp.test:443/r", "https://idp.test/r", "the port", true),
            ("https://idp.test:8443/r", "https://idp.test/r", "the port", false),
            ("https://idp.test/r", "https://evil.test/r", "the host", false),
            ("https://idp.test/r", "http://idp.test/r", "the scheme", false),
            ("https://idp.test/r", "https://idp.test/R", "case of the path", false),
            ("https://[::1]:1/r", "https://[::1]:2/r", "the port", false),
            ("https://idp.test/r", "", "the scheme", false),
        ] {
            let (how, one_place) = difference(typed, found);
            assert!(how.contains(word), "{typed} {found}: {how}");
            assert_eq!(one_place, harmless, "{typed} {found}: {how}");
        }
    }
}
