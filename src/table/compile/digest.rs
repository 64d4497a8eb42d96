//! The digest of a table's meaning: what could change a verdict, an answer or a log line, in one canonical order.
//! Owners, descriptions, labels, review dates, reasons and places are not part of it.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};

use aws_lc_rs::digest::{SHA256, digest};

use super::exact::ExactIssuer;
use super::issuer::IssuerPlan;
use crate::claims::{ClaimRule, Matcher, Scalar};
use crate::decide::{Grant, Replay};
use crate::keys::KeySource;
use crate::name::{Issuer, IssuerName};
use crate::resource::{OpenMethods, PathPattern, Resource, ResourceIndex};
use crate::trust::IssuerId;

/// SHA-256 in lower-case hexadecimal. The lists are sorted by name.
pub(super) fn of(issuers: &[IssuerPlan<'_>], resources: &ResourceIndex, grants: &[Grant]) -> String {
    let mut text = Canon::default();
    for plan in issuers {
        text.issuer(plan);
    }
    for (_, resource) in resources.iter() {
        text.resource(resource);
    }
    let exact = issuers.iter().flat_map(|plan| plan.exact.iter().map(move |exact| (&plan.name, exact)));
    let exact: BTreeMap<_, _> = exact.map(|(name, exact)| (exact.id, (name, &exact.issuer))).collect();
    for grant in grants {
        text.grant(grant, &exact, resources);
    }
    let hash = digest(&SHA256, text.0.as_bytes());
    hash.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Lines of `field value`; values are quoted by `Debug`, so no text can look like a line.
#[derive(Default)]
struct Canon(String);

impl Canon {
    fn line(&mut self, field: &str, value: &dyn Debug) {
        let _ = writeln!(self.0, "{field} {value:?}");
    }

    fn issuer(&mut self, plan: &IssuerPlan<'_>) {
        self.line("issuer", &plan.name);
        self.line("realm", &plan.realm());
        self.line("required", &plan.draft.required.value().unwrap_or(&false));
        for exact in &plan.exact {
            self.line("iss", &(&exact.issuer, &exact.named_by));
            self.rules(exact.implied.iter().collect());
            self.keys(plan, exact);
        }
        self.line("profile", &plan.profile.map(|profile| profile.name));
        let draft = plan.draft;
        self.line("rules", &plan.rules);
        self.line("tokenTypes", &plan.token_types());
        self.line("maxTokenAge", &plan.max_token_age());
        self.line("clockSkew", &plan.clock_skew());
        self.line("expires", &draft.common.expires.value());
        self.rules(draft.pin_claims.items().iter().map(|claim| &claim.rule).collect());
    }

    fn keys(&mut self, plan: &IssuerPlan<'_>, exact: &ExactIssuer) {
        let keys = &plan.draft.keys;
        let origin = exact.origin.as_ref();
        match (origin.map(|origin| &origin.source), keys.jwks.value()) {
            // Members sorted: the same for the same set.
            (Some(KeySource::Inline(_)), Some(jwks)) => {
                self.line(
                    "jwks",
                    &serde_json::from_str::<serde_json::Value>(&jwks.json).ok().map(|set| set.to_string()),
                );
            }
            // The path as written: where the table lies is not part of its meaning.
            (Some(KeySource::File(_)), _) => self.line("jwksFile", &keys.jwks_file.value()),
            (source, _) => self.line("keys", &source),
        }
        self.line("format", &origin.map(|origin| &origin.format));
        self.line("server", &origin.map(|origin| &origin.access.server));
        for (name, field) in [
            ("caFile", &keys.ca_file),
            ("bearerTokenFile", &keys.bearer_token_file),
            ("clientCertFile", &keys.client_cert_file),
            ("clientKeyFile", &keys.client_key_file),
            ("proxy", &keys.proxy),
        ] {
            self.line(name, &field.value());
        }
    }

    fn rules(&mut self, mut rules: Vec<&ClaimRule>) {
        rules.sort_by(|one, two| one.key.cmp(&two.key));
        for rule in rules {
            self.line("claim", &(rule.key.as_str(), canonical(&rule.matcher)));
        }
    }

    fn resource(&mut self, resource: &Resource) {
        self.line("resource", &resource.name);
        self.line("audience", &resource.audience);
        self.line("hosts", &resource.hosts);
        self.line("paths", &texts(&resource.paths));
        self.line("context", &resource.context);
        self.line("route", &resource.route);
        self.line("credential", &resource.credential);
        self.line("forward", &(resource.forward_token, resource.forward_overrides, resource.encoded_slash_is_data));
        self.line("metadata", &resource.resource_metadata);
        self.line("expires", &resource.expires);
        if let Some(observe) = &resource.observe {
            self.line("observe", &observe.until);
        }
        let mut open: Vec<_> = resource
            .anonymous
            .iter()
            .map(|open| match &open.methods {
                OpenMethods::Methods(methods) => format!("{methods:?} {:?}", texts(&open.paths)),
                OpenMethods::Preflight => format!("preflight {:?}", texts(&open.paths)),
            })
            .collect();
        open.sort();
        open.dedup();
        self.line("anonymous", &open);
    }

    fn grant(&mut self, grant: &Grant, exact: &BTreeMap<IssuerId, (&IssuerName, &Issuer)>, resources: &ResourceIndex) {
        self.line("grant", &grant.name);
        // In the order of the entries, whichever order they are named in.
        let mut ids = grant.issuers.clone();
        ids.sort_unstable();
        ids.dedup();
        let names: Vec<_> = ids.iter().filter_map(|id| exact.get(id)).collect();
        self.line("issuers", &names);
        self.line("resource", &resources.get(grant.resource).map(|resource| &resource.name));
        self.line("subject", &grant.subject);
        self.rules(grant.claims.iter().collect());
        if let Some(actor) = &grant.actor {
            self.line("actor", actor);
        }
        self.line("methods", &grant.methods);
        self.line("paths", &texts(&grant.paths));
        self.line("scopes", &grant.scopes);
        self.line("audience", &(&grant.audience, grant.audience_from));
        if grant.replay == Replay::Once {
            self.line("replay", &grant.replay);
        }
        self.line("times", &grant.times);
        self.line("mode", &grant.mode);
        self.line("forwardClaims", &grant.forward_claims);
    }
}

fn texts(paths: &[PathPattern]) -> Vec<&str> {
    let mut texts: Vec<_> = paths.iter().map(PathPattern::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A list of values is a set.
fn canonical(matcher: &Matcher) -> String {
    let sorted = |scalars: &[Scalar]| {
        let mut texts: Vec<_> = scalars.iter().map(|scalar| format!("{scalar:?}")).collect();
        texts.sort();
        texts.dedup();
        texts
    };
    match matcher {
        Matcher::Equals(scalar) => format!("{:?}", sorted(std::slice::from_ref(scalar))),
        Matcher::OneOf(scalars) => format!("{:?}", sorted(scalars)),
        Matcher::ContainsAny(scalars) => format!("any {:?}", sorted(scalars)),
        Matcher::ContainsAll(scalars) => format!("all {:?}", sorted(scalars)),
        other => format!("{other:?}"),
    }
}
