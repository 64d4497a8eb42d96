//! `profiles`, and the example of each kind of issuer: what it prints loads without a warning, and keeps strangers out.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::credence::command;
use crate::support::{root, scratch};
use crate::world::{Ended, run, with_input};

/// The dates in the examples are judged as of then.
const AT: [&str; 2] = ["--at", "2026-11-22T12:00:00Z"];

fn profiles() -> Vec<Value> {
    let ended = run(&["profiles", "-o", "json"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    serde_json::from_str(&ended.out).unwrap()
}

fn names() -> Vec<String> {
    profiles().iter().map(|profile| profile["name"].as_str().unwrap().to_owned()).collect()
}

fn examples() -> PathBuf {
    root().join("examples/profiles")
}

#[test]
fn all_nineteen_kinds_of_issuers_are_listed() {
    let names = names();
    assert_eq!(names.len(), 19, "{names:?}");
    let list = run(&["profiles"]);
    assert_eq!((list.code, list.err.as_str()), (0, ""));
    for name in &names {
        assert!(list.out.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
}

#[test]
fn a_page_tells_everything_and_a_program_can_read_it() {
    for name in names() {
        let page = run(&["profiles", &name]);
        assert_eq!((page.code, page.err.as_str()), (0, ""), "{name}");
        assert!(page.is_plain(), "{name}");
        for part in
            ["Issuers", "Keys", "Defaults", "Dangers", "To start from", "Documentation: https://", "Checked: 20"]
        {
            assert!(page.out.contains(part), "{name} does not say {part:?}");
        }
        let read: Value = serde_json::from_str(&run(&["profiles", &name, "-o", "json"]).out).unwrap();
        assert_eq!(read["name"], name.as_str());
        assert!(read["defaults"]["signingAlgs"].as_array().is_some_and(|algorithms| !algorithms.is_empty()), "{name}");
    }
}

#[test]
fn what_a_page_gives_to_start_from_loads_without_a_warning() {
    for name in names() {
        let read: Value = serde_json::from_str(&run(&["profiles", &name, "-o", "json"]).out).unwrap();
        let check = command(&[&["check", "--fail-on", "warning"], &AT[..], &["-"]].concat());
        let ended = with_input(check, read["starter"].as_str().unwrap());
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn a_profile_that_is_none_is_told_with_those_that_are() {
    let ended = run(&["profiles", "gitlap"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("\"gitlap\"") && ended.err.contains(" gitlab "), "{}", ended.err);
}

fn test(path: &Path) -> Ended {
    run(&["test", path.to_str().unwrap()])
}

#[test]
fn every_profile_has_an_example_whose_cases_pass_and_most_of_which_are_hostile() {
    let mut found: Vec<_> = std::fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let mut names = names();
    found.sort();
    names.sort();
    assert_eq!(found, names);
    for name in names {
        let example = examples().join(&name);
        let ended = test(&example);
        assert_eq!(ended.code, 0, "{}", ended.all());
        assert!(!ended.all().contains("no case is allowed"), "{}", ended.all());
        let table = std::fs::read_to_string(example.join("trust.yaml")).unwrap();
        assert!(table.lines().count() <= 25, "{name}");
        let cases = std::fs::read_to_string(example.join("trust_test.yaml")).unwrap();
        assert!(cases.matches("decision: deny").count() >= 4, "{name}");
        assert!(cases.contains("audience_mismatch"), "{name}");
    }
}

/// The table without one line, or without one of the claims in it, for each of them.
fn weakened(table: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in table.lines() {
        let trimmed = line.trim_start();
        let listed = trimmed.strip_prefix("claims: {").and_then(|rest| rest.strip_suffix('}'));
        let claims: Vec<_> = listed.map(|listed| listed.split(", ").collect()).unwrap_or_default();
        let without = |index: usize| {
            let left: Vec<_> =
                claims.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, claim)| *claim).collect();
            table.replace(line, &format!("    claims: {{{}}}", left.join(", ")))
        };
        match claims.len() {
            0 | 1 => {
                let condition = ["claims: ", "pin: ", "subject: "].iter().any(|start| trimmed.starts_with(start));
                let listed = line.starts_with("      ") && line.contains(": ");
                if condition && !trimmed.ends_with(':') || listed && !trimmed.starts_with("profile") {
                    found.push(table.replace(&format!("{line}\n"), ""));
                }
            }
            several => found.extend((0..several).map(without)),
        }
    }
    found
}

#[test]
fn no_condition_of_an_example_could_be_left_out_unnoticed() {
    for name in names() {
        let table = std::fs::read_to_string(examples().join(&name).join("trust.yaml")).unwrap();
        let weaker = weakened(&table);
        assert!(!weaker.is_empty(), "{name}");
        for weak in weaker {
            assert_ne!(weak, table);
            let copy = scratch();
            std::fs::write(copy.path().join("trust.yaml"), &weak).unwrap();
            std::fs::copy(examples().join(&name).join("trust_test.yaml"), copy.path().join("trust_test.yaml")).unwrap();
            assert_ne!(test(copy.path()).code, 0, "{name}: nobody misses what is left out of\n{weak}");
        }
    }
}
