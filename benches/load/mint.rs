//! Keys and tokens: real ones, distinct ones, many of them, and only in memory.

use std::sync::Arc;

use serde_json::Value;

use crate::support::key::Key;
use crate::support::now;
use crate::support::token::Token;

/// Somebody who signs.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) key: Arc<Key>,
    pub(crate) iss: String,
    pub(crate) sub: String,
    /// Claims besides the registered ones.
    pub(crate) claims: Value,
    pub(crate) typ: &'static str,
}

impl Signer {
    /// Its token with this number, for this audience, good for an hour.
    pub(crate) fn token(&self, number: usize, audience: &str) -> Token {
        let now = now();
        Token::new(&self.key, &self.iss, &self.sub, audience)
            .header("typ", self.typ)
            .claims(self.claims.clone())
            .claim("iat", now)
            .claim("exp", now + 3600)
            .claim("jti", format!("id-{number:08}"))
    }
}

/// Work shared out among as many threads as there are cores; the results stand in the order of their numbers.
pub(crate) fn in_parallel<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = count.div_ceil(threads).max(1);
    let make = &make;
    std::thread::scope(|scope| {
        let starts = (0..count).step_by(share);
        let threads: Vec<_> = starts
            .map(|start| scope.spawn(move || (start..(start + share).min(count)).map(make).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

/// So many distinct tokens with numbers from `from` on, the signers in turn.
pub(crate) fn tokens(signers: &[Signer], audience: &str, from: usize, count: usize) -> Vec<String> {
    in_parallel(count, |n| {
        let number = from + n;
        signers
            .get(number % signers.len().max(1))
            .map(|signer| signer.token(number, audience).mint())
            .unwrap_or_default()
    })
}

/// Like [`tokens`], with signatures that do not verify: right in length and shape, of other bytes.
pub(crate) fn forged(signers: &[Signer], audience: &str, from: usize, count: usize) -> Vec<String> {
    let mut tokens = tokens(signers, audience, from, count);
    let signatures: Vec<String> =
        tokens.iter().map(|token| token.rsplit_once('.').map_or("", |(_, signature)| signature).to_owned()).collect();
    let shifted = signatures.iter().cycle().skip(1);
    for (token, signature) in tokens.iter_mut().zip(shifted) {
        token.truncate(token.rfind('.').map_or(0, |dot| dot + 1));
        token.push_str(signature);
    }
    tokens
}
