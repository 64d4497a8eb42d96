//! A thousand tables one after another while questions are asked: each answer is right by the table it names.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::support::answer::Answer;
use crate::support::credence::Credence;
use crate::support::issuer::{Issuer, JWKS};
use crate::support::table::Table;
use crate::support::{eventually, runtime};
use crate::world::{API, SUBJECT, call, decided_by, in_force, table};

const RELOADS: u64 = 1000;
/// Askers over one connection.
const ASKERS: usize = 4;

/// A table that is large enough for a leak to be seen, with this grant among others.
fn large(ci: &Issuer, grant: &str) -> String {
    let mut text = table(ci, &[grant]);
    for n in 0..60 {
        writeln!(
            text,
            "  filler-{n}: {{issuer: ci, resource: api, subject: {SUBJECT}-{n}, methods: [GET], paths: [/filler/{n}/**], description: {}}}",
            "x".repeat(200)
        )
        .unwrap();
    }
    text
}

/// Resident memory of a process in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What each table, by its digest, says about the two grants.
type Verdicts = HashMap<String, [&'static str; 2]>;

/// One asker: until told to stop it asks about both grants in turn, and says how many questions went wrong, and how.
async fn ask(
    credence: Arc<Credence>,
    token: String,
    verdicts: Verdicts,
    newest: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
) -> (u64, Vec<String>) {
    let (mut asked, mut wrong) = (0, Vec::new());
    let mut last = 0;
    while !done.load(Ordering::SeqCst) {
        for (which, grant) in ["odd", "even"].into_iter().enumerate() {
            let answered = credence.client().check(call(grant, &token).message()).await;
            asked += 1;
            let answer = match answered {
                Ok(answer) => Answer(answer.into_inner()),
                Err(status) => {
                    wrong.push(format!("an RPC error: {status}"));
                    continue;
                }
            };
            let (generation, sha256) = decided_by(&answer);
            let expected = verdicts.get(&sha256).map(|both| both[which]);
            if expected != Some(answer.reason().as_str()) || answer.allowed() != (expected == Some("ok")) {
                wrong.push(format!("/{grant}/ by {generation} {sha256}: {}, not {expected:?}", answer.reason()));
            }
            if generation < last {
                wrong.push(format!("generation {generation} after {last}"));
            }
            last = generation;
            newest.fetch_max(generation, Ordering::SeqCst);
        }
    }
    (asked, wrong)
}

#[test]
fn a_thousand_reloads_under_traffic_give_no_wrong_verdict_and_leak_nothing() {
    let ci = Issuer::start();
    let tables = [large(&ci, "odd"), large(&ci, "even")];
    let file = Table::new(&tables[0]);
    let mut credence = Credence::serve(file.path()).decision_log("off").start();
    let pid = credence.process().pid();
    let credence = Arc::new(credence);
    let token = ci.token(SUBJECT, API).claim("exp", crate::support::now() + 3600).mint();

    // Which digest is which is learnt from the first two tables, before anyone asks.
    let mut verdicts = Verdicts::new();
    verdicts.insert(in_force(&credence).1, ["ok", "grant_none"]);
    file.replace(&tables[1]);
    let (_, second) = eventually("the second table", || Some(in_force(&credence)).filter(|(number, _)| *number == 2));
    verdicts.insert(second, ["grant_none", "ok"]);
    assert_eq!(verdicts.len(), 2, "two tables, two digests");

    let (newest, done) = (Arc::new(AtomicU64::new(2)), Arc::new(AtomicBool::new(false)));
    let askers: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (credence, newest, done) = (Arc::clone(&credence), Arc::clone(&newest), Arc::clone(&done));
            runtime().spawn(ask(credence, token.clone(), verdicts.clone(), newest, done))
        })
        .collect();
    let since = Instant::now();
    let mut early = 0;
    let reloaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for reload in 0..RELOADS {
            let before = newest.load(Ordering::SeqCst);
            file.replace(&tables[usize::try_from(reload % 2).unwrap()]);
            credence.signal("HUP");
            eventually("a newer table", || (newest.load(Ordering::SeqCst) > before).then_some(()));
            if reload == RELOADS / 5 {
                early = resident(pid);
            }
        }
    }));
    done.store(true, Ordering::SeqCst);
    let mut total = 0;
    for asker in askers {
        let (asked, wrong) = runtime().block_on(asker).unwrap();
        assert!(wrong.is_empty(), "{} of {asked} wrong, the first: {}", wrong.len(), wrong[0]);
        total += asked;
    }
    reloaded.unwrap();
    let late = resident(pid);
    eprintln!("{RELOADS} reloads in {:?} under {total} questions; {early} KiB became {late} KiB", since.elapsed());
    assert!(total > RELOADS, "there was no traffic to speak of: {total}");
    // 800 kept tables would be far more than this.
    assert!(late < early + 24 * 1024, "memory grows with each reload: {early} KiB became {late} KiB");
    assert_eq!(ci.hits(JWKS), 1, "no reload fetches keys that are there");
}
