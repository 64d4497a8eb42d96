//! A widening is never missed: random pairs of tables, random requests with random tokens, walked by both.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::clock::Time;
use crate::decide::testing::Dice;
use crate::keys::{KeyOrigin, LiveKeys};
use crate::name::{Issuer, IssuerName};
use crate::path::{Outcome, Rules, walk};
use crate::request::{AuthzRequest, Headers, Route};
use crate::table::{Compiled, Permissions, Snapshot, SourceFile, Sources, compile};
use crate::trail::Recorder;

const NOW: &str = "2026-11-21T12:00:00Z";

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
const CALLED: [&str; 9] = ["/", "/a", "/a/b", "/a/c", "/a/b/c", "/b", "/b/b", "/c", "/a/x%2Fy"];
const METHODS: [&str; 3] = ["GET", "PUT", "OPTIONS"];
const SUBJECTS: [&str; 4] = ["s", "u", "x/1", "x/y/1"];
const TIMES: [&str; 3] = ["2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"];
const ISS: [&str; 3] = ["https://i.test", "https://j.test", "https://k.test"];

/// The entries of a table as text, by section and name.
type Entries = BTreeMap<(usize, String), Vec<String>>;

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

fn entries(dice: &mut Dice) -> Entries {
    let mut all = Entries::new();
    for (section, letter, count) in [(0, 'i', 3), (1, 'r', 3), (2, 'g', 4)] {
        for number in 0..count {
            all.insert((section, format!("{letter}{number}")), entry(dice, section, number));
        }
    }
    all
}

