//! `kind: TrustTableTest`: cases, as typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::vectors::{Expectation, VectorRequest};
use super::super::yaml::parse;
use super::super::{Code, Kind, Node, Report, SourceFile, Type};
use super::fields::{At, Cx, Field, Fields, nearest};
use super::head;
use super::read::{list, map, name, pairs, scope, text, wrong};
use super::schema::Form::{Method, Reason as Reasons, Scope};
use super::schema::Shape::{Date, Either, Form, Json as Anything, List, Map, Name, Object, Set, Text, Word};
use super::schema::{Schema, field, fields};
use super::times::start;
use crate::clock::Time;
use crate::json::Json;
use crate::reason::{Accepted, Reason};
use crate::request::split_url;
use crate::resource::is_method;

const KIND: &str = "TrustTableTest";
/// The root of a test file.
pub(crate) const FILE: Schema = fields(&[
    field("apiVersion", Word(&[head::API_VERSION]), "The version of the table's language."),
    field("kind", Word(&[KIND]), "What this file is."),
    field("table", Text, "The table that is tested: a file or a directory, relative to this file."),
    field("now", Date, "The instant of judgement. Without it whenever the cases run."),
    field("cases", List(&Object(&CASE)), "The cases."),
])
.with_required(&["apiVersion", "kind", "table", "cases"]);
const CASE: Schema = fields(&[
    field("name", Text, "What it shows, in a few words; unique in the file."),
    field(
        "token",
        Either(&[Word(&["none"]), Map(&Anything)]),
        "The claims of the token, or `none`. `iat`, `exp` and `jti` are filled in.",
    ),
    field("issuer", Name, "The entry of the table whose key signed the token, where entries share one `iss`."),
    field("base", Text, "In place of `token`: another case, whose token and request count."),
    field("with", Map(&Anything), "Claims of the base to replace; `null` takes one away."),
    field("request", Object(&REQUEST), "What is asked for."),
    field("expect", Object(&EXPECT), "What must come out."),
])
.with_required(&["name", "expect"]);
const REQUEST: Schema = fields(&[
    field("method", Form(Method), "The HTTP method, as a table writes it."),
    field("url", Text, "The URL as the client would ask for it."),
    field("context", Map(&Text), "What the proxy would set as `context_extensions`."),
    field("route", Object(&ROUTE), "The route of Envoy Gateway that the request took."),
    field("headers", Map(&Text), "Headers besides the token's."),
])
.with_required(&["method", "url"]);
const ROUTE: Schema = fields(&[field("namespace", Text, "Its namespace."), field("name", Text, "Its name.")])
    .with_required(&["namespace", "name"]);
const ACTOR: Schema = fields(&[field("iss", Text, "Who says so."), field("sub", Text, "The acting party.")]);
const EXPECT: Schema = fields(&[
    field("decision", Word(&["allow", "deny"]), "The decision."),
    field("reason", Form(Reasons), "The reason, as the decision log names it. Not compared without it."),
    field("grants", Set(&Name), "All grants that allow, in any order. Not compared without it."),
    field("scopes", Set(&Form(Scope)), "All scopes, in any order. Not compared without it."),
    field("iss", Text, "Of an allow: the first half of the principal."),
    field("realm", Text, "Of an allow: its realm."),
    field("actor", Either(&[Word(&["none"]), Object(&ACTOR)]), "Of an allow: who acts, as a pair, or `none`."),
    field("near_miss", Map(&List(&Text)), "Of a denial by the grants: grant → everything that differs in it."),
])
.with_required(&["decision"]);

/// One case as typed: its base is still a name.
#[derive(Debug)]
pub(crate) struct CaseDraft {
    pub(crate) name: At<String>,
    pub(crate) token: Field<Presented>,
    /// The entry of the table whose key signed the token.
    pub(crate) issuer: Field<String>,
    pub(crate) base: Field<String>,
    /// Members to replace; `None` takes one away.
    pub(crate) with: Field<Vec<(String, Option<Json>)>>,
    pub(crate) request: Field<VectorRequest>,
    pub(crate) expect: Field<Expectation>,
}

impl CaseDraft {
    /// For messages: `case "a fork"`.
    pub(crate) fn owner(&self) -> String {
        format!("case {:?}", self.name.value)
    }
}

/// `token:`
#[derive(Debug)]
pub(crate) enum Presented {
    Nothing,
    Claims(Vec<(String, Json)>),
}

