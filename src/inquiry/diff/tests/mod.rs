//! A widening is never missed: random pairs of tables, random requests with random tokens, walked by both.

mod calls;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::clock::Time;
use crate::decide::testing::Dice;
use crate::keys::{KeyOrigin, LiveKeys};
use crate::name::{Issuer, IssuerName};
use crate::table::{Compiled, Permissions, Snapshot, SourceFile, Sources, compile};
use calls::{aim, ask, call, more};
use tables::{Entries, altered, entries, yaml};

const NOW: &str = "2026-11-21T12:00:00Z";

type Origins = HashMap<(IssuerName, Issuer), KeyOrigin>;

fn compiled(files: Vec<String>) -> Result<(Snapshot, Origins), String> {
    let named = files.into_iter().enumerate().map(|(number, text)| SourceFile::new(format!("/t/{number}.yaml"), text));
    let mut origins = Origins::new();
    let sources = Sources::from_files(named);
    let Compiled { snapshot, report } =
        compile(&sources, &Permissions::default(), Time::from_rfc3339(NOW).unwrap(), |need| {
            origins.insert((need.name.clone(), need.issuer.clone()), need.origin.clone());
            Arc::new(LiveKeys::unfetched(need.rules))
        });
    Ok((snapshot.ok_or_else(|| report.render(false))?, origins))
}

fn compare(old: &(Snapshot, Origins), new: &(Snapshot, Origins)) -> Vec<Change> {
    let asked = |table| {
        let (snapshot, origins): &(Snapshot, Origins) = table;
        Asked { snapshot, origins, root: Path::new("/t") }
    };
    diff(asked(old), asked(new))
}

#[test]
fn a_widening_is_never_missed() {
    let (mut pairs, mut widened, mut told, mut seen) = (0, 0, 0, BTreeMap::<&str, usize>::new());
    for seed in 1..rounds() {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let first = entries(&mut dice);
        let second = altered(&mut dice, &first);
        let (Ok(old), Ok(new)) = (compiled(vec![yaml(&first)]), compiled(vec![yaml(&second)])) else { continue };
        pairs += 1;
        let changes = compare(&old, &new);
        let back = compare(&new, &old);
        let widens = |changes: &[Change]| changes.iter().any(|change| change.kind == Kind::Widened);
        told += usize::from(widens(&changes));
        for change in &changes {
            *seen.entry(change.entry.as_str()).or_default() += 1;
        }
        let (mut gained, mut towards_old) = (false, false);
        for _ in 0..200 {
            let mut call = call(&mut dice);
            aim(&mut dice, if towards_old { &old.0 } else { &new.0 }, &mut call);
            towards_old = !towards_old;
            let (was, is) = (ask(&old.0, &call), ask(&new.0, &call));
            let tell =
                || format!("seed {seed}\n{}\n{}\n{call:?}\n{was:?}\n{is:?}\n{changes:#?}", yaml(&first), yaml(&second));
            assert!(!more(was.as_ref(), is.as_ref()) || widens(&changes), "{}", tell());
            assert!(!more(is.as_ref(), was.as_ref()) || widens(&back), "{}", tell());
            assert!(was == is || !changes.is_empty(), "{}", tell());
            gained |= more(was.as_ref(), is.as_ref());
        }
        widened += usize::from(gained);
    }
    eprintln!("{pairs} pairs, {widened} with a request that gained, {told} told as widened, {seen:?}");
    assert!(pairs > 100 && widened * 20 > pairs, "{pairs} pairs, {widened} widened");
}

fn rounds() -> u64 {
    std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2500)
}

/// The same meaning: entries in other files, lists in another order.
#[test]
fn the_same_meaning_makes_no_difference() {
    let mut compared = 0;
    for seed in 1..400u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut first = entries(&mut dice);
        let mut files = [Entries::new(), Entries::new()];
        for ((section, name), lines) in &mut first {
            // Which algorithm comes first is part of the meaning.
            lines.retain(|line| !line.starts_with("signingAlgs"));
            let mut shuffled: Vec<String> = lines.iter().map(|line| reversed(line)).collect();
            shuffled.reverse();
            files[dice.throw(2)].insert((*section, name.clone()), shuffled);
        }
        let second: Vec<_> = files.iter().filter(|file| !file.is_empty()).map(yaml_of_some).collect();
        let (Ok(old), Ok(new)) = (compiled(vec![yaml(&first)]), compiled(second)) else { continue };
        compared += 1;
        assert_eq!(old.0.digest, new.0.digest, "the test itself: seed {seed}");
        assert_eq!(compare(&old, &new), [], "seed {seed}");
    }
    assert!(compared > 60, "{compared}");
}

/// A line whose list is written the other way round.
fn reversed(line: &str) -> String {
    let Some((field, rest)) = line.split_once(": [").filter(|_| !line.contains('{')) else { return line.to_owned() };
    let mut items: Vec<_> = rest.trim_end_matches(']').split(", ").collect();
    items.reverse();
    format!("{field}: [{}]", items.join(", "))
}

/// Only the sections that have entries: an empty one is an error.
fn yaml_of_some(entries: &Entries) -> String {
    let text = yaml(entries);
    let lines: Vec<_> = text.lines().collect();
    let empty = |at: usize| {
        let section = |line: &&str| matches!(*line, "issuers:" | "resources:" | "grants:");
        section(&lines[at]) && lines.get(at + 1).is_none_or(section)
    };
    (0..lines.len()).filter(|at| !empty(*at)).map(|at| format!("{}\n", lines[at])).collect()
}
