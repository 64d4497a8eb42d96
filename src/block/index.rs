//! Many blocks, found by what they are about: a decision costs the same however many there are.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Block, Namesakes, Suspect};
use crate::clock::Time;
use crate::name::Thumbprint;

/// Positions in the list, by what the blocks there are about.
type Filed<K> = HashMap<K, Vec<usize>>;

/// All blocks of one state of the files, each under the condition that the fewest tokens meet. What is found there is
/// only proposed: every condition is judged.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Sorted by name.
    list: Vec<Block>,
    digest: String,
    by_token: Filed<[u8; 32]>,
    by_subject: Filed<Box<str>>,
    by_thumbprint: Filed<Thumbprint>,
    by_key_id: Filed<Box<str>>,
    by_issuer: Filed<Box<str>>,
    /// About nothing but when a token was issued.
    by_time: Vec<usize>,
}

impl Blocks {
    /// No block: where no file of blocks was named.
    pub fn none() -> &'static Self {
        static NONE: LazyLock<Blocks> = LazyLock::new(|| Blocks::build(Vec::new()));
        &NONE
    }

    /// Files them. One without any condition would stand against everybody.
    pub fn build(mut list: Vec<Block>) -> Self {
        list.sort_by(|one, two| one.name.cmp(&two.name));
        let mut blocks = Self { digest: meaning(&list), ..Self::default() };
        for (at, block) in list.iter().enumerate() {
            blocks.file(at, block);
        }
        Self { list, ..blocks }
    }

    fn file(&mut self, at: usize, block: &Block) {
        let conditions = &block.conditions;
        if let Some(id) = conditions.token_id {
            return put(&mut self.by_token, id, at);
        }
        if let Some(subject) = &conditions.subject {
            return put(&mut self.by_subject, subject.as_str().into(), at);
        }
        if let Some(key) = &conditions.key {
            if let Some(thumbprint) = key.thumbprint {
                put(&mut self.by_thumbprint, thumbprint, at);
            }
            return put(&mut self.by_key_id, key.key_id.as_str().into(), at);
        }
        match &conditions.issuer {
            Some(issuer) => put(&mut self.by_issuer, issuer.as_str().into(), at),
            None => self.by_time.push(at),
        }
    }

    /// The block that stands against this token at this time; of several the first by name.
    pub fn against(&self, suspect: &Suspect<'_>, now: Time, namesakes: &dyn Namesakes) -> Option<&Block> {
        if self.list.is_empty() {
            return None;
        }
        let by_token = suspect.token_id.and_then(|id| self.by_token.get(id));
        let by_subject = suspect.subjects().filter_map(|subject| self.by_subject.get(subject));
        let by_thumbprint = suspect.key.and_then(|key| self.by_thumbprint.get(&key));
        let by_key_id = suspect.key_id.and_then(|name| self.by_key_id.get(name));
        let by_issuer = suspect.issuers().filter_map(|issuer| self.by_issuer.get(issuer));
        let filed = by_token.into_iter().chain(by_subject).chain(by_thumbprint).chain(by_key_id).chain(by_issuer);
        let proposed = filed.flatten().chain(&self.by_time).filter_map(|at| Some((at, self.list.get(*at)?)));
        let standing = proposed.filter(|(_, block)| block.is_in_force(now) && block.holds(suspect, namesakes));
        standing.min_by_key(|(at, _)| **at).map(|(_, block)| block)
    }

    /// SHA-256 of what they mean, in hexadecimal: the same for the same blocks in another order or file.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Every block, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Block> {
        self.list.iter()
    }

    /// How many there are, those that have ended counted.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

fn put<K: Hash + Eq>(filed: &mut Filed<K>, key: K, at: usize) {
    filed.entry(key).or_default().push(at);
}

/// Everything that has a say in a decision or its log line; reasons and places have none.
fn meaning(list: &[Block]) -> String {
    let mut text = String::new();
    for block in list {
        // Quoted by `Debug`, so no text can look like a line.
        let _ = writeln!(text, "block {:?} {:?} {:?}", block.name, block.conditions, block.expires);
    }
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
