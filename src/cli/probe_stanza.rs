//! `issuer probe`: the entry for the table, as far as a look from outside can write it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::output::escaped;
use super::probe_report::{Findings, quiet};
use crate::advice::{PLACEHOLDER, entry_name, quoted};
use crate::claims::MAX_ID;
use crate::clock::Time;
use crate::fetch::Probe;
use crate::keys::{Access, ServerIdentity};
use crate::name::{Algorithm, is_forbidden_character};
use crate::profile::{Profile, Tenancy};

/// An entry under `issuers:`.
pub(super) struct Stanza {
    /// YAML, beginning with `issuers:`.
    pub(super) yaml: String,
    /// What is still to be filled in, one line each.
    pub(super) missing: Vec<String>,
}

/// Writes the entry; the error says why no table can hold one.
pub(super) fn stanza(
    probe: &Probe,
    findings: &Findings<'_>,
    access: &Access,
    now: Time,
) -> Result<Option<Stanza>, String> {
    let Some(published) = probe.published.as_ref().filter(|published| !published.set.is_empty()) else {
        return Ok(None);
    };
    findings.issuer.map_or(Ok(()), writable)?;
    let mut out = Writer::default();
    out.field("profile", &findings.profile.filter(|profile| profile.name != "generic").map(|profile| profile.name));
    match &published.bundle {
        Some(bundle) => {
            let domain = bundle.trust_domain.as_deref().filter(|domain| !domain.chars().any(is_forbidden_character));
            if domain.is_none() {
                out.missing.push(format!("with.trustDomain ({PLACEHOLDER}): the bundle does not tell its own name"));
            }
            out.line(&format!("with: {{trustDomain: {}}}", quoted(domain.unwrap_or(PLACEHOLDER))));
            out.text("spiffeBundleUrl", &published.url);
        }
        None => issuer_and_keys(&mut out, probe, findings),
    }
    how(&mut out, access, published.bundle.is_some());
    if let Some(algorithms) = narrower(findings) {
        out.line(&format!("signingAlgs: [{}]", algorithms.join(", ")));
    }
    pins(&mut out, findings);
    out.line(&format!("owner: {}", quoted(&format!("somebody@{PLACEHOLDER}"))));
    out.missing.push("owner: whom to call when this issuer fails or has to be distrusted".to_owned());
    let review = now.after(Duration::from_secs(365 * 24 * 3600)).to_string();
    out.line(&format!("reviewBy: {}", review.get(..10).unwrap_or_default()));
    let yaml = format!("issuers:\n  {}:\n{}", name_of(findings.issuer.unwrap_or(&published.url)), out.yaml);
    Ok(Some(Stanza { yaml: escaped(&yaml), missing: out.missing }))
}

/// Whether a table can hold this issuer.
fn writable(issuer: &str) -> Result<(), String> {
    if issuer.len() > MAX_ID {
        return Err(format!("the issuer has {} bytes: no table can hold more than {MAX_ID}", issuer.len()));
    }
    if issuer.chars().any(is_forbidden_character) {
        let told = quiet(issuer);
        return Err(format!("no table can hold the issuer \"{told}\": it has characters that move or hide text"));
    }
    if issuer.contains(['{', '}']) {
        return Err("the issuer is a template for many tenants: probe the issuer of one tenant".to_owned());
    }
    Ok(())
}

/// Whose keys, and where they are.
fn issuer_and_keys(out: &mut Writer, probe: &Probe, findings: &Findings<'_>) {
    let Some(document) = &probe.document else {
        let url = probe.published.as_ref().map(|published| published.url.as_str()).unwrap_or_default();
        out.text("issuer", &format!("https://{PLACEHOLDER}"));
        out.missing.push("issuer: a key set does not tell whose it is; write the exact `iss` of its tokens".to_owned());
        return out.text("jwksUri", url);
    };
    out.text("issuer", &document.issuer);
    if findings.is_cluster && findings.default_cluster_name {
        out.line("# Every cluster has this `iss` by default. For a second one, give both entries a `realm: NAME`.");
    }
    match findings.keys_elsewhere {
        Some(url) => out.text("jwksUri", url),
        None => {
            if document.url != document.by_issuer {
                out.text("discoveryUrl", &document.url);
            }
            if let Some(host) = &document.other_host {
                out.line(&format!("jwksHosts: [{}]", quoted(host)));
            }
        }
    }
}