/// Another table that differs in one entry or two.
fn altered(dice: &mut Dice, entries: &Entries) -> Entries {
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

fn yaml(entries: &Entries) -> String {
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

/// A request with what its token says.
#[derive(Debug, Clone)]
struct Call {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    context: Vec<(&'static str, &'static str)>,
    routes: Vec<(&'static str, &'static str)>,
    algorithm: &'static str,
    kind: Option<&'static str>,
    claims: Value,
    header: &'static str,
    now: &'static str,
    preflight: bool,
}

fn call(dice: &mut Dice) -> Call {
    let now =
        dice.one(&["2026-09-30T00:00:00Z", NOW, NOW, NOW, NOW, NOW, "2027-06-01T00:00:00Z", "2029-01-01T00:00:00Z"]);
    let seconds = Time::from_rfc3339(now).unwrap().seconds();
    let mut claims = json!({
        "iss": dice.one(&ISS),
        "sub": dice.one(&SUBJECTS),
        "aud": dice.one(&[&["aud-0", "aud-1", "aud-2"][..], &["aud-0"], &["aud-1", "aud-8"], &["aud-7", "aud-2", "own"]]),
        "exp": seconds + dice.one(&[-90.0, -20.0, 30.0, 30.0, 100.0, 300.0, 4000.0]),
        "t": dice.one(&["1", "2", "3"]),
    });
    if dice.chance(90) {
        claims["iat"] = json!(seconds - dice.one(&[0.0, 0.0, 50.0, 400.0, -80.0]));
    }
    if dice.chance(70) {
        claims["k"] = json!(dice.one(&["v", "w", "x/a"]));
    }
    if dice.chance(60) {
        claims["jti"] = json!("id");
    }
    if dice.chance(10) {
        claims["act"] = json!({"sub": dice.one(&["bot", "x/1"])});
        if dice.chance(30) {
            claims["act"]["act"] = json!({"sub": "u"});
        }
    }
    if dice.chance(50) {
        claims["l"] = json!([dice.one(&["v", "w"])]);
    }
    Call {
        method: dice.one(&METHODS),
        host: dice.one(&["a.t", "b.t", "c.t", "a.t:8443", "b.t:8443", "d.t"]),
        path: dice.one(&CALLED),
        context: if dice.chance(25) { vec![("c", dice.one(&["one", "two"]))] } else { Vec::new() },
        routes: (0..dice.throw(4).saturating_sub(1)).map(|_| ("n", dice.one(&["x", "y", "z"]))).collect(),
        algorithm: dice.one(&["RS256", "RS256", "ES256", "PS256"]),
        kind: dice.one(&[None, Some("JWT"), Some("JWT"), Some("at+jwt")]),
        claims,
        header: dice.one(&[
            "authorization",
            "authorization",
            "authorization",
            "authorization",
            "authorization",
            "x-a",
            "x-b",
        ]),
        now,
        preflight: dice.chance(20),
    }
}

/// Makes some of a call fit some grant.
fn aim(dice: &mut Dice, snapshot: &Snapshot, call: &mut Call) {
    let grants: Vec<_> = snapshot.grants.iter().collect();
    if grants.is_empty() || dice.chance(10) {
        return;
    }
    let grant = grants[dice.throw(grants.len())];
    let issuer = snapshot.issuers.get(grant.issuers[dice.throw(grant.issuers.len())]).unwrap();
    let resource = snapshot.resources.get(grant.resource).unwrap();
    if dice.chance(95) {
        call.claims["iss"] = json!(issuer.issuer.as_str());
    }
    if dice.chance(80) {
        call.claims["aud"] = json!(grant.audience.as_str());
    }
    if let Some(crate::decide::SubjectRule::Exact(subjects)) = &grant.subject {
        call.claims["sub"] = json!(subjects[dice.throw(subjects.len())]);
    }
    if let (Some(actor), true) = (&grant.actor, dice.chance(90)) {
        let subject = if actor.subject.matches("bot") { "bot" } else { "x/1" };
        call.claims["act"] = json!({"sub": subject});
    }
    if let (crate::resource::CredentialPlace::Header(name), true) = (&resource.credential, dice.chance(80)) {
        call.header = if name == "x-a" { "x-a" } else { "x-b" };
    }
    if let (Some((_, value)), true) = (resource.context.first(), dice.chance(80)) {
        call.context = vec![("c", if value == "one" { "one" } else { "two" })];
    }
}

/// What came of it: nothing where it was refused.
#[derive(Debug, PartialEq, Default)]
struct Got {
    open: bool,
    observed: bool,
    principal: Option<(String, String, String)>,
    scopes: BTreeSet<String>,
    forwarded: BTreeSet<String>,
}

fn ask(snapshot: &Snapshot, call: &Call) -> Option<Got> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut header = json!({"alg": call.algorithm});
    if let Some(kind) = call.kind {
        header["typ"] = json!(kind);
    }
    let token = format!("{}.{}.", part(&header), part(&call.claims));
    let value = if call.header == "authorization" { format!("Bearer {token}") } else { token };
    let mut headers = vec![(call.header, value.as_bytes())];
    if call.preflight {
        headers.extend([("origin", b"https://o.test".as_slice()), ("access-control-request-method", b"PUT")]);
    }
    let request = AuthzRequest {
        method: call.method,
        target: call.path,
        host: call.host,
        headers: Headers::new(headers, false),
        context: call.context.clone(),
        routes: call.routes.iter().map(|(namespace, name)| Route { namespace, name }).collect(),
        ..AuthzRequest::default()
    };
    let mut recorder = Recorder::signed_by(None);
    let walked = walk(Rules::without_blocks(snapshot), &request, Time::from_rfc3339(call.now).unwrap(), &mut recorder);
    let observed = matches!(walked.outcome, Outcome::Observed(_));
    if recorder.first_failure().is_some() && !observed {
        return None;
    }
    match walked.outcome {
        Outcome::Refused(_) => None,
        Outcome::Observed(_) => Some(Got { observed: true, ..Got::default() }),
        Outcome::Open(_) => Some(Got { open: true, ..Got::default() }),
        Outcome::Allowed(permit) => {
            let (issuer, subject) = permit.principal().pair();
            let realm = permit.principal().realm().map(ToString::to_string).unwrap_or_default();
            Some(Got {
                open: false,
                observed: false,
                principal: Some((issuer.to_string(), realm, subject.to_owned())),
                scopes: permit.scopes().iter().map(ToString::to_string).collect(),
                forwarded: permit.forwarded().into_iter().map(|(name, _)| name.to_owned()).collect(),
            })
        }
    }
}

fn more(old: Option<&Got>, new: Option<&Got>) -> bool {
    match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => {
            (new.open && !old.open)
                || (new.principal.is_some() && new.principal != old.principal)
                || !new.scopes.is_subset(&old.scopes)
                || !new.forwarded.is_subset(&old.forwarded)
        }
    }
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