/// Where the table is, the instant of judgement, and the cases; `None` where the file is no test file.
pub(crate) fn read(file: &Arc<SourceFile>, report: &mut Report) -> Option<(String, Option<Time>, Vec<CaseDraft>)> {
    let (root, found) = parse(file);
    report.append(found);
    let root = root?;
    let mut cx = Cx::new(file, report, String::from("the test file"));
    if root.members().is_none() {
        let help = format!("a test file begins with `apiVersion: {}` and `kind: {KIND}`", head::API_VERSION);
        cx.report(Code::CR006, root.span, "this is no test file", format!("this is {}", root.what()), help);
        return None;
    }
    let before = cx.report.errors();
    head::field(&mut cx, &root, "kind", KIND);
    if cx.report.errors() > before {
        return None;
    }
    head::field(&mut cx, &root, "apiVersion", head::API_VERSION);
    let fields = Fields::open(&mut cx, "the test file", &root, &FILE)?;
    let table = required(&mut cx, &fields, &root, "table", "add `table: trust.yaml`, relative to this file", text);
    let now = fields.read(&mut cx, "now", start);
    let help = "add `cases:` and under it a list, each with `name`, `token`, `request` and `expect`";
    let cases = required(&mut cx, &fields, &root, "cases", help, |cx, field, node| list(cx, field, node, case));
    let cases = match cases {
        Field::Given(at) => at.value.into_iter().map(|at| at.value).collect(),
        Field::Absent | Field::Broken => Vec::new(),
    };
    Some((table.value().cloned().unwrap_or_default(), now.value().copied(), cases))
}

/// A field that must be there (CR002).
fn required<T>(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    node: &Node,
    name: &'static str,
    help: &str,
    read: impl FnOnce(&mut Cx<'_>, &'static str, &Node) -> Option<T>,
) -> Field<T> {
    let field = fields.read(cx, name, read);
    if field.is_absent() {
        cx.missing(node.span, name, help);
    }
    field
}