/// How they are reached.
fn how(out: &mut Writer, access: &Access, is_bundle: bool) {
    let whole = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
    if let Some(path) = &access.ca_file {
        out.text("caFile", &whole(path));
    }
    match &access.server {
        ServerIdentity::Spiffe(id) if is_bundle => out.text("spiffeEndpointId", id),
        ServerIdentity::Spiffe(_) => out.missing.push(
            "this server proves a SPIFFE ID, which a table believes of SPIFFE bundles only: ask by a host name that its \
             certificate holds"
                .to_owned(),
        ),
        ServerIdentity::Host | ServerIdentity::HostOr(_) => {}
    }
    if let Some(path) = &access.bearer_token_file {
        out.text("bearerTokenFile", &whole(path));
    }
    if let Some(files) = &access.client_certificate {
        out.text("clientCertFile", &whole(&files.certificate));
        out.text("clientKeyFile", &whole(&files.key));
    }
    if let Some(proxy) = &access.proxy {
        out.text("proxy", proxy);
    }
}

/// The algorithms of the published keys, where they are not what the profile has by default.
fn narrower(findings: &Findings<'_>) -> Option<Vec<&'static str>> {
    let default = findings.profile.unwrap_or(Profile::generic()).algorithms;
    let same =
        default.len() == findings.algorithms.len() && default.iter().all(|one| findings.algorithms.contains(one));
    (!same && !findings.algorithms.is_empty()).then(|| findings.algorithms.iter().map(|one| one.as_str()).collect())
}

/// `pin`: the tenant, where it must be, and the keys as a proposal.
fn pins(out: &mut Writer, findings: &Findings<'_>) {
    let tenant = findings.profile.filter(|_| findings.tenancy == Tenancy::Shared);
    let claim = tenant.and_then(|profile| Some((profile.tenant_ids.first()?, profile.tenant_hint)));
    let comment = match claim {
        Some((claim, hint)) => {
            out.line("pin:");
            out.line(&format!("  claims: {{{claim}: {}}}", quoted(PLACEHOLDER)));
            out.missing.push(format!("pin.claims.{claim}: your tenant's value; {hint}"));
            "#"
        }
        None if findings.tenancy == Tenancy::Shared => {
            out.line(
                "# It signs for many customers and no claim tells them apart: every grant must name its `subject`s.",
            );
            "# pin:\n    #"
        }
        None => "# pin:\n    #",
    };
    out.line("# To believe these keys only; pin the next key too, or the next rotation is an outage (CR310):");
    out.line(&format!("{comment}   keys:"));
    for (name, thumbprint) in &findings.thumbprints {
        out.line(&format!("#     - {thumbprint}  # {name}"));
    }
}

/// A name for the entry, made of the host.
fn name_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    entry_name(rest.split(['/', ':', '?']).next().unwrap_or_default(), "new-issuer")
}

/// The algorithms that keys of this kind are bound to, in the order of preference of `signingAlgs`.
pub(super) fn in_order(mut algorithms: Vec<Algorithm>) -> Vec<Algorithm> {
    algorithms.sort_by_key(|algorithm| Algorithm::ALL.iter().position(|known| known == algorithm));
    algorithms.dedup();
    algorithms
}

