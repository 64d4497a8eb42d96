//! Many blocks, found by what they are about: a decision costs the same however many there are.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Block, Conditions, Namesakes, Suspect};
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
        let judged = self.proposed(suspect).filter_map(|at| Some((at, self.list.get(at)?)));
        let standing = judged.filter(|(_, block)| block.is_in_force(now) && block.conditions.hold(suspect, namesakes));
        standing.min_by_key(|(at, _)| *at).map(|(_, block)| block)
    }

    /// Whether one may stand against a token of which nothing is proven: by what it says, and by whatever key.
    pub fn may_stand_against(&self, suspect: &Suspect<'_>, now: Time, namesakes: &dyn Namesakes) -> bool {
        // Where a key of the entry is not at hand, it may be any that is blocked; of an entry that is in no table it is none.
        let any_key = suspect.key.is_none() && !suspect.entry.is_empty();
        let by_any_key = self.by_thumbprint.values().flatten().copied().filter(|_| any_key);
        let judged = self.proposed(suspect).chain(by_any_key).filter_map(|at| self.list.get(at));
        let mut standing = judged.filter(|block| block.is_in_force(now));
        standing.any(|block| match &block.conditions {
            conditions @ Conditions { key: Some(key), .. } if key.thumbprint.is_some() && any_key => {
                let whatever_key = Conditions { key: None, ..conditions.clone() };
                whatever_key.hold(suspect, namesakes)
            }
            conditions => conditions.hold(suspect, namesakes),
        })
    }

    /// Whether any is in force at this time.
    pub fn any_in_force(&self, now: Time) -> bool {
        self.list.iter().any(|block| block.is_in_force(now))
    }

    /// The positions of those that may stand against it, some perhaps twice.
    fn proposed(&self, suspect: &Suspect<'_>) -> impl Iterator<Item = usize> {
        let by_token = suspect.token_id.and_then(|id| self.by_token.get(id));
        let by_subject = suspect.subjects().filter_map(|subject| self.by_subject.get(subject));
        let by_thumbprint = suspect.key.and_then(|key| self.by_thumbprint.get(&key));
        let by_key_id = suspect.key_id.and_then(|name| self.by_key_id.get(name));
        let by_issuer = suspect.issuers().filter_map(|issuer| self.by_issuer.get(issuer));
        let filed = by_token.into_iter().chain(by_subject).chain(by_thumbprint).chain(by_key_id).chain(by_issuer);
        filed.flatten().chain(&self.by_time).copied()
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

#[cfg(test)]
mod tests {
    use super::super::tests::{block, issuer, key, subject, suspect};
    use super::*;
    use crate::claims::token_id;

    #[test]
    fn of_ten_thousand_blocks_none_is_looked_at_that_is_about_somebody_else() {
        let of = |number: usize| match number % 5 {
            0 => subject(&format!("robot-{number}")),
            1 => Conditions { issuer: Some("acme".into()), ..subject(&format!("robot-{number}")) },
            2 => key(&format!("k-{number}")),
            3 => Conditions { token_id: Some(token_id(&number.to_string())), ..issuer("acme") },
            _ => issuer(&format!("https://idp-{number}.test")),
        };
        let blocks = |many| Blocks::build((0..many).map(|at| block(&format!("b{at}"), of(at))).collect());
        assert_eq!(blocks(10_000).proposed(&suspect()).count(), 0);
        let mut list: Vec<_> = blocks(10_000).list;
        list.push(block("mine", subject("worker")));
        assert_eq!(Blocks::build(list).proposed(&suspect()).count(), 1);
    }
}
