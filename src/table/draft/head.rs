//! The first two fields: is this file part of the table, or of the blocks?

use super::super::{Code, Kind, Node, Type};
use super::fields::{Cx, nearest};

pub(super) const API_VERSION: &str = "credence.dev/v1alpha1";
/// The kinds of this program: none of them is another one misspelt.
const KINDS: [&str; 3] = [TABLE.kind, BLOCKS.kind, "TrustTableTest"];

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::table) struct Document {
    /// Its `kind`.
    pub(in crate::table) kind: &'static str,
    /// What it is called, with its article.
    pub(in crate::table) what: &'static str,
}

/// A trust table.
pub(in crate::table) const TABLE: Document = Document { kind: "TrustTable", what: "a table" };
/// Blocks.
pub(in crate::table) const BLOCKS: Document = Document { kind: "TrustBlocks", what: "a file of blocks" };

/// What to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// It is part of the table.
    Here,
    /// It is something else that happens to lie in the same directory: it is passed over.
    Elsewhere,
    /// It was given as the table and is none; reported.
    Nowhere,
}

/// Looks at `kind` and `apiVersion` (CR006).
pub(super) fn judge(cx: &mut Cx<'_>, root: &Node, in_directory: bool, wanted: Document) -> Belongs {
    let Document { kind, what } = wanted;
    if root.members().is_none() {
        let help = format!("{what} begins with `apiVersion: {API_VERSION}` and `kind: {kind}`");
        let message = if wanted == TABLE { "this is no trust table".to_owned() } else { format!("this is not {what}") };
        cx.report(Code::CR006, root.span, message, format!("this is {}", root.what()), help);
        return Belongs::Nowhere;
    }
    let other = kind_of(root).filter(|found| is_other(found, kind));
    if other.is_some() && in_directory {
        return Belongs::Elsewhere;
    }
    field(cx, root, "kind", kind);
    if other.is_some() {
        return Belongs::Nowhere;
    }
    field(cx, root, "apiVersion", API_VERSION);
    Belongs::Here
}

fn word(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar { text, of: Type::String } => Some(text),
        _ => None,
    }
}

/// What a file says of its kind.
fn kind_of(root: &Node) -> Option<&str> {
    root.member("kind").and_then(word)
}

/// A kind that somebody meant, and not a slip of the fingers.
fn is_other(found: &str, wanted: &str) -> bool {
    found != wanted && (KINDS.contains(&found) || nearest(found, [wanted].into_iter()).is_none())
}

/// Looks at one of the first two fields (CR006).
pub(super) fn field(cx: &mut Cx<'_>, root: &Node, name: &str, wanted: &str) {
    let help = format!("write `{name}: {wanted}`");
    let Some(node) = root.member(name) else {
        let mut first_line = root.span;
        first_line.end = first_line.end.max(first_line.start + 1);
        return cx.report(
            Code::CR006,
            first_line,
            format!("the file has no `{name}`"),
            format!("`{name}` is missing"),
            help,
        );
    };
    match word(node) {
        Some(found) if found == wanted => {}
        Some(found) => {
            cx.report(Code::CR006, node.span, format!("`{name}` is {found:?}, not {wanted:?}"), "", help);
        }
        None if matches!(node.kind, Kind::Refused) => {}
        None => cx.report(
            Code::CR006,
            node.span,
            format!("`{name}` must be {wanted:?}"),
            format!("this is {}", node.what()),
            help,
        ),
    }
}
