//! From files of blocks to what every decision asks; apart from the table, so that neither can hold back the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::{BlockDraft, head, read_blocks};
use super::kind::kind_of;
use super::{Code, Diagnostic, Issuers, Place, Report, Snapshot, Sources};
use crate::block::{Block, Blocks, Conditions, Namesakes};
use crate::claims::{MAX_ID, MAX_SUBJECT, token_id};
use crate::clock::Time;
use crate::credential::ClaimedIssuer;
use crate::name::BlockName;

/// What came of reading blocks.
#[derive(Debug)]
pub struct CompiledBlocks {
    /// The blocks; `None` if anything refuses the files.
    pub blocks: Option<Blocks>,
    /// Where the files are refused, the blocks of those in which nothing is wrong: good for refusing more, never less.
    pub sound: Vec<Block>,
    /// The files that are of this kind.
    pub files: Vec<Arc<str>>,
    /// Everything that was found, warnings too.
    pub report: Report,
}

/// Compiles what was read. `now` and `table` only serve to warn: of a block that stops nobody, or more than it may seem.
pub fn compile_blocks(sources: &Sources, now: Time, table: Option<&Snapshot>) -> CompiledBlocks {
    let mut report = Report::default();
    let draft = read_blocks(sources, &mut report);
    for block in &draft.blocks {
        idle(block, now, table, &mut report);
        wide(block, now, &mut report);
    }
    let all = draft.blocks.iter().map(|block| block.block());
    if report.refuses() {
        let sound = all.filter(|block| draft.sound.contains(&block.site.file)).collect();
        return CompiledBlocks { blocks: None, sound, files: draft.files, report };
    }
    CompiledBlocks { blocks: Some(Blocks::build(all.collect())), sound: Vec::new(), files: draft.files, report }
}

impl BlockDraft {
    fn block(&self) -> Block {
        let conditions = Conditions {
            issuer: self.issuer.value().cloned(),
            subject: self.subject.value().cloned(),
            key: self.key.value().cloned(),
            token_id: self.jti.value().map(|jti| token_id(jti)),
            issued_before: self.issued_before.value().copied(),
        };
        Block {
            name: BlockName::new(self.name.value.as_str()),
            site: self.name.place.site(),
            conditions,
            expires: self.expires.value().copied(),
            reason: self.reason.value().cloned().unwrap_or_default(),
        }
    }
}

/// Warns of a block that stops nobody (CR404).
fn idle(block: &BlockDraft, now: Time, table: Option<&Snapshot>, report: &mut Report) {
    let mut warn = |place: &Place, message: &str, label: &str, help: &str| {
        let message = format!("block \"{}\" {message}", block.name.value);
        report.push(Diagnostic::at(Code::CR404, place, message).label(label).help(help));
    };
    if let Some(end) = block.expires.given().filter(|end| end.value <= now) {
        warn(&end.place, "has ended", "in the past", "set a later end if it is still needed, or remove it");
    }
    if let (Some(issuer), Some(table)) = (block.issuer.given(), table)
        && !table.issuers.knows(&issuer.value)
    {
        let help = "write the `iss` exactly as tokens carry it, or the name of the entry; `credence inspect --block NAME` \
                    writes a block for a token";
        let (message, label) = ("names an issuer that is not in the table", "no entry has this name or `iss`");
        warn(&issuer.place, message, label, help);
    }
    for (field, most) in [(&block.subject, MAX_SUBJECT), (&block.jti, MAX_ID)] {
        if let Some(text) = field.given().filter(|text| text.value.len() > most) {
            let label = format!("more than {most} bytes");
            warn(&text.place, "is about a text that no token can carry", &label, "copy it from the token or the log");
        }
    }
    if let Some(key) = block.key.given() {
        let (text, like) = (key.value.key_id.as_str(), ["sha256:", "urn:ietf:params:oauth:jwk-thumbprint:"]);
        if key.value.thumbprint.is_none() && like.iter().any(|start| text.starts_with(start)) {
            let help = "a thumbprint is `sha256:` and 43 characters, as `credence issuer probe` prints it";
            warn(&key.place, "has a thumbprint that is none", "only a `kid` of just this text is stopped", help);
        }
    }
}

