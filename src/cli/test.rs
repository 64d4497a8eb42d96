//! `test`: does this table do what its cases say?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::json;

use super::explain::credential;
use super::open::Open;
use super::output::{colours, diagnostic, escaped, result, trouble};
use super::trust::Blocked;
use super::{NO, TROUBLE, YES};
use crate::block::Blocks;
use crate::clock::{Clock, Time};
use crate::credential::ClaimedIssuer;
use crate::decide::{Mode, Permit};
use crate::keys::LiveKeys;
use crate::path::{Outcome, Rules, walk};
use crate::reason::Accepted;
use crate::request::{AuthzRequest, Headers, Route, split_url};
use crate::table::{Compiled, Expectation, Permissions, Snapshot, Sources, Vector, Vectors, compile};
use crate::trail::{Recorder, Step};
use crate::trust::{Acting, TrustedIssuer};

/// Hold a trust table against written cases: who should get in, and who should not.
///
/// Reads test files (`kind: TrustTableTest`) and walks each of their cases through the very function that the server
/// walks. A case's token counts as verified; everything else is judged. Nothing is fetched. At the end it names the
/// grants that no case shows to allow anything.
///
/// Exit code: 0 every case passes, 1 a case fails, 2 a file or its table could not be read.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence test examples/ci-deploy

A case in trust_test.yaml:
  - name: main branch deploys payments
    token: {iss: https://idp.acme.test, sub: payments, aud: https://deploy.acme.test}
    request: {method: POST, url: https://deploy.acme.test/v1/services/payments/web}
    expect: {decision: allow, grants: [payments-deploy], scopes: [deploy:payments]}")]
pub(super) struct Test {
    /// Test files, or directories whose `*_test.yaml` files are meant (subdirectories are not searched).
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    blocks: Blocked,
    #[command(flatten)]
    open: Open,
}

pub(super) fn run(test: &Test) -> u8 {
    let blocks = match test.blocks.load(Clock::System.now()) {
        Ok(blocks) => blocks,
        Err(error) => return trouble(escaped(&error)),
    };
    let mut session = Session { permissions: test.open.permissions(), blocks, ..Session::default() };
    for path in &test.paths {
        match files(path) {
            Ok(files) => files.iter().for_each(|file| session.file(file)),
            Err(error) => session.code = session.code.max(trouble(error)),
        }
    }
    session.finish()
}

/// The file itself, or the test files of a directory, sorted.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: std::io::Error| format!("{}: cannot list the directory: {error}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let text = name.to_string_lossy();
        if !text.starts_with('.') && (text.ends_with("_test.yaml") || text.ends_with("_test.yml")) {
            files.push(if path == Path::new(".") { PathBuf::from(&name) } else { path.join(&name) });
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{}: no *_test.yaml file in this directory", path.display())) } else { Ok(files) }
}

/// A table that cases were held against, and which of its grants they showed to allow something.
struct Table {
    shown: PathBuf,
    snapshot: Snapshot,
    covered: BTreeSet<String>,
}

/// One run of the command.
#[derive(Default)]
struct Session {
    permissions: Permissions,
    blocks: Blocks,
    tables: BTreeMap<PathBuf, Option<Table>>,
    files: usize,
    passed: usize,
    failed: usize,
    code: u8,
}

impl Session {
    fn file(&mut self, path: &Path) {
        let (vectors, report) = Vectors::read(path);
        if !report.is_empty() {
            diagnostic(&report.render(colours()));
        }
        let Some(vectors) = vectors else { return self.code = TROUBLE };
        let now = vectors.now.unwrap_or_else(|| Clock::System.now());
        let table = table(&mut self.tables, &self.permissions, &vectors.table, now);
        let Some(table) = table else {
            diagnostic(&escaped(&format!("error: {}: its table does not load", path.display())));
            return self.code = TROUBLE;
        };
        let mut failures = String::new();
        let mut failed = 0;
        for case in &vectors.cases {
            let verdict = judge(Rules { table: &table.snapshot, blocks: &self.blocks }, now, case);
            let differences = differences(&case.expect, &verdict);
            if differences.is_empty() {
                table.covered.extend(verdict.grants.into_iter().filter(|_| verdict.allowed));
                continue;
            }
            failed += 1;
            failures += &tell(case, &verdict, &differences, &table.snapshot);
        }
        let passed = vectors.cases.len() - failed;
        let word = if failed == 0 { "ok  " } else { "FAIL" };
        result(&escaped(&format!("{word} {}: {}{failures}\n", path.display(), counts(passed, failed))));
        self.files += 1;
        self.passed += passed;
        self.failed += failed;
        self.code = self.code.max(if failed == 0 { YES } else { NO });
    }

    fn finish(self) -> u8 {
        let mut out = String::new();
        for table in self.tables.values().flatten() {
            let enforced = table.snapshot.grants.iter().filter(|grant| grant.mode == Mode::Enforce);
            let names: BTreeSet<_> = enforced.map(|grant| grant.name.as_str()).collect();
            let open: Vec<_> = names.into_iter().filter(|name| !table.covered.contains(*name)).collect();
            if !open.is_empty() {
                out +=
                    &format!("no case is allowed by these grants of {}: {}\n", table.shown.display(), open.join(" "));
            }
        }
        if self.files > 1 {
            out += &format!("{} files: {}\n", self.files, counts(self.passed, self.failed));
        }
        result(&escaped(&out));
        self.code
    }
}

/// The compiled table; every problem of it is told once.
fn table<'t>(
    tables: &'t mut BTreeMap<PathBuf, Option<Table>>,
    permissions: &Permissions,
    path: &Path,
    now: Time,
) -> Option<&'t mut Table> {
    let key = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let read = || {
        // Tokens count as verified, so that keys have no say, not even those that stand in the table.
        let keys = |need: crate::table::KeyNeed<'_>| Arc::new(LiveKeys::unfetched(need.rules));
        let Compiled { snapshot, report } = compile(&Sources::read(path), permissions, now, keys);
        if report.refuses() {
            diagnostic(&report.render(colours()));
        }
        Some(Table { shown: path.to_owned(), snapshot: snapshot?, covered: BTreeSet::new() })
    };
    tables.entry(key).or_insert_with(read).as_mut()
}

