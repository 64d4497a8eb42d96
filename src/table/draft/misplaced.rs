//! Fields that stand beside the name of their entry and not below it: the commonest slip of the indentation.

use std::collections::BTreeSet;

use super::super::{Code, Key, Node};
use super::fields::{Cx, is_nothing};
use super::schema::Schema;

/// What of a section stands in the wrong place.
#[derive(Debug, Default)]
pub(super) struct Misplaced {
    /// The members that are no entries, by their position: fields at the level of the names, and the entry above them
    /// where nothing stands below its name.
    pub(super) passed_over: BTreeSet<usize>,
    /// Each such field, after the position of the entry that it belongs to.
    fields: Vec<(usize, &'static str)>,
}

impl Misplaced {
    /// Fields that the entry at this position has in the wrong place.
    pub(super) fn of(&self, at: usize) -> Vec<&'static str> {
        self.fields.iter().filter(|(entry, _)| *entry == at).map(|(_, name)| *name).collect()
    }
}

/// Looks for fields at the level of the names. Each entry's are reported once (CR002).
pub(super) fn fields(cx: &mut Cx<'_>, members: &[(Key, Node)], schema: &Schema) -> Misplaced {
    let mut found = Misplaced::default();
    // The entry above, and whether its fields were told of.
    let mut above: Option<(usize, &Key, bool)> = None;
    for (at, (key, node)) in members.iter().enumerate() {
        let entry = above.and_then(|(position, ..)| members.get(position));
        let empty = entry.is_some_and(|(_, node)| is_nothing(node));
        match above.as_mut() {
            Some((position, name, told)) if is_field(key, node, schema, empty) => {
                found.passed_over.insert(at);
                found.fields.extend(schema.names().find(|name| *name == &*key.text).map(|name| (*position, name)));
                if empty {
                    found.passed_over.insert(*position);
                }
                if !*told {
                    *told = true;
                    let message = format!("`{}` stands beside `{}` and not below it", key.text, name.text);
                    let help = format!("indent it, and the other fields, deeper than `{}:`", name.text);
                    cx.report(Code::CR002, key.span, message, "a field of an entry, at the place of a name", help);
                }
            }
            _ => above = Some((at, key, false)),
        }
    }
    found
}

/// Whether a member is a field and no entry of that name: an entry has fields of its own.
fn is_field(key: &Key, node: &Node, schema: &Schema, below_nothing: bool) -> bool {
    if !schema.names().any(|name| name == &*key.text) {
        return false;
    }
    let needed = |name: &str| schema.required.is_empty() || schema.required.contains(&name);
    let fields = |members: &[(Key, Node)]| {
        members.iter().any(|(key, _)| schema.names().any(|name| name == &*key.text && needed(name)))
    };
    below_nothing || !node.members().is_some_and(fields)
}
