//! A roll-out on a live gateway: observed, then with grants in shadow, then enforced, under traffic all the while. No answer
//! is wrong for the table that gave it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::eventually;
use crate::support::http::Request;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::upstream::{Echo, MARK, Upstream, grpc_upstream};
use crate::world::{SUBJECT, issuers, mark};

const HOST: &str = "live.acme.test";
const AUDIENCE: &str = "https://live.acme.test";

/// How far the roll-out is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Refusals are observed; of the two callers one has a grant.
    Observed,
    /// The grant of the other is tried.
    Shadow,
    /// Both have grants, and refusals count.
    Enforced,
}

const STAGES: [Stage; 3] = [Stage::Observed, Stage::Shadow, Stage::Enforced];

fn table(ci: &Issuer, partner: &Issuer, stage: Stage) -> String {
    let grant = |issuer: &str, more: &str| {
        format!(
            "  {issuer}: {{issuer: {issuer}, resource: live, subject: \"{SUBJECT}\", methods: [GET], paths: any{more}}}\n"
        )
    };
    let observe = ", observe: {until: 2099-01-01, reason: roll-out}";
    format!(
        "{}resources:\n  live: {{audience: {AUDIENCE}, hosts: [{HOST}]{}}}\ngrants:\n{}{}",
        issuers(&[("ci", ci), ("partner", partner)]),
        if stage == Stage::Enforced { "" } else { observe },
        grant("ci", ""),
        match stage {
            Stage::Observed => String::new(),
            Stage::Shadow => grant("partner", ", mode: shadow"),
            Stage::Enforced => grant("partner", ""),
        },
    )
}

/// Who calls, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Ci,
    Partner,
    WithoutToken,
    /// With a path that reads in two ways.
    Ambiguous,
}

const CALLERS: [Caller; 4] = [Caller::Ci, Caller::Partner, Caller::WithoutToken, Caller::Ambiguous];

/// What became of one call.
#[derive(Debug)]
struct Seen {
    caller: Caller,
    status: u16,
    /// What the upstream saw under these names, and whether it got the credential.
    subject: Vec<String>,
    issuer: Vec<String>,
    credential: bool,
    decision: String,
}

struct World<'a> {
    envoy: &'a Envoy,
    ci: &'a Issuer,
    partner: &'a Issuer,
}

impl World<'_> {
    fn ask(&self, caller: Caller) -> Seen {
        let path = if caller == Caller::Ambiguous { "/a/%2e%2e/b" } else { "/a" };
        let request = Request::get(path).host(HOST).header(MARK, mark()).header("x-credence-subject", "forged");
        let request = match caller {
            Caller::Ci | Caller::Ambiguous => request.bearer(self.ci.token(SUBJECT, AUDIENCE)),
            Caller::Partner => request.bearer(self.partner.token(SUBJECT, AUDIENCE)),
            Caller::WithoutToken => request,
        };
        let response = request.send(self.envoy.address("live"));
        if response.status != 200 {
            let decision = response.json()["decision_id"].as_str().unwrap_or_default().to_owned();
            let (subject, issuer) = (Vec::new(), Vec::new());
            return Seen { caller, status: response.status, subject, issuer, credential: false, decision };
        }
        let echo = Echo::of(&response);
        let all = |name: &str| echo.all(name).into_iter().map(|value| value.to_string()).collect::<Vec<_>>();
        Seen {
            caller,
            status: response.status,
            subject: all("x-credence-subject"),
            issuer: all("x-credence-issuer"),
            credential: !all("authorization").is_empty(),
            decision: echo.one("x-credence-decision-id").to_owned(),
        }
    }

    /// Whether this is what a table of this stage says, to the client, to the upstream and in the log.
    fn is_right(&self, seen: &Seen, line: &Value, stage: Stage) -> bool {
        let observing = stage != Stage::Enforced;
        let named = |issuer: &Issuer, seen: &Seen| {
            (seen.status, seen.credential) == (200, false)
                && (seen.subject == [SUBJECT] && seen.issuer == [issuer.url()])
                && line["reason"] == "ok"
        };
        let observed = |reason: &str| {
            seen.status == 200
                && seen.subject.is_empty()
                && seen.issuer.is_empty()
                && line["decision"] == "allow"
                && line["reason"] == "observed"
                && line["observed_reason"] == reason
                && line["principal"].is_null()
        };
        match seen.caller {
            Caller::Ci => named(self.ci, seen),
            Caller::Partner if observing => {
                let tried = line["shadow"].as_array().is_some_and(|grants| grants == &["partner"]);
                observed("grant_none") && seen.credential && tried == (stage == Stage::Shadow)
            }
            Caller::Partner => named(self.partner, seen),
            Caller::WithoutToken if observing => observed("no_token") && !seen.credential,
            Caller::WithoutToken => seen.status == 401 && line["reason"] == "no_token",
            Caller::Ambiguous => seen.status == 400 && line["reason"] == "path_not_normalized",
        }
    }
}

