//! One entry under `grants:`, as typed.

use std::time::Duration;

use super::super::{Kind, Node, Type};
use super::actor::{ACTOR, ActorDraft, actor};
use super::claims::{ClaimDraft, claim_key, claims, glob};
use super::common::Common;
use super::fields::{At, Cx, Field, Fields};
use super::issuer::positive;
use super::read::{is_any, list, map, methods, name, one_or_list, paths_or_any, prose, scope, text, wrong};
use super::resource::audience;
use super::schema::Form::Scope;
use super::schema::Shape::{
    Date, Duration as Span, Either, Form, Headers, List, Name, Object, OneOrList, Prose, Text, Word,
};
use super::schema::{self, Schema, field, fields};
use super::times::start;
use crate::claims::{ClaimKey, Glob};
use crate::clock::Time;
use crate::decide::{AudienceFrom, Mode, Replay};
use crate::resource::{Methods, PathPattern};

pub(super) const GRANT: Schema = fields(&[
    field(
        "issuer",
        OneOrList(&Name),
        "An issuer of the table, or a list: the grant holds at each, under its own pins.",
    ),
    field(
        "iss",
        OneOrList(&Text),
        "Of an entry that stands for several issuers, those that it holds at; without it all.",
    ),
    field("resource", Name, "A resource of the table."),
    field(
        "subject",
        Either(&[OneOrList(&Text), Word(&["any"]), Object(&SUBJECT)]),
        "The exact `sub`, a list of them, a pattern, or `any`, which needs a `reason`. Without it `claims` say who.",
    ),
    field("claims", schema::CLAIMS, "What the token must say besides; all conditions must hold."),
    field("actor", Object(&ACTOR), "Who acts for the subject (RFC 8693 `act`). Without it the token must name nobody."),
    field(
        "methods",
        schema::METHODS,
        "HTTP methods, compared exactly (`GET` does not mean `HEAD`), or `any`, which is never `CONNECT` or `TRACE`.",
    ),
    field("paths", schema::PATHS, "Paths within those of the resource, or `any` for all of it."),
    field(
        "scopes",
        List(&Form(Scope)),
        "Scopes that are handed on (RFC 6749 §3.3); the union over the grants that fit.",
    ),
    field("audience", Text, "Replaces the resource's audience for this grant; needs a `reason`."),
    field(
        "audienceFrom",
        Word(&["client_id"]),
        "The claim that is judged in place of `aud`, for issuers whose tokens have none.",
    ),
    field(
        "replay",
        Word(&["once", "allow"]),
        "`once`: a `jti` is spent by the first call that this grant allows. Without it `allow`.",
    ),
    field("maxTokenAge", Span, "A narrower bound than the issuer's; needs `iat`."),
    field("starts", Date, "When it begins: a date from its first second in UTC, or an instant. Without it, at once."),
    field("reason", Prose, "Why it is so wide, or unlike others."),
    field(
        "mode",
        Word(&["enforce", "shadow"]),
        "A `shadow` grant is judged, logged and counted, and never allows. Without it `enforce`.",
    ),
    field(
        "forwardClaims",
        Headers(&Text),
        "Name → claim: what leaves credence, as metadata, and as a header with `--claim-headers`.",
    ),
])
.and(schema::COMMON)
.with_required(&["issuer", "resource", "methods", "paths"]);
pub(super) const SUBJECT: Schema =
    fields(&[field("glob", Text, "A pattern in which `*` stands for what is inside one segment.")])
        .with_required(&["glob"]);

/// The relation, as typed.
#[derive(Debug)]
pub(crate) struct GrantDraft {
    pub(crate) name: At<String>,
    pub(crate) issuers: Field<Vec<At<String>>>,
    /// Of the exact issuers that its entries stand for, those that it holds at.
    pub(crate) iss: Field<Vec<At<String>>>,
    pub(crate) resource: Field<String>,
    pub(crate) subject: Field<Subject>,
    pub(crate) claims: Field<Vec<ClaimDraft>>,
    /// Whether some of them could not be read, so that one may be missing only for that.
    pub(crate) claims_torn: bool,
    pub(crate) actor: Field<ActorDraft>,
    pub(crate) methods: Field<Methods>,
    pub(crate) paths: Field<Vec<PathPattern>>,
    pub(crate) scopes: Field<Vec<At<String>>>,
    pub(crate) audience: Field<String>,
    pub(crate) audience_from: Field<AudienceFrom>,
    pub(crate) replay: Field<Replay>,
    pub(crate) max_token_age: Field<Duration>,
    pub(crate) starts: Field<Time>,
    pub(crate) reason: Field<String>,
    pub(crate) mode: Field<Mode>,
    pub(crate) forward_claims: Field<Vec<(String, ClaimKey)>>,
    pub(crate) common: Common,
}

/// Who, as typed.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Exact(Vec<At<String>>),
    Glob(Glob),
    Any,
}

