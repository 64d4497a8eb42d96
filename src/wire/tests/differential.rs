//! The reader in place against `prost`, over mutated messages: what one takes the other takes, and reads the same.
//!
//! `MUTATIONS` and `SEED` in the environment make a longer or another run.

use envoy_types::pb::envoy;
use prost::Message;

use super::corpus::corpus;
use super::mutate::{Dice, Field, Manners, mutate, parse, scramble, write};
use super::reference;
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::reason::Reason;
use crate::wire::question::read;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn mutations(usual: u64) -> impl Iterator<Item = u64> {
    let (seed, count) = (setting("SEED", 5), setting("MUTATIONS", usual));
    println!("SEED={seed} MUTATIONS={count}");
    (0..count).map(move |number| seed.wrapping_mul(1 << 40).wrapping_add(number))
}

/// A message that resembles a question.
fn mutant(corpus: &[Vec<Field>], manners: Manners, number: u64) -> Vec<u8> {
    let mut dice = Dice(number);
    let mut message = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let other = &corpus[dice.below(corpus.len())];
        mutate(&mut message, other, manners, &mut dice);
    }
    let mut bytes = Vec::new();
    write(&message, &mut bytes);
    if manners == Manners::Wild && dice.one_in(4) {
        scramble(&mut bytes, &mut dice);
    }
    bytes
}

fn parsed() -> Vec<Vec<Field>> {
    corpus().iter().map(|bytes| parse(bytes).unwrap()).collect()
}

/// Fails unless both readers say the same; whether they took the message.
fn agree(bytes: &[u8], name: &str) -> bool {
    let decoded = CheckRequest::decode(bytes).map_err(|_| Reason::MalformedRequest);
    let theirs = decoded.as_ref().map_err(|reason| *reason).and_then(|message| reference::facts(message, Some("peer")));
    let ours = read(bytes, Some("peer"));
    assert!(ours == theirs, "{name}: {bytes:02x?}\n   ours: {ours:?}\n theirs: {theirs:?}");
    ours.is_ok()
}

#[test]
fn what_prost_takes_is_taken_and_reads_the_same() {
    let corpus = parsed();
    let (mut taken, mut refused) = (0_u64, 0_u64);
    for number in mutations(100_000) {
        let bytes = mutant(&corpus, Manners::Wild, number);
        if agree(&bytes, &format!("mutant {number}")) {
            taken += 1;
        } else {
            refused += 1;
        }
    }
    println!("{taken} taken, {refused} refused, 0 differences");
    assert!(taken + refused < 1000 || taken.min(refused) > (taken + refused) / 10, "{taken} and {refused}: no test");
}

/// `envoy-types` has all of Envoy's fields where we have those we use: it may refuse what is broken in the others, but
/// of what it takes it sees the same.
#[test]
fn what_envoys_own_types_take_is_taken_and_reads_the_same() {
    let corpus = parsed();
    let mut taken = 0_u64;
    for number in mutations(20_000) {
        let bytes = mutant(&corpus, Manners::Polite, number);
        let Ok(theirs) = envoy::service::auth::v3::CheckRequest::decode(&*bytes) else { continue };
        let internal =
            theirs.attributes.as_ref().and_then(|all| all.source.as_ref()?.address.as_ref()?.address.as_ref());
        // An address of a kind that exists in no question, after one that does: we know only the second kind.
        if let Some(envoy::config::core::v3::address::Address::EnvoyInternalAddress(_)) = internal {
            continue;
        }
        let again = CheckRequest::decode(&*theirs.encode_to_vec()).unwrap();
        let (ours, theirs) = (read(&bytes, None), reference::facts(&again, None));
        assert!(ours == theirs, "mutant {number}: {bytes:02x?}\n   ours: {ours:?}\n theirs: {theirs:?}");
        taken += u64::from(ours.is_ok());
    }
    println!("{taken} taken, 0 differences");
}

#[test]
fn every_question_cut_off_anywhere_reads_the_same() {
    for (at, question) in corpus().iter().enumerate() {
        for length in 0..=question.len() {
            agree(&question[..length], &format!("question {at} cut to {length}"));
        }
    }
}

#[test]
fn of_a_map_with_100_000_entries_the_last_of_each_name_stands() {
    let entry = |number: u32| {
        let pair = format!("\x0a\x05{:05}\x12\x05{:05}", number * 7 % 65_536, number);
        [b"\x1a\x0e", pair.as_bytes()].concat()
    };
    let http: Vec<u8> = (0..100_000).flat_map(entry).collect();
    let mut message = Vec::new();
    for number in [2, 4, 1] {
        let inner = if message.is_empty() { http.clone() } else { std::mem::take(&mut message) };
        prost::encoding::bytes::encode(number, &inner, &mut message);
    }
    assert!(agree(&message, "many headers"));
    assert_eq!(read(&message, None).unwrap().headers.len(), 65_536);
}
