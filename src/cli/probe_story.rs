//! `issuer probe`: what is told, to people and to programs.

use serde_json::{Value, json};

use super::output::{escaped, value};
use super::probe_report::{Findings, quiet};
use super::probe_stanza::Stanza;
use super::{NO, TROUBLE, YES};
use crate::fetch::{self, Exchange, Probe, PublishedKey};
use crate::keys::FetchResult;
use crate::profile::Tenancy;

/// What is told.
pub(super) struct Story<'a> {
    pub(super) typed: &'a str,
    pub(super) probe: &'a Probe,
    pub(super) findings: &'a Findings<'a>,
    pub(super) stanza: Result<Option<Stanza>, String>,
}

impl Story<'_> {
    pub(super) fn code(&self) -> u8 {
        let own_fault = self.probe.exchanges.iter().all(|exchange| exchange.status.is_none())
            && self
                .probe
                .error
                .as_ref()
                .is_some_and(|error| matches!(error.result(), FetchResult::File | FetchResult::Url));
        match (self.findings.is_good(self.probe), &self.stanza) {
            // The entry is there to be taken over, but what was typed is no `iss` of this issuer's tokens. A cluster is
            // asked at another address than its name.
            (true, Ok(_)) if self.findings.differs.is_some() && !self.findings.is_cluster => NO,
            (true, Ok(_)) => YES,
            _ if own_fault => TROUBLE,
            _ => NO,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(document) = &self.probe.document {
            lines.push(("issuer", quiet(&document.issuer)));
            if let Some(how) = &self.findings.differs {
                let typed = format!("not what was typed: {how}. The table needs it exactly as it stands above");
                lines.push(("", typed));
            }
            lines.push(("document", quiet(&document.url)));
            let other = document.other_host.as_ref().map(|host| format!(" (another host: jwksHosts [{host}])"));
            lines.push(("jwks_uri", format!("{}{}", quiet(&document.jwks_uri), other.unwrap_or_default())));
        }
        if let Some(published) = &self.probe.published {
            lines.push(("keys", quiet(&published.url)));
            if let Some(bundle) = &published.bundle {
                let domain = bundle.trust_domain.as_deref().map_or("unknown".to_owned(), quiet);
                let sequence = bundle.sequence.map_or("none".to_owned(), |sequence| sequence.to_string());
                let hint = bundle.refresh_hint.map_or("none".to_owned(), |hint| format!("{} s", hint.as_secs()));
                lines.push((
                    "bundle",
                    format!("of the trust domain {domain}; sequence {sequence}; refresh hint {hint}"),
                ));
            }
        }
        if let Some(kind) = self.kind() {
            lines.push(("kind", kind));
        }
        self.probe.exchanges.iter().for_each(|exchange| lines.push(("asked", told(exchange))));
        let mut out: String = lines.iter().map(|(name, text)| format!("{name:<9} {}\n", value(text))).collect();
        self.keys(&mut out);
        for warning in &self.findings.warnings {
            out += &format!("\nwarning: {}\n", value(warning));
        }
        if let Ok(Some(stanza)) = &self.stanza {
            let missing: String = stanza.missing.iter().map(|what| format!("#   {}\n", value(what))).collect();
            if self.findings.mismatch {
                out += "\n# NOT the issuer that was typed: take this entry only if its operator names it so.";
            }
            out += &format!("\n# For the trust table. Still to be filled in:\n{missing}{}", stanza.yaml);
        }
        escaped(&out)
    }

    fn keys(&self, out: &mut String) {
        let Some(published) = &self.probe.published else { return };
        let algorithms: Vec<_> = self.findings.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        *out += &format!(
            "\n{} of {} keys can be used, with {}\n",
            self.findings.thumbprints.len(),
            published.keys.len(),
            if algorithms.is_empty() { "no algorithm".to_owned() } else { algorithms.join(" ") }
        );
        for key in &published.keys {
            let (mark, end) = match &key.judged {
                Ok(jwk) if self.serves(key) => ("ok", format!("  {}", jwk.thumbprint())),
                Ok(jwk) => ("unused", format!("  {}", jwk.thumbprint())),
                Err(why) => ("unused", format!("  it {}", value(why))),
            };
            let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), quiet);
            *out += &format!(
                "  {mark:<7} {}  {}  alg {}  use {}{end}\n",
                value(key.name()),
                quiet(&key.shape),
                or_none(&key.algorithm),
                or_none(&key.usage)
            );
        }
    }

    /// Whether the entry would believe this key.
    fn serves(&self, key: &PublishedKey) -> bool {
        let thumbprint = key.judged.as_ref().map(crate::keys::Jwk::thumbprint).ok();
        self.findings.thumbprints.iter().any(|(name, known)| Some(*known) == thumbprint && *name == key.name())
    }

    fn kind(&self) -> Option<String> {
        let operator = self.findings.known.map(|known| known.operator);
        let profile = self.findings.kind.map(|kind| format!("looks like {kind}"));
        let shared = match self.findings.tenancy {
            Tenancy::Shared => Some("signs for many customers: a tenant must be pinned (CR101)".to_owned()),
            Tenancy::Private => None,
        };
        let parts: Vec<_> = operator.map(str::to_owned).into_iter().chain(profile).chain(shared).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// What is wrong, and what to try next; empty if nothing is.
    pub(super) fn trouble(&self) -> String {
        let mut out = String::new();
        if let Some(error) = &self.probe.error {
            out += &format!("error: {}\n", value(error));
            out += &self.next_step().map(|step| format!("help: {}\n", value(step))).unwrap_or_default();
        } else if self.findings.mismatch {
            out += "error: this document is of another issuer than was typed. If it is the one you mean, its operator \
                    says so too: only then take the entry\n";
        } else if self.findings.thumbprints.is_empty() {
            out += "error: no published key can be used for this issuer\n";
        }
        if let Err(why) = &self.stanza {
            out += &format!("error: {}\n", value(why));
        }
        escaped(&out)
    }

    fn next_step(&self) -> Option<String> {
        let exchanges = &self.probe.exchanges;
        if let Some(to) = exchanges.iter().find_map(|exchange| exchange.location.as_ref()) {
            return Some(format!("if you know that place, try: credence issuer probe \"{}\"", quiet(to)));
        }
        let status =
            |wanted: &[u16]| exchanges.iter().any(|one| one.status.is_some_and(|found| wanted.contains(&found)));
        if status(&[401, 403]) {
            return Some(
                "a Kubernetes API server shows its keys to authenticated callers only: --bearer-token-file with \
                 --secrets-dir, in the table `bearerTokenFile`"
                    .to_owned(),
            );
        }
        let asked: Vec<_> = exchanges.iter().map(|exchange| exchange.url.as_str()).collect();
        match self.probe.error.as_ref()?.result() {
            FetchResult::NotJson => {
                Some(format!("a login page? Asked were {}; try the `iss` of a token", asked.join(" and ")))
            }
            FetchResult::Status | FetchResult::Malformed => {
                let page = exchanges.iter().find(|exchange| exchange.is_page);
                let page = page.map(|exchange| {
                    format!("{} answered with a page for people (a login page?); ", quiet(&exchange.url))
                });
                Some(format!(
                    "{}asked were {}; try the exact `iss` of a token, or the issuer's jwks_uri",
                    page.unwrap_or_default(),
                    asked.join(" and ")
                ))
            }
            _ => None,
        }
    }

    pub(super) fn json(&self) -> Value {
        let document = self.probe.document.as_ref();
        let published = self.probe.published.as_ref();
        let stanza = self.stanza.as_ref().ok().and_then(Option::as_ref);
        let error = self.probe.error.as_ref().map(ToString::to_string);
        json!({
            "asked": self.typed,
            "ok": self.code() == YES,
            "error": error.or_else(|| self.stanza.as_ref().err().cloned()),
            "error_kind": self.probe.error.as_ref().map(fetch::FetchError::label),
            "help": self.probe.error.as_ref().and_then(|_| self.next_step()),
            "issuer": self.findings.issuer,
            "differs": self.findings.differs,
            "mismatch": self.findings.mismatch,
            "kind": self.findings.kind,
            "document_url": document.map(|document| &document.url),
            "jwks_uri": document.map(|document| &document.jwks_uri),
            "jwks_host": document.and_then(|document| document.other_host.as_ref()),
            "keys_url": published.map(|published| &published.url),
            "algorithms": self.findings.algorithms.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
            "keys": published.map(|published| published.keys.iter().map(|key| self.key_json(key)).collect::<Vec<_>>()),
            "bundle": published.and_then(|published| published.bundle.as_ref()).map(|bundle| json!({
                "trust_domain": bundle.trust_domain, "sequence": bundle.sequence,
                "refresh_hint_seconds": bundle.refresh_hint.map(|hint| hint.as_secs()),
            })),
            "requests": self.probe.exchanges.iter().map(exchange_json).collect::<Vec<_>>(),
            "warnings": self.findings.warnings,
            "stanza": stanza.map(|stanza| &stanza.yaml),
            "to_fill_in": stanza.map(|stanza| &stanza.missing),
        })
    }

    fn key_json(&self, key: &PublishedKey) -> Value {
        json!({
            "kid": key.kid, "key": key.shape, "alg": key.algorithm, "use": key.usage,
            "ok": self.serves(key),
            "thumbprint": key.judged.as_ref().ok().map(|jwk| jwk.thumbprint().to_string()),
            "why": key.judged.as_ref().err(),
        })
    }
}

