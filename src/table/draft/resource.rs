//! One entry under `resources:`, as typed.

use super::super::{Kind, Node};
use super::common::Common;
use super::fields::{At, Cx, Field, Fields};
use super::read::{boolean, host, list, methods, pairs, paths_or_any, prose, text};
use super::schema::Shape::{Boolean, Date, List, Map, Object, Prose, Text, Word};
use super::schema::{self, Schema, field, fields};
use super::times::end;
use crate::name::Site;
use crate::resource::{CredentialPlace, HostPattern, Methods, Observe, PathPattern, RouteMatch};

pub(super) const RESOURCE: Schema = fields(&[
    field("audience", Text, "The one value that `aud` must contain."),
    field(
        "hosts",
        List(&Text),
        "Authorities of requests: exact, or `*.` and a domain for one label. Needed without `context` and `route`.",
    ),
    field("paths", schema::PATHS, "The part of the host that this resource is. Without it all of it."),
    field(
        "context",
        Map(&Text),
        "`context_extensions` that the proxy's route sets: every pair must be there and equal.",
    ),
    field("route", Object(&ROUTE), "The route of Envoy Gateway that the request took."),
    field("anonymous", List(&Object(&ANONYMOUS)), "Places that are open to all, without identity."),
    field("credential", Object(&CREDENTIAL), "Where the token is. Without it `Authorization: Bearer`."),
    field("forwardToken", Boolean, "Leave the credential in the request. Without it, it is removed."),
    field("forwardOverrides", Boolean, "Leave headers that override method or URL. Without it, they are removed."),
    field(
        "encodedSlash",
        Word(&["segment"]),
        "`%2F` in a path is data inside one segment; needs a `reason`. Without it, it is refused.",
    ),
    field("reason", Prose, "Why it is unlike others."),
    field(
        "observe",
        Object(&OBSERVE),
        "For a roll-out: refusals are logged and let through without identity, but for blocks and unclear requests. Without it, they are refused.",
    ),
    field("resourceMetadata", Text, "URL of the protected resource metadata (RFC 9728), for the challenge."),
])
.and(schema::COMMON)
.with_required(&["audience"]);
const OBSERVE: Schema = fields(&[
    field("until", Date, "When refusals begin to count, by itself: a date to its last second in UTC, or an instant."),
    field("reason", Prose, "Why they do not count yet."),
])
.with_required(&["until", "reason"]);
const ROUTE: Schema = fields(&[
    field("namespace", Text, "Its namespace."),
    field("name", Text, "Its name. Without it every route of the namespace."),
])
.with_required(&["namespace"]);
const CREDENTIAL: Schema = fields(&[
    field("header", Text, "A header whose whole value is the token."),
    field("cookie", Text, "A cookie whose value is the token."),
]);
const ANONYMOUS: Schema = fields(&[
    field("methods", schema::METHODS, "Methods that are open."),
    field("preflight", Boolean, "In place of methods: CORS preflights."),
    field("paths", schema::PATHS, "Paths that are open."),
    field("reason", Prose, "Why."),
])
.with_required(&["paths", "reason"]);

/// What is protected, as typed.
#[derive(Debug)]
pub(crate) struct ResourceDraft {
    pub(crate) name: At<String>,
    pub(crate) audience: Field<String>,
    pub(crate) hosts: Field<Vec<At<HostPattern>>>,
    pub(crate) paths: Field<Vec<PathPattern>>,
    pub(crate) context: Field<Vec<(String, String)>>,
    pub(crate) route: Field<RouteMatch>,
    pub(crate) anonymous: Field<Vec<At<AnonymousDraft>>>,
    pub(crate) credential: Field<CredentialPlace>,
    pub(crate) forward_token: Field<bool>,
    pub(crate) forward_overrides: Field<bool>,
    pub(crate) encoded_slash: Field<()>,
    pub(crate) reason: Field<String>,
    pub(crate) resource_metadata: Field<String>,
    pub(crate) observe: Field<Observe>,
    pub(crate) common: Common,
}

/// A place open to all, as typed.
#[derive(Debug)]
pub(crate) struct AnonymousDraft {
    /// `None`: CORS preflights only.
    pub(crate) methods: Option<Methods>,
    pub(crate) paths: Vec<PathPattern>,
    pub(crate) reason: String,
    pub(crate) site: Site,
}

impl ResourceDraft {
    pub(super) fn read(cx: &mut Cx<'_>, name: At<String>, node: &Node) -> Option<Self> {
        let owner = cx.owner.clone();
        let fields = Fields::open(cx, &owner, node, &RESOURCE)?;
        Some(Self {
            name,
            audience: fields.read(cx, "audience", audience),
            hosts: fields.read(cx, "hosts", |cx, field, node| list(cx, field, node, host)),
            paths: fields.read(cx, "paths", paths_or_any),
            context: fields.read(cx, "context", pairs),
            route: fields.read(cx, "route", route),
            anonymous: fields.read(cx, "anonymous", |cx, field, node| list(cx, field, node, anonymous)),
            credential: fields.read(cx, "credential", credential),
            forward_token: fields.read(cx, "forwardToken", boolean),
            forward_overrides: fields.read(cx, "forwardOverrides", boolean),
            encoded_slash: fields.read(cx, "encodedSlash", encoded_slash),
            reason: fields.read(cx, "reason", prose),
            resource_metadata: fields.read(cx, "resourceMetadata", text),
            observe: fields.read(cx, "observe", observe),
            common: Common::read(cx, &fields),
        })
    }
}

