//! Fields that every entry has.

use std::collections::BTreeMap;

use super::super::{Acceptance, Code, Kind, Node, Place, Severity, Steward, Type};
use super::fields::{At, Cx, Field, Fields};
use super::read::{list, pairs, prose, text, wrong};
use super::schema::Shape::{Form, Prose};
use super::schema::{Form::Code as CodeForm, Schema, field, fields};
use super::times::end;
use crate::clock::Time;

/// An end, a date to look again, someone to call, and the warnings that were looked at and accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Common {
    pub(crate) expires: Field<Time>,
    pub(crate) review_by: Field<Time>,
    pub(crate) owner: Field<String>,
    pub(crate) description: Field<String>,
    pub(crate) labels: Field<Vec<(String, String)>>,
    pub(crate) accept: Field<Vec<At<Acceptance>>>,
}

impl Common {
    pub(super) fn read(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Self {
        Self {
            expires: fields.read(cx, "expires", end),
            review_by: fields.read(cx, "reviewBy", end),
            owner: fields.read(cx, "owner", text),
            description: fields.read(cx, "description", prose),
            labels: fields.read(cx, "labels", pairs),
            accept: fields.read(cx, "accept", acceptances),
        }
    }

    /// Whether whoever wrote the entry looked at what this rule warns of, and wants it.
    pub(crate) fn accepts(&self, code: Code) -> bool {
        self.accept.items().iter().any(|one| one.value.code == code)
    }

    /// Who looks after the entry, and why it is there.
    pub(crate) fn steward(&self, reason: Option<&String>) -> Steward {
        Steward {
            owner: self.owner.value().cloned(),
            description: self.description.value().cloned(),
            reason: reason.cloned(),
            review_by: self.review_by.value().copied(),
            expires: self.expires.value().copied(),
            labels: self.labels.value().cloned().unwrap_or_default(),
            accepts: self.accept.items().iter().map(|one| one.value.clone()).collect(),
        }
    }
}

pub(super) const ACCEPTANCE: Schema = fields(&[
    field("code", Form(CodeForm), "The warning, such as `CR401`. What refuses a table cannot be accepted."),
    field("reason", Prose, "Why it is wanted, for whoever reads this next."),
])
.with_required(&["code", "reason"]);

/// A list of them, each code once: of two reasons nobody could tell which one holds.
fn acceptances(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Vec<At<Acceptance>>> {
    if let Kind::Scalar { of: Type::String, .. } | Kind::Map(_) = node.kind {
        wrong(cx, field, node, "a list", &form(node, "accept: [", "]"));
        return None;
    }
    let items = list(cx, field, node, acceptance)?;
    let mut first: BTreeMap<Code, Place> = BTreeMap::new();
    for At { value, place } in &items {
        let Some(earlier) = first.get(&value.code) else {
            first.insert(value.code, place.clone());
            continue;
        };
        let message = format!("`accept` of {} names {} twice", cx.owner, value.code);
        let label = format!("first at {earlier}");
        cx.misfit(place.span, message, label, "keep one of the two, with its reason");
    }
    Some(items)
}

/// `{code, reason}`: only warnings can be accepted.
fn acceptance(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Acceptance> {
    if let Kind::Scalar { of: Type::String, .. } = node.kind {
        wrong(cx, field, node, "a map", &form(node, "", ""));
        return None;
    }
    let fields = Fields::open(cx, field, node, &ACCEPTANCE)?;
    let (code, reason) = (fields.read(cx, "code", code), fields.read(cx, "reason", prose));
    for (name, missing) in [("code", code.is_absent()), ("reason", reason.is_absent())] {
        if missing {
            let message = format!("`accept` of {} has an item without `{name}`", cx.owner);
            let help = "write `{code: CR401, reason: why this is wanted}`";
            cx.misfit(node.span, message, format!("`{name}` is missing"), help);
        }
    }
    Some(Acceptance { code: *code.value()?, reason: reason.value()?.clone() })
}

/// How an acceptance is written, of the code that stands there if there is one.
fn form(node: &Node, before: &str, after: &str) -> String {
    let written = match &node.kind {
        Kind::Scalar { text, .. } => Code::parse(text),
        _ => None,
    };
    let code = written.map_or("CR401", Code::as_str);
    format!("write `{before}{{code: {code}, reason: why this is wanted}}{after}`")
}

fn code(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Code> {
    let text = text(cx, field, node)?;
    let Some(code) = Code::parse(&text) else {
        let help = "a code is as `credence check` prints it in brackets, such as `CR401`";
        cx.misfit(node.span, format!("{text:?} is not the code of a rule"), "no such rule", help);
        return None;
    };
    if code.severity() == Severity::Error {
        let message = format!("{code} refuses a table and cannot be accepted away");
        cx.misfit(node.span, message, code.title(), "mend what it is about; only 2xx to 4xx can be accepted");
        return None;
    }
    Some(code)
}