impl GrantDraft {
    pub(super) fn read(cx: &mut Cx<'_>, entry: At<String>, node: &Node) -> Option<Self> {
        let owner = cx.owner.clone();
        let fields = Fields::open(cx, &owner, node, &GRANT)?;
        let before = cx.report.errors();
        let claims = fields.read(cx, "claims", claims);
        let claims_torn = cx.report.errors() > before;
        Some(Self {
            name: entry,
            issuers: fields.read(cx, "issuer", |cx, field, node| one_or_list(cx, field, node, name)),
            iss: fields.read(cx, "iss", |cx, field, node| one_or_list(cx, field, node, text)),
            resource: fields.read(cx, "resource", name),
            subject: fields.read(cx, "subject", subject),
            claims,
            claims_torn,
            actor: fields.read(cx, "actor", actor),
            methods: fields.read(cx, "methods", methods),
            paths: fields.read(cx, "paths", paths_or_any),
            scopes: fields.read(cx, "scopes", |cx, field, node| list(cx, field, node, scope)),
            audience: fields.read(cx, "audience", audience),
            audience_from: fields.read(cx, "audienceFrom", audience_from),
            replay: fields.read(cx, "replay", replay),
            max_token_age: fields.read(cx, "maxTokenAge", positive),
            starts: fields.read(cx, "starts", start),
            reason: fields.read(cx, "reason", prose),
            mode: fields.read(cx, "mode", mode),
            forward_claims: fields.read(cx, "forwardClaims", forward_claims),
            common: Common::read(cx, &fields),
        })
    }
}

/// Words that stand for everybody elsewhere, and here for one subject: never meant so.
const EVERYBODY: [&str; 5] = ["all", "any", "anybody", "anyone", "everyone"];

/// An exact `sub`, a list of them, `{glob: …}` or `any`.
pub(super) fn subject(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Subject> {
    match &node.kind {
        _ if is_any(node) => Some(Subject::Any),
        Kind::Scalar { of: Type::Null, text } if text.is_empty() => {
            let help = "write the exact `sub`, a list of them, or `any` and a `reason`";
            wrong(cx, field, node, "a string", help);
            None
        }
        Kind::Map(_) => {
            let fields = Fields::open(cx, field, node, &SUBJECT)?;
            fields.node("glob").and_then(|node| glob(cx, "subject", node)).map(Subject::Glob)
        }
        Kind::Scalar { of: Type::String, text } if EVERYBODY.contains(&&*text.to_ascii_lowercase()) => {
            let message = format!("`{field}` of {} would be the one subject called {text:?}", cx.owner);
            let acts = cx.owner.starts_with("the actor of ");
            let everybody = "for everybody write `subject: any`, in lower case, and a `reason`";
            let everybody = if acts { "name who acts" } else { everybody };
            let help = format!("{everybody}; for whoever is called so write `[{text}]`");
            cx.misfit(node.span, message, "compared exactly", help);
            None
        }
        _ => one_or_list(cx, field, node, one_subject).map(Subject::Exact),
    }
}

/// How to write a text with a star as a pattern, if one can be made of it.
pub(super) fn pattern_for(field: &str, text: &str) -> String {
    if Glob::parse(text).is_ok() {
        return format!("for a pattern write `{field}: {{glob: {text:?}}}`");
    }
    format!("write the exact value; a pattern ends a part with its star, such as `{field}: {{glob: \"acme/*\"}}`")
}

fn one_subject(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    if text.contains('*') {
        let message = format!("`{field}` of {} is compared exactly and holds a star", cx.owner);
        cx.misfit(node.span, message, "a star", pattern_for(field, &text));
        return None;
    }
    if text.len() > crate::claims::MAX_SUBJECT {
        cx.misfit(node.span, "no token can have a subject this long", "", "a `sub` has at most 1,024 bytes");
        return None;
    }
    Some(text)
}

fn audience_from(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<AudienceFrom> {
    if text(cx, field, node)? == "client_id" {
        return Some(AudienceFrom::ClientId);
    }
    let help = "write `audienceFrom: client_id`, or leave it out for `aud`";
    cx.misfit(node.span, format!("`{field}` of {} can only be `client_id`", cx.owner), "", help);
    None
}

fn replay(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Replay> {
    match text(cx, field, node)?.as_str() {
        "allow" => Some(Replay::Allow),
        "once" => Some(Replay::Once),
        _ => {
            let help = "with `once` a token is let through once; leave it out where it may come again";
            let message = format!("`{field}` of {} must be `once` or `allow`", cx.owner);
            cx.misfit(node.span, message, "", help);
            None
        }
    }
}

fn mode(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Mode> {
    match text(cx, field, node)?.as_str() {
        "enforce" => Some(Mode::Enforce),
        "shadow" => Some(Mode::Shadow),
        _ => {
            let help = "a `shadow` grant is evaluated and logged, and never allows";
            cx.misfit(
                node.span,
                format!("`{field}` of {} must be `enforce` or `shadow`", cx.owner),
                "no such mode",
                help,
            );
            None
        }
    }
}

/// A map from names to claims. A name becomes part of a header.
fn forward_claims(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Vec<(String, ClaimKey)>> {
    let mut found: Vec<(String, ClaimKey)> = Vec::new();
    for (key, value) in map(cx, field, node)? {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = key.text.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        if bytes.len() > 63 || !bytes.iter().all(inner) || !edge(bytes.first()) || !edge(bytes.last()) {
            let help = "it becomes the header `x-credence-claim-NAME`: lower-case letters, digits and `-`, at most 63; many servers take `_` for `-`";
            cx.misfit(key.span, format!("{:?} cannot name a forwarded claim", key.text), "", help);
        }
        let Some(claim) = text(cx, &key.text, value) else { continue };
        let Some(claim) = claim_key(cx, &claim, value.span) else { continue };
        found.push((key.text.to_string(), claim));
    }
    found.sort();
    Some(found)
}