/// The one value of `aud`: no star, no blank.
pub(super) fn audience(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<String> {
    if let Kind::List(_) = &node.kind {
        let help = "a resource has one audience; a grant may replace it with its own `audience` and a `reason`";
        super::read::wrong(cx, field, node, "one value", help);
        return None;
    }
    let text = text(cx, field, node)?;
    if text.contains(['*', ' ']) {
        let message = format!("`{field}` of {} is compared exactly and holds a star or a blank", cx.owner);
        cx.misfit(node.span, message, "", "write the one exact value that tokens for this resource carry in `aud`");
        return None;
    }
    Some(text)
}

fn route(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<RouteMatch> {
    let fields = Fields::open(cx, field, node, &ROUTE)?;
    let namespace = fields.read(cx, "namespace", text);
    let name = fields.read(cx, "name", text);
    if namespace.is_absent() {
        cx.missing(node.span, "route.namespace", "write `route: {namespace: NAMESPACE, name: NAME}`");
    }
    if matches!(name, Field::Broken) {
        return None;
    }
    Some(RouteMatch { namespace: namespace.value()?.clone(), name: name.value().cloned() })
}

/// Both are needed: a roll-out without an end is none, and one without a reason nobody ends.
fn observe(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Observe> {
    let fields = Fields::open(cx, field, node, &OBSERVE)?;
    let until = fields.read(cx, "until", end);
    let reason = fields.read(cx, "reason", prose);
    if until.is_absent() {
        cx.missing(node.span, "observe.until", "say when refusals begin to count: `observe: {until: DATE, reason: …}`");
    }
    if reason.is_absent() {
        cx.missing(
            node.span,
            "observe.reason",
            "say why refusals do not count yet: `observe: {until: DATE, reason: …}`",
        );
    }
    let site = cx.place(node.span).site();
    Some(Observe { until: *until.value()?, reason: reason.value()?.clone(), site })
}

fn credential(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<CredentialPlace> {
    let fields = Fields::open(cx, field, node, &CREDENTIAL)?;
    let header = fields.read(cx, "header", token);
    let cookie = fields.read(cx, "cookie", token);
    match (header, cookie) {
        (Field::Given(_), Field::Given(_)) => {
            let help = "keep one: a request has one credential";
            cx.misfit(node.span, format!("`{field}` of {} names a header and a cookie", cx.owner), "", help);
            None
        }
        (Field::Given(header), _) => header_place(cx, node, &header.value.to_ascii_lowercase()),
        (_, Field::Given(cookie)) => Some(CredentialPlace::Cookie(cookie.value)),
        _ => None,
    }
}

fn header_place(cx: &mut Cx<'_>, node: &Node, name: &str) -> Option<CredentialPlace> {
    let folded = name.replace(['_', '.'], "-");
    let taken = ["authorization", "cookie", "host", "content-type", "content-length", "x-request-id"];
    if taken.contains(&name) || folded.starts_with("x-credence-") {
        let help =
            "name the header of its own in which the token arrives; `Authorization: Bearer` needs no `credential`";
        cx.misfit(node.span, format!("the token of {} cannot come in the header {name:?}", cx.owner), "", help);
        return None;
    }
    Some(CredentialPlace::Header(name.to_owned()))
}

/// An RFC 9110 §5.6.2 token.
fn token(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.bytes().all(good) {
        return Some(text);
    }
    cx.misfit(node.span, format!("{text:?} is not the name of a {field}"), "", "letters, digits, `-` and `_`");
    None
}

/// `segment` is the only word.
fn encoded_slash(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<()> {
    let text = text(cx, field, node)?;
    if text == "segment" {
        return Some(());
    }
    let help = "write `encodedSlash: segment` and a `reason`, or leave it out to refuse `%2F`";
    cx.misfit(node.span, format!("`{field}` of {} can only be `segment`", cx.owner), "", help);
    None
}

fn anonymous(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<AnonymousDraft> {
    let fields = Fields::open(cx, field, node, &ANONYMOUS)?;
    let open = fields.read(cx, "methods", methods);
    let preflight = fields.read(cx, "preflight", boolean);
    let paths = fields.read(cx, "paths", paths_or_any);
    let reason = fields.read(cx, "reason", prose);
    if paths.is_absent() {
        cx.missing(node.span, "anonymous.paths", "say which paths are open: `paths: [/healthz]`");
    }
    if reason.is_absent() {
        cx.missing(node.span, "anonymous.reason", "say why this place is open to all: `reason: …`");
    }
    let methods = match (open, preflight) {
        (Field::Given(methods), Field::Absent) => Some(methods.value),
        (Field::Absent, Field::Given(At { value: true, .. })) => None,
        (Field::Broken, _) | (_, Field::Broken) => return None,
        (Field::Given(_), _) => {
            let help = "keep one: `preflight: true` means exactly the CORS preflights, whose method is OPTIONS";
            cx.misfit(node.span, "an open place has `methods` or `preflight`, not both", "", help);
            return None;
        }
        _ => {
            let help = "write `methods: [GET]`, or `preflight: true` for CORS preflights";
            cx.missing(node.span, "anonymous.methods", help);
            return None;
        }
    };
    let site = cx.place(node.span).site();
    Some(AnonymousDraft { methods, paths: paths.value()?.clone(), reason: reason.value()?.clone(), site })
}