fn counts(passed: usize, failed: usize) -> String {
    if failed == 0 { format!("{passed} passed") } else { format!("{passed} passed, {failed} failed") }
}

/// What came of a case.
struct Verdict {
    allowed: bool,
    reason: &'static str,
    grants: BTreeSet<String>,
    scopes: BTreeSet<String>,
    /// The first half of the principal, and its realm.
    iss: Option<String>,
    realm: Option<String>,
    /// `iss` and `sub` of who acts for it; empty where nobody does.
    actor: BTreeMap<String, String>,
    near_misses: BTreeMap<String, BTreeSet<String>>,
    /// The judgement that decided.
    decided: Option<Step>,
}

fn judge(rules: Rules<'_>, now: Time, case: &Vector) -> Verdict {
    let snapshot = rules.table;
    let ask = &case.request;
    let (host, target) = split_url(&ask.url).unwrap_or_default();
    let mut request = AuthzRequest {
        method: &ask.method,
        target,
        host,
        context: ask.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        routes: ask.route.iter().map(|(namespace, name)| Route { namespace, name }).collect(),
        ..AuthzRequest::default()
    };
    let (name, value) = credential(snapshot, &request, &token(snapshot, now, case));
    let mut entries: Vec<_> = ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    entries.extend(value.as_ref().map(|value| (name.as_str(), value.as_bytes())));
    request.headers = Headers::new(entries, false);

    let mut recorder = Recorder::signed_by(case.signer.as_deref());
    let walked = walk(rules, &request, now, &mut recorder);
    let failed = recorder.steps().iter().find(|step| step.outcome.is_err());
    let (allowed, reason) = match (&walked.outcome, recorder.first_failure()) {
        (_, Some(reason)) => (false, reason.code()),
        (Outcome::Refused(reason), None) => (false, reason.code()),
        (Outcome::Open(..), None) => (true, Accepted::Anonymous.code()),
        (Outcome::Allowed(_), None) => (true, Accepted::Ok.code()),
    };
    let permit = match &walked.outcome {
        Outcome::Allowed(permit) if allowed => Some(permit),
        _ => None,
    };
    // A recorded walk goes on past a failure: only where the grants decided are their near misses told.
    let told = failed.is_some_and(|step| step.subject == "grants");
    let misses = walked.facts.near_misses.iter().filter(|_| told);
    Verdict {
        allowed,
        reason,
        grants: permit.into_iter().flat_map(|permit| permit.grants()).map(|grant| grant.as_str().to_owned()).collect(),
        scopes: permit.into_iter().flat_map(|permit| permit.scopes()).map(|scope| scope.as_str().to_owned()).collect(),
        iss: permit.map(|permit| permit.principal().pair().0.to_string()),
        realm: permit.and_then(|permit| permit.principal().realm().map(ToString::to_string)),
        actor: permit.and_then(Permit::actor).map(|acting| pair(&acting)).unwrap_or_default(),
        near_misses: misses
            .map(|miss| (miss.grant.name.as_str().to_owned(), miss.failed.iter().map(ToString::to_string).collect()))
            .collect(),
        decided: failed.or(recorder.steps().last()).cloned(),
    }
}

