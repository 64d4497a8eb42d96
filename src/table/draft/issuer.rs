//! One entry under `issuers:`, as typed.

use std::time::Duration;

use super::super::{Kind, Node, Type};
use super::claims::{ClaimDraft, claims};
use super::common::Common;
use super::fields::{At, Cx, Field, Fields, Schema};
pub(crate) use super::jwks::Jwks;
use super::jwks::jwks;
use super::read::{list, name, text};
use super::times::duration;
use crate::name::{Algorithm, Thumbprint};
use crate::resource::HostPattern;

pub(super) const ISSUER: Schema = Schema {
    known: &[
        "profile",
        "issuer",
        "discoveryUrl",
        "jwksUri",
        "jwks",
        "jwksFile",
        "jwksHosts",
        "caFile",
        "pin",
        "signingAlgs",
        "tokenTypes",
        "maxTokenAge",
        "clockSkew",
        "resources",
        "expires",
        "reviewBy",
        "owner",
        "description",
        "labels",
    ],
    later: &[
        "with",
        "spiffeBundleUrl",
        "kubernetes",
        "bearerTokenFile",
        "clientCertFile",
        "clientKeyFile",
        "proxy",
        "maxStale",
        "realm",
        "required",
        "accept",
    ],
};
const PIN: Schema = Schema { known: &["claims", "keys"], later: &[] };

/// Who may vouch, as typed.
#[derive(Debug)]
pub(crate) struct IssuerDraft {
    pub(crate) name: At<String>,
    pub(crate) profile: Field<String>,
    pub(crate) issuer: Field<String>,
    pub(crate) discovery_url: Field<String>,
    pub(crate) jwks_uri: Field<String>,
    pub(crate) jwks: Field<Jwks>,
    pub(crate) jwks_file: Field<String>,
    pub(crate) jwks_hosts: Field<Vec<At<String>>>,
    pub(crate) ca_file: Field<String>,
    pub(crate) pin_claims: Field<Vec<ClaimDraft>>,
    pub(crate) pin_keys: Field<Vec<At<Thumbprint>>>,
    pub(crate) signing_algs: Field<Vec<At<Algorithm>>>,
    pub(crate) token_types: Field<Vec<At<String>>>,
    pub(crate) max_token_age: Field<Duration>,
    pub(crate) clock_skew: Field<Duration>,
    pub(crate) resources: Field<Vec<At<String>>>,
    pub(crate) common: Common,
}

impl IssuerDraft {
    pub(super) fn read(cx: &mut Cx<'_>, entry: At<String>, node: &Node) -> Option<Self> {
        let owner = cx.owner.clone();
        let fields = Fields::open(cx, &owner, node, &ISSUER)?;
        let pin = match fields.node("pin") {
            Some(node) => Fields::open(cx, "pin", node, &PIN),
            None => None,
        };
        let (mut pin_claims, mut pin_keys) = (Field::Absent, Field::Absent);
        if let Some(pin) = &pin {
            pin_claims = pin.read(cx, "claims", claims);
            pin_keys = pin.read(cx, "keys", |cx, field, node| list(cx, field, node, thumbprint));
        } else if fields.node("pin").is_some() {
            (pin_claims, pin_keys) = (Field::Broken, Field::Broken);
        }
        Some(Self {
            name: entry,
            profile: fields.read(cx, "profile", text),
            issuer: fields.read(cx, "issuer", text),
            discovery_url: fields.read(cx, "discoveryUrl", text),
            jwks_uri: fields.read(cx, "jwksUri", text),
            jwks: fields.read(cx, "jwks", jwks),
            jwks_file: fields.read(cx, "jwksFile", text),
            jwks_hosts: fields.read(cx, "jwksHosts", |cx, field, node| list(cx, field, node, key_host)),
            ca_file: fields.read(cx, "caFile", text),
            pin_claims,
            pin_keys,
            signing_algs: fields.read(cx, "signingAlgs", |cx, field, node| list(cx, field, node, algorithm)),
            token_types: fields.read(cx, "tokenTypes", |cx, field, node| list(cx, field, node, token_type)),
            max_token_age: fields.read(cx, "maxTokenAge", positive),
            clock_skew: fields.read(cx, "clockSkew", skew),
            resources: fields.read(cx, "resources", |cx, field, node| list(cx, field, node, name)),
            common: Common::read(cx, &fields),
        })
    }
}

fn thumbprint(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Thumbprint> {
    let text = text(cx, field, node)?;
    let thumbprint = Thumbprint::parse(&text);
    if thumbprint.is_none() {
        let help = "a pin is `sha256:` and the 43 characters of the key's RFC 7638 thumbprint";
        cx.misfit(node.span, format!("{text:?} is not a key thumbprint"), "", help);
    }
    thumbprint
}

fn algorithm(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Algorithm> {
    let text = text(cx, field, node)?;
    let algorithm = Algorithm::parse(&text);
    if algorithm.is_none() {
        let names = Algorithm::ALL.map(Algorithm::as_str);
        let label = match text.to_ascii_uppercase() {
            upper if upper.starts_with("HS") => "symmetric: whoever verifies could also sign",
            upper if upper == "NONE" => "no signature at all",
            _ => "",
        };
        let help = match super::nearest(&text, names.into_iter()).filter(|_| label.is_empty()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the algorithms are {}", names.join(" ")),
        };
        cx.misfit(node.span, format!("{text:?} is not an algorithm that can be trusted here"), label, help);
    }
    algorithm
}

/// A `typ`; the empty string means an absent one and may be written.
fn token_type(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar { text, of: Type::String } if text.is_empty() => Some(String::new()),
        _ => text(cx, field, node),
    }
}

/// `host` or `host:port`, exact.
fn key_host(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    match HostPattern::parse(&text) {
        Some(host) if !host.wildcard => Some(host.to_string()),
        _ => {
            let help = "write `keys.example.com` or `keys.example.com:8443`; stars are not allowed";
            cx.misfit(node.span, format!("{text:?} is not an exact host"), "", help);
            None
        }
    }
}

/// A duration above zero.
pub(super) fn positive(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Duration> {
    let duration = duration(cx, field, node)?;
    if duration.is_zero() {
        cx.misfit(
            node.span,
            format!("`{field}` of {} is zero: no token could pass", cx.owner),
            "",
            "write a longer one",
        );
        return None;
    }
    Some(duration)
}

fn skew(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Duration> {
    let duration = duration(cx, field, node)?;
    if duration > Duration::from_secs(300) {
        let help = "a clock that is further off must be set right";
        cx.misfit(node.span, format!("`{field}` of {} is more than five minutes", cx.owner), "at most 300s", help);
        return None;
    }
    Some(duration)
}
