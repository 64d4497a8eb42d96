//! Random tables, and tables that differ from them in a little.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::decide::testing::Dice;

/// One to three of these, in any order, as the inside of a list.
fn some(dice: &mut Dice, of: &[&str]) -> String {
    let chosen: BTreeSet<_> = (0..=dice.throw(2)).map(|_| dice.one(of)).collect();
    let mut chosen: Vec<_> = chosen.into_iter().collect();
    if dice.chance(50) {
        chosen.reverse();
    }
    chosen.join(", ")
}

const HOSTS: [&str; 7] = ["a.t", "b.t", "\"*.t\"", "\"a.t:8443\"", "\"b.t:8443\"", "c.t", "\"*.t:8443\""];
const PATHS: [&str; 9] = ["/**", "/a", "/a/*", "/a/**", "/a/b", "/b/**", "/*/b", "/a/b/**", "/"];
pub(super) const METHODS: [&str; 3] = ["GET", "PUT", "OPTIONS"];
pub(super) const SUBJECTS: [&str; 4] = ["s", "u", "x/1", "x/y/1"];
const TIMES: [&str; 3] = ["2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"];
pub(super) const ISS: [&str; 3] = ["https://i.test", "https://j.test", "https://k.test"];

/// The entries of a table as text, by section and name.
pub(super) type Entries = BTreeMap<(usize, String), Vec<String>>;

fn issuer(dice: &mut Dice, number: usize) -> Vec<String> {
    let mut lines = vec![format!("issuer: {}", ISS[number])];
    let mut maybe = |dice: &mut Dice, percent, line: String| {
        if dice.chance(percent) {
            lines.push(line);
        }
    };
    let line = format!("expires: {}", dice.one(&TIMES));
    maybe(dice, 15, line);
    let line = format!("signingAlgs: [{}]", some(dice, &["RS256", "PS256", "ES256"]));
    maybe(dice, 20, line);
    let line = format!("tokenTypes: [{}]", some(dice, &["JWT", "at+jwt", "\"\""]));
    maybe(dice, 20, line);
    let line = format!("maxTokenAge: {}", dice.one(&["5m", "10m", "2h"]));
    maybe(dice, 20, line);
    let line = format!("clockSkew: {}", dice.one(&["0s", "60s", "120s"]));
    maybe(dice, 15, line);
    let line = format!("pin: {{claims: {{t: {}}}}}", dice.one(&["\"1\"", "[\"1\", \"2\"]", "{present: true}"]));
    maybe(dice, 25, line);
    let line = format!("realm: {}", dice.one(&["r", "q"]));
    maybe(dice, 10, line);
    lines
}

fn resource(dice: &mut Dice, number: usize) -> Vec<String> {
    let mut lines = vec![format!("audience: aud-{}", if dice.chance(85) { number } else { number + 7 })];
    let by_context = dice.chance(25);
    if by_context {
        lines.push(format!("context: {{c: {}}}", dice.one(&["one", "two"])));
    }
    if dice.chance(10) {
        lines.push(format!("route: {{namespace: n{}}}", dice.one(&["", ", name: x", ", name: y"])));
    }
    if !by_context || dice.chance(40) {
        lines.push(format!("hosts: [{}]", some(dice, &HOSTS)));
    }
    if dice.chance(25) {
        lines.push(format!("paths: [{}]", some(dice, &PATHS)));
    }
    if dice.chance(25) {
        let methods = some(dice, &METHODS);
        let open = if dice.chance(20) { "preflight: true".to_owned() } else { format!("methods: [{methods}]") };
        lines.push(format!("anonymous: [{{{open}, paths: [{}], reason: r}}]", some(dice, &PATHS)));
    }
    if dice.chance(15) {
        lines.push(format!("credential: {{header: {}}}", dice.one(&["x-a", "x-b"])));
    }
    if dice.chance(15) {
        lines.push("encodedSlash: segment\nreason: r".to_owned());
    }
    if dice.chance(15) {
        lines.push(format!("expires: {}", dice.one(&TIMES)));
    }
    if dice.chance(10) {
        lines.push(format!("observe: {{until: \"{}\", reason: r}}", dice.one(&TIMES)));
    }
    lines
}