fn pair(acting: &Acting<'_>) -> BTreeMap<String, String> {
    let (issuer, subject) = acting.pair();
    [("iss", issuer), ("sub", subject)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The case's token as its issuer would write it, but for the signature.
fn token(snapshot: &Snapshot, now: Time, case: &Vector) -> Option<String> {
    let claims = case.token.claims(now, &uuid::Uuid::now_v7().to_string())?;
    let named = || ClaimedIssuer::of(&claims).into_iter().flat_map(|claimed| snapshot.issuers.named(claimed));
    let signer = |issuer: &&TrustedIssuer| case.signer.as_deref() == Some(issuer.name.as_str());
    let issuer = named().find(signer).or_else(|| named().next());
    let algorithm = issuer.and_then(|issuer| issuer.algorithms.iter().next()).map_or("RS256", |alg| alg.as_str());
    let kind = issuer.and_then(|issuer| issuer.token_types.iter().next()).map_or("JWT", |kind| kind.as_str());
    let header = if kind.is_empty() { json!({"alg": algorithm}) } else { json!({"alg": algorithm, "typ": kind}) };
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    Some(format!("{}.{}.", part(header.to_string()), part(json!(claims).to_string())))
}

/// What was expected and what was seen instead, for each thing that differs.
fn differences(expect: &Expectation, seen: &Verdict) -> Vec<(String, String)> {
    let mut differences = Vec::new();
    if expect.allowed != seen.allowed || expect.reason.is_some_and(|reason| reason != seen.reason) {
        let expected = format!("{} {}", decision(expect.allowed), expect.reason.unwrap_or_default());
        differences.push((expected.trim_end().to_owned(), format!("{} {}", decision(seen.allowed), seen.reason)));
    }
    let sets = [("grants", &expect.grants, &seen.grants), ("scopes", &expect.scopes, &seen.scopes)];
    for (what, expected, seen) in sets {
        if let Some(expected) = expected.as_ref().filter(|expected| *expected != seen) {
            differences.push((format!("{what} {}", listed(expected)), format!("{what} {}", listed(seen))));
        }
    }
    for (what, expected, seen) in [("iss", &expect.iss, &seen.iss), ("realm", &expect.realm, &seen.realm)] {
        if expected.is_some() && expected != seen {
            let told = |text: &Option<String>| format!("{what} {}", text.as_deref().unwrap_or("none"));
            differences.push((told(expected), told(seen)));
        }
    }
    if let Some(expected) = &expect.actor {
        let named = |name: &String, actor: &BTreeMap<_, _>| actor.get(name).cloned();
        let differs = match expected.is_empty() {
            true => !seen.actor.is_empty(),
            false => expected.keys().any(|name| named(name, expected) != named(name, &seen.actor)),
        };
        if differs {
            differences.push((format!("actor {}", told_pair(expected)), format!("actor {}", told_pair(&seen.actor))));
        }
    }
    for (grant, expected) in &expect.near_misses {
        let found = seen.near_misses.get(grant);
        if found != Some(expected) {
            let told = found.map_or_else(|| "not told".to_owned(), listed);
            differences.push((format!("near miss {grant} {}", listed(expected)), format!("near miss {grant} {told}")));
        }
    }
    differences
}

fn told_pair(pair: &BTreeMap<String, String>) -> String {
    let told: Vec<_> = pair.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(" ") }
}

const fn decision(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}

fn listed(names: &BTreeSet<String>) -> String {
    format!("[{}]", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// A failed case, for people.
fn tell(case: &Vector, seen: &Verdict, differences: &[(String, String)], snapshot: &Snapshot) -> String {
    let mut out = format!("\n\n  {}: {}\n", case.site, case.name);
    for (expected, seen) in differences {
        out += &format!("    expected  {expected}\n    seen      {seen}\n");
    }
    if let Some(step) = &seen.decided {
        let site = step.note.site.as_ref().map(|site| format!("  [{site}]")).unwrap_or_default();
        out += &format!("    decided   {}: {}{site}\n", step.subject, step.note.text);
    }
    for (grant, failed) in &seen.near_misses {
        out += &format!("    near miss {grant} differs in {}\n", listed(failed));
    }
    let known: BTreeSet<_> = snapshot.grants.iter().map(|grant| grant.name.as_str()).collect();
    let named = case.expect.grants.iter().flatten().chain(case.expect.near_misses.keys());
    for grant in named.filter(|grant| !known.contains(grant.as_str())) {
        out += &format!("    note      the table has no grant {grant:?}\n");
    }
    out.trim_end().to_owned()
}
