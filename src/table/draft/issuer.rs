//! One entry under `issuers:`, as typed.

use std::time::Duration;

use super::super::{Kind, Node, Type};
use super::claims::{ClaimDraft, claims};
use super::common::Common;
use super::fields::{At, Cx, Field, Fields};
use super::keys::KeysDraft;
use super::read::{boolean, list, map, name, one_or_list, text};
use super::schema::Form::{Algorithm as Alg, Profile, Realm, Thumbprint as Print, TokenType};
use super::schema::Shape::{
    Boolean, Duration as Span, Either, Form, Json, List, Map, Name, Object, OneOrList, Prose, Text, Word,
};
use super::schema::{self, Schema, field, fields};
use super::times::duration;
use crate::name::{Algorithm, Thumbprint, is_realm};

pub(super) const ISSUER: Schema = fields(&[
    field("profile", Form(Profile), "Built-in knowledge about one kind of issuer. Without it `generic`."),
    field("issuer", Text, "The exact `iss`, byte for byte. Without it what the profile or `with` says."),
    field("with", Map(&OneOrList(&Text)), "The profile's parameters, from which the exact issuers follow."),
    field("discoveryUrl", Text, "Where the discovery document is. Without any source of keys: at the `issuer`."),
    field("jwksUri", Text, "Where the keys are (RFC 7517 §5)."),
    field("jwks", Either(&[Map(&Json), Prose]), "The keys themselves: a JWK Set, as a map or as JSON text."),
    field("jwksFile", Text, "A file with the keys, relative to the table; read anew when it changes."),
    field("spiffeBundleUrl", Text, "Where the trust bundle of a SPIFFE trust domain is."),
    field("spiffeEndpointId", Text, "The SPIFFE ID that a bundle endpoint authenticates with (`https_spiffe`)."),
    field("kubernetes", Word(&["inCluster"]), "The keys are those of the cluster that credence runs in."),
    field(
        "jwksHosts",
        List(&Text),
        "Hosts, with a port if need be, that a discovered `jwks_uri` may have besides the issuer's own.",
    ),
    field("caFile", Text, "Certificate authorities for these fetches, as PEM. Without it the system's."),
    field("bearerTokenFile", Text, "A token that is sent with these fetches; under `--secrets-dir`."),
    field("clientCertFile", Text, "A client certificate for these fetches, as PEM."),
    field("clientKeyFile", Text, "Its key, as PEM; under `--secrets-dir`."),
    field("proxy", Text, "The proxy for these fetches. Without it `HTTPS_PROXY` and `NO_PROXY`."),
    field("maxStale", Span, "How long the last good keys may serve while no new ones can be had. Without it 24h."),
    field("pin", Object(&PIN), "What every token of this issuer must have, before any grant."),
    field("signingAlgs", List(&Form(Alg)), "Algorithms that it may sign with. Without it the profile's."),
    field(
        "tokenTypes",
        List(&Form(TokenType)),
        "Values of `typ` that its access tokens have; `\"\"` for none. Without it the profile's.",
    ),
    field("maxTokenAge", Span, "How long its tokens may live; written out, it needs `iat`. Without it the profile's."),
    field("clockSkew", Span, "How far its clock may be off, at most 300s. Without it 30s."),
    field("realm", Form(Realm), "Tells two entries apart that must share one `iss`; part of every principal."),
    field("resources", List(&Name), "A ceiling: its grants may only be for these. Without it, for any."),
    field("required", Boolean, "Whether readiness waits for its keys. Without it `false`."),
])
.and(schema::COMMON);
const PIN: Schema = fields(&[
    field("claims", schema::CLAIMS, "Conditions that every token must meet."),
    field(
        "keys",
        List(&Form(Print)),
        "The keys that count, by RFC 7638 thumbprint; others do not, even when published.",
    ),
]);

/// Who may vouch, as typed.
#[derive(Debug)]
pub(crate) struct IssuerDraft {
    pub(crate) name: At<String>,
    pub(crate) profile: Field<String>,
    pub(crate) issuer: Field<String>,
    pub(crate) with: Field<Vec<WithDraft>>,
    pub(crate) keys: KeysDraft,
    pub(crate) pin_claims: Field<Vec<ClaimDraft>>,
    /// Whether some of them could not be read, so that one may be missing only for that.
    pub(crate) pins_torn: bool,
    pub(crate) pin_keys: Field<Vec<At<Thumbprint>>>,
    pub(crate) signing_algs: Field<Vec<At<Algorithm>>>,
    pub(crate) token_types: Field<Vec<At<String>>>,
    pub(crate) max_token_age: Field<Duration>,
    pub(crate) clock_skew: Field<Duration>,
    pub(crate) realm: Field<String>,
    pub(crate) resources: Field<Vec<At<String>>>,
    pub(crate) required: Field<bool>,
    pub(crate) common: Common,
}

/// One parameter under `with`, as typed.
#[derive(Debug)]
pub(crate) struct WithDraft {
    pub(crate) name: At<String>,
    /// Whether it was written as a list.
    pub(crate) list: bool,
    pub(crate) values: Vec<At<String>>,
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
        let before = cx.report.errors();
        let mut pins_torn = false;
        if let Some(pin) = &pin {
            pin_claims = pin.read(cx, "claims", claims);
            pins_torn = cx.report.errors() > before;
            pin_keys = pin.read(cx, "keys", |cx, field, node| list(cx, field, node, thumbprint));
        } else if fields.node("pin").is_some() {
            (pin_claims, pin_keys) = (Field::Broken, Field::Broken);
        }
        Some(Self {
            name: entry,
            profile: fields.read(cx, "profile", text),
            issuer: fields.read(cx, "issuer", text),
            with: fields.read(cx, "with", with),
            keys: KeysDraft::read(cx, &fields),
            pin_claims,
            pins_torn,
            pin_keys,
            signing_algs: fields.read(cx, "signingAlgs", |cx, field, node| list(cx, field, node, algorithm)),
            token_types: fields.read(cx, "tokenTypes", |cx, field, node| list(cx, field, node, token_type)),
            max_token_age: fields.read(cx, "maxTokenAge", positive),
            clock_skew: fields.read(cx, "clockSkew", skew),
            realm: fields.read(cx, "realm", realm),
            resources: fields.read(cx, "resources", |cx, field, node| list(cx, field, node, name)),
            required: fields.read(cx, "required", boolean),
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

/// A map from names to texts or lists of them; which ones there are is the profile's to say.
fn with(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Vec<WithDraft>> {
    let mut found = Vec::new();
    for (key, value) in map(cx, field, node)? {
        let list = matches!(value.kind, Kind::List(_));
        let name = At { value: key.text.to_string(), place: cx.place(key.span) };
        found.push(WithDraft { name, list, values: one_or_list(cx, &key.text, value, text)? });
    }
    Some(found)
}

fn realm(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    if !is_realm(&text) {
        let help = "a realm has lower-case letters, digits and `-`, at most 63; it becomes part of every principal";
        cx.misfit(node.span, format!("{text:?} cannot be a realm"), "", help);
        return None;
    }
    Some(text)
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
