//! `actor:` of a grant, as typed.

use super::super::{Kind, Node, Type};
use super::fields::{At, Cx, Field, Fields};
use super::grant::{SUBJECT, Subject, subject};
use super::read::{text, wrong};
use super::schema::Shape::{Either, Number, Object, OneOrList, Text, Word};
use super::schema::{Schema, field, fields};

pub(super) const ACTOR: Schema = fields(&[
    field("issuer", Word(&["same"]), "Who vouches for the actor: the token's issuer, as nobody else can."),
    field(
        "subject",
        Either(&[OneOrList(&Text), Object(&SUBJECT)]),
        "The exact `act.sub`, a list of them, or a pattern.",
    ),
    field("maxDepth", Number(1, MOST), "How many parties the chain may have, the actor counted. Without it 1."),
])
.with_required(&["subject"]);

/// The longest chain that can be allowed: no token nests more deeply.
const MOST: u8 = 14;

/// Who acts, as typed.
#[derive(Debug)]
pub(crate) struct ActorDraft {
    pub(crate) subject: At<Subject>,
    /// `maxDepth`, 1 where it is not written.
    pub(crate) max_depth: u8,
}

/// `{issuer: same, subject: …, maxDepth: 1}`; of these only `subject` must be there.
pub(super) fn actor(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<ActorDraft> {
    if !matches!(node.kind, Kind::Map(_)) {
        let help = "write whom the token must name as acting: `actor: {subject: \"agent:travel-planner\"}`";
        wrong(cx, field, node, "a map", help);
        return None;
    }
    let owner = std::mem::take(&mut cx.owner);
    cx.owner = format!("the actor of {owner}");
    let read = read(cx, field, node);
    cx.owner = owner;
    read
}

fn read(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<ActorDraft> {
    let fields = Fields::open(cx, field, node, &ACTOR)?;
    let issuer = fields.read(cx, "issuer", same);
    let max_depth = fields.read(cx, "maxDepth", depth);
    let subject = fields.read(cx, "subject", subject);
    if subject.is_absent() {
        cx.missing(node.span, "subject", "add `subject:` with the exact `act.sub`, a list of them, or `{glob: …}`");
    }
    let Field::Given(subject) = subject else { return None };
    if matches!(subject.value, Subject::Any) {
        let help = "list the actors by name, or write `{glob: \"agent/*\"}`";
        cx.misfit(subject.place.span, format!("`subject` of {} cannot be `any`", cx.owner), "whoever acts?", help);
        return None;
    }
    if matches!(issuer, Field::Broken) || matches!(max_depth, Field::Broken) {
        return None;
    }
    Some(ActorDraft { subject, max_depth: max_depth.value().copied().unwrap_or(1) })
}

/// Nobody but the token's issuer vouches for an actor, so no other issuer can be named.
fn same(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<()> {
    if text(cx, field, node)? == "same" {
        return Some(());
    }
    let help = "write `issuer: same`, or leave it out: of an actor at another issuer nobody has proof";
    cx.misfit(node.span, format!("`{field}` of {} can only be `same`", cx.owner), "", help);
    None
}

/// How many parties the chain may have, the actor counted.
fn depth(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<u8> {
    if let Kind::Scalar { text, of: Type::Integer } = &node.kind
        && let Ok(depth @ 1..=MOST) = text.parse()
    {
        return Some(depth);
    }
    let help = "1 allows the actor alone, 2 another one before it, and so on";
    cx.misfit(node.span, format!("`{field}` of {} must be a number from 1 to {MOST}", cx.owner), "", help);
    None
}