/// Warns of a block that stops more than it may seem (CR405).
fn wide(block: &BlockDraft, now: Time, report: &mut Report) {
    let mut warn = |place: &Place, message: &str, label: &str, help: &str| {
        let message = format!("block \"{}\" {message}", block.name.value);
        report.push(Diagnostic::at(Code::CR405, place, message).label(label).help(help));
    };
    let everywhere = block.issuer.is_absent() && block.jti.is_absent();
    let alone = block.subject.is_absent() && block.key.is_absent() && block.jti.is_absent();
    if let Some(before) = block.issued_before.given().filter(|before| before.value > now && alone) {
        let message = if everywhere { "stops every token there is" } else { "stops every token of the issuer" };
        let help = "an instant that has passed spares what was issued since; where all is to stop, say until when with `expires`";
        return warn(&before.place, message, "lies in the future: nothing is issued later, until then", help);
    }
    if !everywhere {
        return;
    }
    let help = "add `issuer`, unless it is to reach them all";
    if let Some(subject) = block.subject.given() {
        let label = "the same `sub` at another issuer is somebody else";
        return warn(&subject.place, "stops this subject at every issuer", label, help);
    }
    match (block.key.given(), block.issued_before.given()) {
        (Some(key), _) if key.value.thumbprint.is_none() => {
            let label = "a `kid` means something only at its issuer";
            warn(&key.place, "stops the key of this name at every issuer", label, help);
        }
        (None, Some(before)) => {
            warn(&before.place, "stops earlier tokens of every issuer", "whoever issued them is stopped alike", help);
        }
        _ => {}
    }
}

impl Issuers {
    /// Whether an entry has this name, or takes tokens of this `iss`.
    fn knows(&self, text: &str) -> bool {
        let named = self.named(ClaimedIssuer::Issuer(text)).next().is_some();
        named || self.iter().any(|issuer| issuer.name.as_str() == text || issuer.issuer.as_str() == text)
    }
}

impl Namesakes for Issuers {
    fn is_entry(&self, iss: &str, name: &str) -> bool {
        let domain = iss.strip_prefix("spiffe://").map(ClaimedIssuer::TrustDomain);
        let named = [Some(ClaimedIssuer::Issuer(iss)), domain].into_iter().flatten();
        named.flat_map(|claimed| self.named(claimed)).any(|issuer| issuer.name.as_str() == name)
    }
}

/// Blocks whose issuer is not in the table: a sentence for each. They stand all the same, but against nobody.
pub fn unknown_issuers(blocks: &Blocks, table: &Snapshot) -> Vec<String> {
    let known: BTreeSet<_> =
        table.issuers.iter().flat_map(|issuer| [issuer.name.as_str(), issuer.issuer.as_str()]).collect();
    let unknown = blocks.iter().filter_map(|block| {
        let issuer = block.conditions.issuer.as_deref()?;
        (!known.contains(issuer) && table.issuers.named(ClaimedIssuer::Issuer(issuer)).next().is_none())
            .then_some((block, issuer))
    });
    unknown
        .map(|(block, issuer)| format!("block {} [{}]: no issuer of the table is {issuer:?}", block.name, block.site))
        .collect()
}

/// Blocks that would be lifted only because their file is gone (CR005): of a file that is there, each change is somebody's
/// will, but a file that vanished says nothing.
pub fn lifted_by_absence(before: &Blocks, after: &Blocks, files: &[Arc<str>], now: Time) -> Report {
    let there: BTreeSet<_> = files.iter().collect();
    let still: BTreeSet<_> = after.iter().map(|block| &block.name).collect();
    let mut report = Report::default();
    for block in before.iter().filter(|block| block.is_in_force(now)) {
        if there.contains(&block.site.file) || still.contains(&block.name) {
            continue;
        }
        let message = format!("no file of blocks any more, and block \"{}\" would be gone with it", block.name);
        let help = "put it back; to lift its blocks write `blocks: {}` into it, or move them to another file first";
        report.push(Diagnostic::about(Code::CR005, &block.site.file, message).help(help));
    }
    report
}

/// What the files of a path are, where that is to be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documents {
    /// Whether some are, or could be, part of a table.
    pub table: bool,
    /// Whether some are blocks.
    pub blocks: bool,
}

impl Documents {
    /// Looks at the `kind` of each file. What says nothing of itself that is known is taken for a table.
    pub fn of(sources: &Sources) -> Self {
        let kinds: Vec<_> = sources.files().iter().map(|file| kind_of(file).unwrap_or_default()).collect();
        let blocks = kinds.iter().any(|kind| kind == head::BLOCKS.kind);
        Self { table: !blocks || kinds.iter().any(|kind| kind == head::TABLE.kind), blocks }
    }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