/// The lines of one entry.
#[derive(Default)]
struct Writer {
    yaml: String,
    missing: Vec<String>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.yaml, "    {line}");
    }

    fn text(&mut self, field: &str, value: &str) {
        self.line(&format!("{field}: {}", quoted(value)));
    }

    fn field(&mut self, field: &str, value: &Option<&str>) {
        if let Some(value) = value {
            self.line(&format!("{field}: {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Document, Published};
    use crate::keys::KeySet;
    use crate::keys::testing::{RSA, document};

    /// What would be found at an issuer with one RSA key.
    fn found(issuer: &str, hints: &[&str]) -> Probe {
        let set = KeySet::parse(document(&[RSA[0].named("a")]).as_bytes()).unwrap();
        let key = crate::fetch::PublishedKey {
            kid: Some("a".to_owned()),
            shape: "RSA 2048".to_owned(),
            algorithm: None,
            usage: None,
            judged: Ok(set.keys()[0].clone()),
        };
        let by_issuer = format!("{issuer}/.well-known/openid-configuration");
        let document = Document {
            url: by_issuer.clone(),
            by_issuer,
            issuer: issuer.to_owned(),
            jwks_uri: format!("{issuer}/keys"),
            other_host: None,
            algorithms: hints.iter().map(ToString::to_string).collect(),
            is_cluster: false,
        };
        let published = Published { url: format!("{issuer}/keys"), set: set.into(), keys: vec![key], bundle: None };
        Probe { document: Some(document), published: Some(published), ..Probe::default() }
    }

    fn written(issuer: &str, hints: &[&str]) -> Result<Stanza, String> {
        let probe = found(issuer, hints);
        let now = Time::from_rfc3339("2026-11-22T12:00:00Z").unwrap();
        stanza(&probe, &Findings::of(issuer, &probe), &Access::default(), now).map(Option::unwrap)
    }

    #[test]
    fn a_shared_issuer_gets_a_pin_that_nobody_fits_until_it_is_filled_in() {
        let stanza = written("https://token.actions.githubusercontent.com", &[]).unwrap();
        let expected = format!(
            r#"issuers:
  token-actions-githubusercontent-com:
    profile: github-actions
    issuer: "https://token.actions.githubusercontent.com"
    pin:
      claims: {{repository_owner_id: "replace-me.invalid"}}
    # To believe these keys only; pin the next key too, or the next rotation is an outage (CR310):
    #   keys:
    #     - {}  # "a"
    owner: "somebody@replace-me.invalid"
    reviewBy: 2027-11-22
"#,
            KeySet::parse(document(&[RSA[0].jwk()]).as_bytes()).unwrap().keys()[0].thumbprint()
        );
        assert_eq!(stanza.yaml, expected);
        assert!(stanza.missing[0].contains("gh api users"), "{:?}", stanza.missing);
        let stanza = written("https://oidc.fly.io/acme", &[]).unwrap();
        assert!(stanza.yaml.contains("every grant must name its `subject`s"), "{}", stanza.yaml);
    }

    #[test]
    fn the_keys_decide_and_the_document_only_hints() {
        for (hints, algorithms) in [(&["PS256"][..], "PS256"), (&["HS256", "none", "ES256"], "RS256"), (&[], "RS256")] {
            let stanza = written("https://idp.test", hints).unwrap();
            assert!(stanza.yaml.contains(&format!("signingAlgs: [{algorithms}]")), "{}", stanza.yaml);
        }
    }

    #[test]
    fn what_no_table_can_hold_is_not_written() {
        let long = format!("https://idp.test/{}", "x".repeat(600));
        for (issuer, word) in [
            ("https://login.microsoftonline.com/{tenantid}/v2.0", "template"),
            ("https://idp.test/\u{202e}", "hide text"),
            (&long, "bytes"),
        ] {
            let told = written(issuer, &[]).err().unwrap();
            assert!(told.contains(word) && !told.contains('\u{202e}'), "{told}");
        }
    }

    #[test]
    fn an_entry_has_a_name_whatever_its_host() {
        for (url, name) in [
            ("https://idp.Acme.test:8443/x", "idp-acme-test"),
            ("https://127.0.0.1/", "at-127-0-0-1"),
            ("https://[::1]:1/", "new-issuer"),
            ("", "new-issuer"),
        ] {
            assert_eq!(name_of(url), name);
        }
    }
}