fn case(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<CaseDraft> {
    cx.owner = match node.member("name").map(|name| &name.kind) {
        Some(Kind::Scalar { text, .. }) => format!("case {text:?}"),
        _ => String::from("the case"),
    };
    if node.members().is_none() {
        wrong(cx, field, node, "a list of maps", "write `- name: …` and the other fields below it");
        return None;
    }
    let fields = Fields::open(cx, "the case", node, &CASE)?;
    let name = required(cx, &fields, node, "name", "add `name:` with what the case shows, in a few words", text);
    let draft = CaseDraft {
        name: match name {
            Field::Given(name) => name,
            Field::Absent | Field::Broken => At { value: String::new(), place: cx.place(node.span) },
        },
        token: fields.read(cx, "token", token),
        issuer: fields.read(cx, "issuer", super::read::name),
        base: fields.read(cx, "base", text),
        with: fields.read(cx, "with", changes),
        request: fields.read(cx, "request", request),
        expect: required(cx, &fields, node, "expect", "add `expect: {decision: allow}` or `{decision: deny}`", expect),
    };
    origin(cx, node, &draft);
    (!draft.name.value.is_empty()).then_some(draft)
}

/// A case has either a token or a base, and changes only a base.
fn origin(cx: &mut Cx<'_>, node: &Node, draft: &CaseDraft) {
    match (&draft.token, &draft.base) {
        (Field::Absent, Field::Absent) => {
            let help = "add `token:` with the claims, `token: none`, or `base:` with the name of another case";
            cx.missing(node.span, "token", help);
        }
        (Field::Given(token), Field::Given(_)) => {
            let message = format!("{} has both `token` and `base`", cx.owner);
            let help = "keep `base` and write what differs under `with`, or keep `token` alone";
            cx.misfit(token.place.span, message, "whose token?", help);
        }
        _ => {}
    }
    if let (Some(with), Field::Absent) = (draft.with.given(), &draft.base) {
        let message = format!("`with` of {} changes the token of a base, and there is no `base`", cx.owner);
        cx.misfit(with.place.span, message, "nothing to change", "write the claims under `token`");
    }
}

/// The claims of a token, or `none`.
fn token(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Presented> {
    if matches!(&node.kind, Kind::Scalar { text, of: Type::String } if &**text == "none") {
        return Some(Presented::Nothing);
    }
    if node.members().is_none() {
        wrong(cx, field, node, "a map of claims, or `none`", "write `token: {iss: …, sub: …, aud: …}`");
        return None;
    }
    let members = map(cx, field, node)?;
    let claims: Vec<_> =
        members.iter().filter_map(|(key, value)| Some((key.text.to_string(), json(cx, &key.text, value)?))).collect();
    (claims.len() == members.len()).then_some(Presented::Claims(claims))
}

fn changes(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Vec<(String, Option<Json>)>> {
    let members = map(cx, field, node)?;
    let change = |cx: &mut Cx<'_>, name: &str, value: &Node| match json(cx, name, value)? {
        Json::Null => Some((name.to_owned(), None)),
        value => Some((name.to_owned(), Some(value))),
    };
    let changes: Vec<_> = members.iter().filter_map(|(key, value)| change(cx, &key.text, value)).collect();
    (changes.len() == members.len()).then_some(changes)
}

/// The same value in JSON: what is a number or a boolean in YAML is one in the token.
fn json(cx: &mut Cx<'_>, claim: &str, node: &Node) -> Option<Json> {
    match &node.kind {
        Kind::Refused => None,
        Kind::List(items) => {
            let values: Vec<_> = items.iter().filter_map(|item| json(cx, claim, item)).collect();
            (values.len() == items.len()).then_some(Json::Array(values))
        }
        Kind::Map(members) => {
            let values: BTreeMap<_, _> = members
                .iter()
                .filter_map(|(key, value)| Some((key.text.to_string(), json(cx, &key.text, value)?)))
                .collect();
            (values.len() == members.len()).then(|| Json::Object(values.into_iter().collect()))
        }
        Kind::Scalar { text, of } => match of {
            Type::String => Some(Json::String(text.to_string().into())),
            Type::Null => Some(Json::Null),
            Type::Boolean(value) => Some(Json::Bool(*value)),
            Type::Integer | Type::Float => {
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                if number.is_none() {
                    let message = format!("`{claim}` of {} is no number that JSON has", cx.owner);
                    let help = format!("write it in decimal, or quote it if the claim is a string: `\"{text}\"`");
                    cx.misfit(node.span, message, "not a decimal number", help);
                }
                number.map(Json::Number)
            }
        },
    }
}

fn request(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<VectorRequest> {
    let fields = Fields::open(cx, field, node, &REQUEST)?;
    let method = required(cx, &fields, node, "method", "add `method: GET`", method);
    let url = required(cx, &fields, node, "url", "add `url: https://HOST/PATH`", url);
    let headers = fields.read(cx, "headers", pairs);
    let context = fields.read(cx, "context", pairs);
    let route = fields.read(cx, "route", route);
    Some(VectorRequest {
        method: method.value()?.clone(),
        url: url.value()?.clone(),
        headers: headers.items().to_vec(),
        context: context.items().to_vec(),
        route: route.value().cloned(),
    })
}

/// Written as a table writes it: a call with another spelling is refused whatever the table says, and shows nothing of it.
fn method(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let method = text(cx, field, node)?;
    if !is_method(&method) {
        let upper = method.to_ascii_uppercase();
        let help = match is_method(&upper) {
            true => format!("methods are compared exactly: write `{upper}`"),
            false => String::from("a method is an upper-case word such as `GET`"),
        };
        cx.misfit(node.span, format!("{method:?} is not a method"), "", help);
        return None;
    }
    Some(method)
}

fn url(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let url = text(cx, field, node)?;
    if split_url(&url).is_none() {
        cx.misfit(node.span, format!("{url:?} is no URL"), "", "write it as the client would: `https://HOST/PATH`");
        return None;
    }
    Some(url)
}

fn route(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<(String, String)> {
    let fields = Fields::open(cx, field, node, &ROUTE)?;
    let namespace = required(cx, &fields, node, "namespace", "the proxy tells both, namespace and name", text);
    let name = required(cx, &fields, node, "name", "the proxy tells both, namespace and name", text);
    Some((namespace.value()?.clone(), name.value()?.clone()))
}

fn expect(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Expectation> {
    let fields = Fields::open(cx, field, node, &EXPECT)?;
    let help = "add `decision: allow` or `decision: deny`";
    let allowed = required(cx, &fields, node, "decision", help, decision);
    let reason = fields.read(cx, "reason", reason);
    let grants = fields.read(cx, "grants", |cx, field, node| set(cx, field, node, name));
    let scopes = fields.read(cx, "scopes", |cx, field, node| set(cx, field, node, scope));
    let iss = fields.read(cx, "iss", text);
    let realm = fields.read(cx, "realm", text);
    let actor = fields.read(cx, "actor", actor);
    let near_misses = fields.read(cx, "near_miss", near_misses);
    let allowed = *allowed.value()?;
    let misplaced = |cx: &mut Cx<'_>, at: &super::super::Place, what: &str| {
        let decision = if allowed { "allow" } else { "deny" };
        let message = format!("{} expects {what} of a decision that is `{decision}`", cx.owner);
        cx.misfit(at.span, message, "never happens", "correct one of the two");
    };
    if let Some(reason) = reason.given().filter(|reason| is_accepted(reason.value) != allowed) {
        misplaced(cx, &reason.place, &format!("reason `{}`", reason.value));
    }
    // That there are none is true of every denial.
    if let Some(found) = grants.given().filter(|found| !allowed && !found.value.is_empty()) {
        misplaced(cx, &found.place, "grants");
    }
    if let Some(found) = scopes.given().filter(|found| !allowed && !found.value.is_empty()) {
        misplaced(cx, &found.place, "scopes");
    }
    for (field, what) in [(&iss, "an `iss`"), (&realm, "a realm")] {
        if let Some(found) = field.given().filter(|_| !allowed) {
            misplaced(cx, &found.place, what);
        }
    }
    if let Some(found) = actor.given().filter(|_| !allowed) {
        misplaced(cx, &found.place, "an actor");
    }
    if let Some(found) = near_misses.given().filter(|_| allowed) {
        misplaced(cx, &found.place, "near misses");
    }
    Some(Expectation {
        allowed,
        reason: reason.value().copied(),
        grants: grants.value().cloned(),
        scopes: scopes.value().cloned(),
        iss: iss.value().cloned(),
        realm: realm.value().cloned(),
        actor: actor.value().cloned(),
        near_misses: near_misses.value().cloned().unwrap_or_default(),
    })
}

/// The acting party: one half of the pair or both. `none` says that nobody acts.
fn actor(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<BTreeMap<String, String>> {
    if matches!(&node.kind, Kind::Scalar { text, of: Type::String } if &**text == "none") {
        return Some(BTreeMap::new());
    }
    if node.members().is_none() {
        wrong(cx, field, node, "a pair, or `none`", "write `actor: {iss: …, sub: …}`");
        return None;
    }
    Fields::open(cx, field, node, &ACTOR)?;
    Some(pairs(cx, field, node)?.into_iter().collect())
}

fn decision(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<bool> {
    match text(cx, field, node)?.as_str() {
        "allow" => Some(true),
        "deny" => Some(false),
        other => {
            let message = format!("{other:?} is no decision");
            cx.misfit(node.span, message, "", "a decision is `allow` or `deny`");
            None
        }
    }
}

fn codes() -> impl Iterator<Item = &'static str> + Clone {
    let accepted = Accepted::ALL.into_iter().map(Accepted::code);
    accepted.chain(Reason::ALL.into_iter().map(Reason::code))
}

fn is_accepted(code: &str) -> bool {
    Accepted::ALL.into_iter().any(|accepted| accepted.code() == code)
}

fn reason(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<&'static str> {
    let text = text(cx, field, node)?;
    let code = codes().find(|code| *code == text);
    if code.is_none() {
        let help = match nearest(&text, codes()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => String::from("the reasons are those of the decision log, such as `grant_none`"),
        };
        cx.misfit(node.span, format!("{text:?} is no reason"), "", help);
    }
    code
}

/// A whole set; unlike elsewhere the empty list says something: none at all.
fn set(
    cx: &mut Cx<'_>,
    field: &str,
    node: &Node,
    item: fn(&mut Cx<'_>, &str, &Node) -> Option<String>,
) -> Option<BTreeSet<String>> {
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        return Some(BTreeSet::new());
    }
    Some(list(cx, field, node, item)?.into_iter().map(|at| at.value).collect())
}

fn near_misses(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut found = BTreeMap::new();
    for (grant, failed) in map(cx, field, node)? {
        let failed = list(cx, &grant.text, failed, text)?.into_iter().map(|at| at.value).collect();
        found.insert(grant.text.to_string(), failed);
    }
    Some(found)
}
