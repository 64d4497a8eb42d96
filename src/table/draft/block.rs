//! `kind: TrustBlocks`: blocks, as typed.

use std::sync::Arc;

use super::super::yaml::parse;
use super::super::{Code, Diagnostic, Kind, Node, Report, SourceFile, Sources};
use super::fields::{At, Cx, Field, Fields};
use super::head::{self, Belongs};
use super::read::{prose, text};
use super::schema::Shape::{Date, EntriesOrNone, Prose, Text, Word};
use super::schema::{Schema, field, fields};
use super::times::end;
use super::{entries, unique};
use crate::block::BlockedKey;
use crate::clock::Time;

/// The root of a file of blocks.
pub(crate) const BLOCKS: Schema = fields(&[
    field("apiVersion", Word(&[head::API_VERSION]), "The version of the table's language."),
    field("kind", Word(&[head::BLOCKS.kind]), "What this file is."),
    field("blocks", EntriesOrNone(&BLOCK), "Who is refused whatever the table grants. `{}`, written out, is nobody."),
])
.with_required(&["apiVersion", "kind", "blocks"]);
const BLOCK: Schema = fields(&[
    field("issuer", Text, "Who vouched: an exact `iss`, or the name of an entry of the table. Without it, anybody."),
    field("subject", Text, "The exact `sub` of the principal, or of anybody who acts for it."),
    field("key", Text, "The key that verified: `sha256:` and its RFC 7638 thumbprint, or its `kid`."),
    field("jti", Text, "The exact `jti`: this one token."),
    field("issuedBefore", Date, "Tokens that were issued before this, and those that do not say when they were."),
    field(
        "expires",
        Date,
        "When it ends by itself: a date to its last second in UTC, or an instant. Without it, never.",
    ),
    field("reason", Prose, "Why it is there. It stays with you: the client is never told."),
])
.with_required(&["reason"]);

/// The conditions: at least one of them must be written.
const CONDITIONS: [&str; 5] = ["issuer", "subject", "key", "jti", "issuedBefore"];

/// One block as typed.
#[derive(Debug)]
pub(crate) struct BlockDraft {
    pub(crate) name: At<String>,
    pub(crate) issuer: Field<String>,
    pub(crate) subject: Field<String>,
    pub(crate) key: Field<BlockedKey>,
    pub(crate) jti: Field<String>,
    pub(crate) issued_before: Field<Time>,
    pub(crate) expires: Field<Time>,
    pub(crate) reason: Field<String>,
}

/// All blocks of all files; of a name that stands twice the first.
#[derive(Debug, Default)]
pub(crate) struct BlocksDraft {
    pub(crate) blocks: Vec<Box<BlockDraft>>,
    /// Files of this kind.
    pub(crate) files: Vec<Arc<str>>,
    /// Those of them in which nothing is wrong.
    pub(crate) sound: Vec<Arc<str>>,
}

/// Reads every file, and reports everything that is wrong with each by itself.
pub(crate) fn read(sources: &Sources, report: &mut Report) -> BlocksDraft {
    report.append(sources.problems().clone());
    let mut draft = BlocksDraft::default();
    for file in sources.files() {
        draft.file(file, sources.is_directory(), report);
    }
    if let (Some(file), true, false) = (sources.files().first(), draft.files.is_empty(), report.refuses()) {
        let directory = std::path::Path::new(&**file.name()).parent();
        let name = directory.map_or_else(|| file.name().to_string(), |path| path.display().to_string());
        let finding = Diagnostic::about(Code::CR006, &name.into(), "no file here has `kind: TrustBlocks`");
        let help = "a file of blocks begins with `apiVersion: credence.dev/v1alpha1` and `kind: TrustBlocks`";
        report.push(finding.help(help));
    }
    draft.blocks = unique(draft.blocks, "block", |entry| &entry.name, report);
    draft
}

impl BlocksDraft {
    fn file(&mut self, file: &Arc<SourceFile>, in_directory: bool, report: &mut Report) {
        let (root, mut found) = parse(file);
        let Some(root) = root.filter(|root| root.members().is_some() || !found.refuses()) else {
            // What cannot be read may be blocks; but a table that lies beside them holds none of them back.
            if !(in_directory && says_table(file.text())) {
                report.append(found);
            }
            return;
        };
        let mut cx = Cx::new(file, &mut found, String::from("the file"));
        match head::judge(&mut cx, &root, in_directory, head::BLOCKS) {
            Belongs::Elsewhere => return,
            Belongs::Nowhere => {}
            Belongs::Here => {
                self.files.push(Arc::clone(file.name()));
                self.blocks.extend(blocks(&mut cx, &root));
                if !found.refuses() {
                    self.sound.push(Arc::clone(file.name()));
                }
            }
        }
        report.append(found);
    }
}

/// Whether text that is not YAML calls itself a table.
fn says_table(text: &str) -> bool {
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("kind:")).map(str::trim).collect();
    kinds == [head::TABLE.kind]
}

/// A file that was cut off above its first block must not read as one that lifts them all: `{}` has to be written.
fn blocks(cx: &mut Cx<'_>, root: &Node) -> Vec<Box<BlockDraft>> {
    let Some(fields) = Fields::open(cx, "the file", root, &BLOCKS) else { return Vec::new() };
    match fields.node("blocks") {
        None => {
            let mut first_line = root.span;
            first_line.end = first_line.end.max(first_line.start + 1);
            let help = "write `blocks:` and the blocks below it; `blocks: {}` where nobody is to be blocked";
            cx.missing(first_line, "blocks", help);
            Vec::new()
        }
        Some(Node { kind: Kind::Map(members), .. }) if members.is_empty() => Vec::new(),
        Some(_) => entries(cx, &fields, "blocks", "block", BlockDraft::read),
    }
}

impl BlockDraft {
    fn read(cx: &mut Cx<'_>, name: At<String>, node: &Node) -> Option<Self> {
        let fields = Fields::open(cx, &name.value.clone(), node, &BLOCK)?;
        let draft = Self {
            issuer: fields.read(cx, "issuer", text),
            subject: fields.read(cx, "subject", text),
            key: fields.read(cx, "key", |cx, field, node| text(cx, field, node).map(|key| BlockedKey::new(&key))),
            jti: fields.read(cx, "jti", text),
            issued_before: fields.read(cx, "issuedBefore", end),
            expires: fields.read(cx, "expires", end),
            reason: fields.read(cx, "reason", prose),
            name,
        };
        if draft.reason.is_absent() {
            cx.missing(draft.name.place.span, "reason", "add `reason:`: whoever is to lift it one day will ask");
        }
        if draft.asks_nothing() {
            let message = format!("{} says not whom it stops", cx.owner);
            let help = format!("add one of {}", CONDITIONS.map(|name| format!("`{name}`")).join(" "));
            cx.misfit(draft.name.place.span, message, "everybody?", help);
        }
        Some(draft)
    }

    fn asks_nothing(&self) -> bool {
        self.issuer.is_absent()
            && self.subject.is_absent()
            && self.key.is_absent()
            && self.jti.is_absent()
            && self.issued_before.is_absent()
    }
}
