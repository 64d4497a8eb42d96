//! The block that stood against a logged caller, and where it is written.

use super::output::value;
use crate::block::{Block, Blocks};

/// What the log says of a block, and what the blocks at hand say of the same name. The log keeps no digest of the blocks
/// that were in force: by now another block may have the name.
pub(super) struct Stands<'a> {
    name: &'a str,
    /// Whether blocks are at hand at all, and if so the one of this name.
    at_hand: Option<Option<&'a Block>>,
}

impl<'a> Stands<'a> {
    /// The block that the log names.
    pub(super) fn by(name: &'a str, blocks: Option<&'a Blocks>) -> Self {
        let find = |blocks: &'a Blocks| blocks.iter().find(|block| block.name.as_str() == name);
        Self { name, at_hand: blocks.map(find) }
    }

    fn written(&self) -> Option<&'a Block> {
        self.at_hand.flatten()
    }

    /// Its line.
    pub(super) fn site(&self) -> Option<String> {
        self.written().map(|block| block.site.to_string())
    }

    /// Why it is there, in the words of whoever wrote it.
    pub(super) fn reason(&self) -> Option<&'a str> {
        self.written().map(|block| block.reason.as_str())
    }

    /// A paragraph for people.
    pub(super) fn text(&self) -> String {
        let name = value(self.name);
        match self.at_hand {
            None => format!("\nblock that stood against it\n  {name}  (give its file with --blocks to see the line)\n"),
            Some(None) => format!(
                "\nblock that stood against it\n  {name}  [not in the blocks at hand: lifted, or in another file]\n"
            ),
            Some(Some(block)) => format!(
                "\nblock that stood against it\n  {name}  [{}]\n  reason: {}\n",
                value(&block.site),
                value(&block.reason)
            ),
        }
    }
}