fn exchange_json(exchange: &Exchange) -> Value {
    json!({
        "url": exchange.url, "status": exchange.status,
        "error": exchange.error.as_ref().map(ToString::to_string),
        "clock_difference_seconds": exchange.clock_difference,
        "max_age_seconds": exchange.keep.map(|keep| keep.as_secs()),
        "validator": exchange.has_validator,
        "certificate": exchange.certificate.as_ref().map(|certificate| json!({
            "signed_by": certificate.signed_by, "valid_until": certificate.not_after.to_string(),
        })),
    })
}

/// One line about a request: its status, its certificate, how it may be kept, and the sender's clock.
fn told(exchange: &Exchange) -> String {
    let mut parts = vec![match exchange.status {
        Some(status) => format!("{}: {status}", exchange.url),
        None => format!("{}: no answer", exchange.url),
    }];
    parts.extend(exchange.certificate_left().map(|(certificate, days)| {
        let end = certificate.not_after.to_string();
        format!("TLS signed by {}, until {} ({days} days)", certificate.signed_by, end.get(..10).unwrap_or_default())
    }));
    let keep = exchange.keep.map(|keep| format!("max-age {} s", keep.as_secs()));
    let validator = exchange.has_validator.then(|| "ETag or Last-Modified".to_owned());
    parts.extend(keep);
    parts.extend(validator);
    parts.extend(exchange.clock_difference.map(|difference| match difference {
        0.0 => "clock as ours".to_owned(),
        ahead if ahead > 0.0 => format!("clock {ahead} s ahead"),
        behind => format!("clock {} s behind", behind.abs()),
    }));
    parts.join("; ")
}