#[test]
fn no_answer_is_wrong_while_a_live_gateway_goes_from_observing_to_enforcing_and_back() {
    let (ci, partner, upstream) = (Issuer::start(), Issuer::start(), Upstream::start());
    let file = Table::new(&table(&ci, &partner, Stage::Observed));
    let credence = Credence::serve(file.path()).start();
    let clusters = [
        Cluster::credence("credence", credence.grpc()),
        Cluster::http1("echo", upstream.address()),
        Cluster::grpc("grpc", grpc_upstream()),
    ];
    let envoy = Envoy::start(&[Listener::new("live", "credence")], &clusters);
    let world = World { envoy: &envoy, ci: &ci, partner: &partner };
    let (done, asked, seen) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let mut stages = HashMap::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let round: Vec<_> = CALLERS.into_iter().map(|caller| world.ask(caller)).collect();
                    seen.lock().unwrap().extend(round);
                    asked.fetch_add(CALLERS.len(), Ordering::SeqCst);
                }
            });
        }
        // However it ends, the askers have to be let go.
        let rolled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..9 {
                let stage = STAGES[round % STAGES.len()];
                file.replace(&table(&ci, &partner, stage));
                let generation = round + 1;
                let digest = eventually("the table to be in force", || {
                    let ready = credence.admin("/readyz").json();
                    let is_new = generation == 1 || ready["table"]["generation"] == generation;
                    is_new.then(|| ready["table"]["sha256"].as_str().unwrap().to_owned())
                });
                assert_eq!(*stages.entry(digest).or_insert(stage), stage);
                let before = asked.load(Ordering::SeqCst);
                eventually("traffic to go on", || (asked.load(Ordering::SeqCst) >= before + 32).then_some(()));
            }
        }));
        done.store(true, Ordering::SeqCst);
        rolled.unwrap();
    });
    assert_eq!(stages.len(), 3, "each stage has a digest of its own");
    let seen = seen.into_inner().unwrap();
    credence.decision(&seen.last().unwrap().decision);
    let lines: HashMap<String, Value> =
        credence.decisions().into_iter().map(|line| (line["decision_id"].as_str().unwrap().to_owned(), line)).collect();
    let mut counted: HashMap<String, usize> = HashMap::new();
    for seen in &seen {
        let line = lines.get(&seen.decision).unwrap_or_else(|| panic!("no line for {seen:?}"));
        let stage = stages[line["table"]["sha256"].as_str().unwrap()];
        assert!(world.is_right(seen, line, stage), "{stage:?} {seen:?}\n{line}");
        *counted.entry(format!("{stage:?} {:?}", seen.caller)).or_default() += 1;
    }
    assert_eq!(counted.len(), STAGES.len() * CALLERS.len(), "{counted:?}");
    eprintln!("{} answers, all right: {counted:?}", seen.len());
    let shadow = r#"credence_grant_matches_total{grant="partner",mode="shadow"}"#;
    // The series goes with the grant's mode: the last table enforces.
    assert_eq!(credence.metric(shadow), None);
}