fn grant(dice: &mut Dice) -> Vec<String> {
    let mut lines = vec![
        format!("issuer: [{}]", some(dice, &["i0", "i1", "i2"])),
        format!("resource: r{}", dice.throw(3)),
        format!("methods: {}", if dice.chance(20) { "any".to_owned() } else { format!("[{}]", some(dice, &METHODS)) }),
        format!("paths: {}", if dice.chance(50) { "any".to_owned() } else { format!("[{}]", some(dice, &PATHS)) }),
    ];
    let claims =
        ["k: v", "k: [v, w]", "k: {present: true}", "k: {glob: \"x/*\"}", "l: {contains: v}", "l: {absent: true}"];
    match dice.throw(4) {
        0 => lines.push("subject: {glob: \"x/*\"}".to_owned()),
        1 => lines.push("subject: {glob: \"x/**\"}".to_owned()),
        _ => lines.push(format!("subject: [{}]", some(dice, &SUBJECTS))),
    }
    if dice.chance(40) {
        lines.push(format!("claims: {{{}}}", dice.one(&claims)));
    }
    if dice.chance(60) {
        lines.push(format!("scopes: [{}]", some(dice, &["p", "q"])));
    }
    if dice.chance(15) {
        lines.push(format!("expires: {}", dice.one(&TIMES)));
    }
    if dice.chance(10) {
        lines.push(format!("starts: {}", dice.one(&TIMES)));
    }
    if dice.chance(10) {
        lines.push(format!("maxTokenAge: {}", dice.one(&["1m", "10m"])));
    }
    if dice.chance(10) {
        lines.push("audience: own\nreason: r".to_owned());
    }
    if dice.chance(10) {
        lines.push(format!(
            "actor: {{issuer: same, subject: {}, maxDepth: {}}}",
            dice.one(&["bot", "x/1"]),
            dice.one(&[1, 2])
        ));
    }
    if dice.chance(10) {
        lines.push("replay: once".to_owned());
    }
    if dice.chance(10) {
        lines.push("mode: shadow".to_owned());
    }
    if dice.chance(10) {
        lines.push("forwardClaims: {n: k}".to_owned());
    }
    lines
}

fn entry(dice: &mut Dice, section: usize, number: usize) -> Vec<String> {
    match section {
        0 => issuer(dice, number),
        1 => resource(dice, number),
        _ => grant(dice),
    }
}

pub(super) fn entries(dice: &mut Dice) -> Entries {
    let mut all = Entries::new();
    for (section, letter, count) in [(0, 'i', 3), (1, 'r', 3), (2, 'g', 4)] {
        for number in 0..count {
            all.insert((section, format!("{letter}{number}")), entry(dice, section, number));
        }
    }
    all
}

/// Another table that differs in one entry or two.
pub(super) fn altered(dice: &mut Dice, entries: &Entries) -> Entries {
    let mut all = entries.clone();
    for _ in 0..=dice.throw(2) {
        let keys: Vec<_> = all.keys().cloned().collect();
        let (section, name) = keys[dice.throw(keys.len())].clone();
        let number = usize::from(name.as_bytes()[1] - b'0');
        let fresh = entry(dice, section, number.min(2));
        match dice.throw(5) {
            0 => {
                all.remove(&(section, name));
            }
            1 if section > 0 => {
                let text = all.remove(&(section, name.clone())).unwrap();
                all.insert((section, format!("{}{}", name.trim_end_matches(char::is_numeric), number + 5)), text);
            }
            2 => {
                all.insert((section, name), fresh);
            }
            _ => {
                // One field.
                let lines = all.get_mut(&(section, name)).unwrap();
                let line = fresh[dice.throw(fresh.len())].clone();
                let field = line.split(':').next().unwrap().to_owned();
                lines.retain(|line| line.split(':').next() != Some(&field));
                if dice.chance(70) || section == 2 {
                    lines.push(line);
                }
            }
        }
    }
    all
}

pub(super) fn yaml(entries: &Entries) -> String {
    let mut text = String::from("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n");
    for (section, title) in ["issuers", "resources", "grants"].iter().enumerate() {
        writeln!(text, "{title}:").unwrap();
        for ((_, name), lines) in entries.iter().filter(|((of, _), _)| *of == section) {
            writeln!(text, "  {name}:").unwrap();
            for line in lines.iter().flat_map(|line| line.lines()) {
                writeln!(text, "    {line}").unwrap();
            }
        }
    }
    text
}
