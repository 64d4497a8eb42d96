//! What is told about another table is what that table really says: random tables and calls, walked for real on both.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use super::super::record::Record;
use super::{Kind, Origins, Table, Told, Verdict, rejudge};
use crate::block::{Block, Blocks, Conditions};
use crate::clock::Time;
use crate::keys::LiveKeys;
use crate::keys::testing::{Signer, b64, set};
use crate::name::{Algorithm, BlockName, Site};
use crate::observe::{Call, line};
use crate::path::{Rules, walk};
use crate::replay::Store;
use crate::request::{AuthzRequest, Headers};
use crate::table::{Permissions, Snapshot, SourceFile, Sources, compile};
use crate::trail::Strict;

const NOW: f64 = 1_795_000_000.25;
/// Of issuers a and b; the third is nobody's.
static SIGNERS: LazyLock<[Signer; 3]> = LazyLock::new(|| [Signer::ed(), Signer::ed(), Signer::ed()]);

/// Stand whatever the table is.
static BLOCKS: LazyLock<Blocks> = LazyLock::new(|| {
    let of = |name: &str, conditions| Block {
        name: BlockName::new(name),
        site: Site { file: "blocks.yaml".into(), line: 1, column: 1 },
        conditions,
        expires: None,
        reason: "r".to_owned(),
    };
    let subject = Conditions { subject: Some("y".to_owned()), ..Conditions::default() };
    let entry = Conditions { issuer: Some("b".to_owned()), subject: Some("t".to_owned()), ..Conditions::default() };
    Blocks::build(vec![of("actor", subject), of("at-b", entry)])
});

/// The entries of a table, by section, each a line.
type Model = [Vec<Option<String>>; 3];

struct World {
    snapshot: Snapshot,
    origins: Origins,
}

impl World {
    fn build(model: &Model) -> Result<Self, String> {
        let mut text = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n".to_owned();
        for (section, entries) in ["issuers", "resources", "grants"].iter().zip(model) {
            if entries.iter().any(Option::is_some) {
                text += &format!("{section}:\n");
            }
            for entry in entries.iter().flatten() {
                text += &format!("  {entry}\n");
            }
        }
        let files = vec![SourceFile::new("trust.yaml".to_owned(), text.clone())];
        let mut origins = HashMap::new();
        let now = Time::from_seconds(NOW);
        let compiled = compile(&Sources::from_files(files), &Permissions::default(), now, |need| {
            origins.insert((need.name.clone(), need.issuer.clone()), need.origin.clone());
            let signer = &SIGNERS[usize::from(need.issuer.as_str() != "https://a.test")];
            Arc::new(LiveKeys::fixed(set(&[signer.named("k")]), need.rules))
        });
        let report = compiled.report.render(false);
        Ok(Self { snapshot: compiled.snapshot.ok_or_else(|| format!("{text}{report}"))?, origins })
    }

    fn table(&self) -> Table<'_> {
        Table { snapshot: &self.snapshot, origins: &self.origins }
    }

    /// The line of a call as the server writes it, read back.
    fn decide(&self, call: &Asked, used: Used) -> Record {
        let headers = call.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let request = AuthzRequest {
            method: call.method,
            host: call.host,
            target: call.path,
            headers: Headers::new(headers, false),
            context: call.context.into_iter().map(|value| ("part", value)).collect(),
            ..AuthzRequest::default()
        };
        let time = Time::from_seconds(NOW);
        let since = if used == Used::Unknown { NOW } else { 0.0 };
        let store = Store::new(1 << 16, Time::from_seconds(since));
        let go = || {
            walk(
                Rules { table: &self.snapshot, blocks: &BLOCKS },
                &request,
                time,
                &mut Strict::default().spending(&store),
            )
        };
        if used == Used::Before {
            drop(go());
        }
        let walked = go();
        let mut bytes = Vec::new();
        let table = Some(crate::observe::Table { generation: 1, sha256: &self.snapshot.digest });
        let call =
            Call { time, decision_id: "id", duration_us: 1, status: 200, request: Some(&request), table, span: None };
        line(&mut bytes, &walked, call);
        Record::parse(&bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&bytes)))
    }
}

/// Whether the token of a call was used before, where that table was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Used {
    Never,
    Before,
    /// The store is younger than the token.
    Unknown,
}

#[derive(Debug, Clone)]
struct Asked {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    context: Option<&'static str>,
}

fn maybe(values: Vec<&'static str>, weight: f64) -> impl Strategy<Value = &'static str> {
    prop::option::weighted(weight, select(values)).prop_map(Option::unwrap_or_default)
}

/// Mostly this, sometimes one of those.
fn mostly<T: Clone + std::fmt::Debug + 'static>(usual: T, others: Vec<T>) -> impl Strategy<Value = T> {
    prop_oneof![9 => Just(usual), 1 => select(others)]
}

fn issuer(name: &'static str) -> impl Strategy<Value = Option<String>> {
    let fields = (
        maybe(vec!["signingAlgs: [EdDSA], ", "signingAlgs: [ES256], "], 0.1),
        maybe(vec!["tokenTypes: [JWT], ", "tokenTypes: [\"\", at+jwt], "], 0.2),
        maybe(vec!["clockSkew: 0s, ", "clockSkew: 200s, "], 0.2),
        maybe(vec!["maxTokenAge: 5m, ", "maxTokenAge: 2h, "], 0.2),
        maybe(
            vec![
                "pin: {claims: {c: x}}, ",
                "pin: {claims: {c: [x, y], d: [m, n]}}, ",
                "pin: {claims: {d: {present: true}}}, ",
                "pin: {keys: [\"sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\"]}, ",
            ],
            0.3,
        ),
        maybe(vec!["expires: 2026-01-01, ", "expires: 2027-01-01, "], 0.1),
    );
    let entry = fields.prop_map(move |(algs, types, skew, age, pin, expires)| {
        format!("{name}: {{issuer: https://{name}.test, {algs}{types}{skew}{age}{pin}{expires}owner: o}}")
    });
    prop::option::weighted(0.98, entry)
}

fn resource(name: &'static str) -> impl Strategy<Value = Option<String>> {
    let fields = (
        maybe(vec!["paths: [/v1/**], ", "paths: [/v1/x, /v2/**], "], 0.2),
        maybe(
            vec![
                "anonymous: [{methods: [GET], paths: [/v1/x], reason: r}], ",
                "anonymous: [{preflight: true, paths: [/v1/x], reason: r}], ",
            ],
            0.2,
        ),
        maybe(vec!["credential: {header: x-token}, "], 0.1),
        maybe(vec!["encodedSlash: segment, reason: r, "], 0.15),
        maybe(vec!["context: {part: one}, "], 0.15),
        maybe(vec!["expires: 2026-01-01, "], 0.1),
    );
    let entry = fields.prop_map(move |(paths, anonymous, credential, slash, context, expires)| {
        format!(
            "{name}: {{audience: {name}, {paths}{anonymous}{credential}{slash}{context}{expires}hosts: [{name}.test]}}"
        )
    });
    prop::option::weighted(0.98, entry)
}

fn grant(name: String) -> impl Strategy<Value = Option<String>> {
    let who = select(vec![
        "subject: s, ",
        "subject: [s, t], ",
        "subject: t, ",
        "claims: {c: x}, ",
        "subject: s, claims: {c: x}, ",
        "claims: {c: y, d: m}, ",
        "claims: {c: [x, y]}, ",
        "claims: {d: {present: true}}, ",
        "subject: s, claims: {d: {absent: true}}, ",
        "claims: {/n/e: {glob: \"a/*\"}}, ",
        "claims: {/n/e: {glob: \"a/*\"}, c: x}, ",
        "claims: {l: {contains: p}}, ",
        "claims: {l: {containsAll: [p, q]}}, ",
        "claims: {w: {word: read}}, ",
    ]);
    let fields = (
        (mostly("issuer: a, ", vec!["issuer: b, ", "issuer: [a, b], "]), mostly("r", vec!["q"])),
        who,
        (
            select(vec!["methods: any, ", "methods: any, ", "methods: [GET], ", "methods: [POST, GET], "]),
            select(vec!["paths: any, ", "paths: any, ", "paths: [/v1/x], ", "paths: [/v1/**], "]),
        ),
        maybe(vec!["audience: own, ", "audience: r-too, "], 0.2),
        maybe(vec!["audienceFrom: client_id, "], 0.1),
        maybe(vec!["expires: 2026-01-01, ", "starts: 2027-06-01, ", "starts: 2026-01-01, ", "maxTokenAge: 5m, "], 0.2),
        (
            maybe(vec!["mode: shadow, "], 0.15),
            maybe(vec!["replay: once, "], 0.15),
            maybe(vec!["actor: {subject: x}, ", "actor: {subject: [x, y], maxDepth: 2}, "], 0.2),
        ),
        maybe(vec!["scopes: [one], ", "scopes: [two, one], "], 0.4),
    );
    let entry = fields.prop_map(
        move |((issuer, resource), who, (methods, paths), audience, from, times, (mode, replay, actor), scopes)| {
            format!(
                "{name}: {{{issuer}resource: {resource}, {who}{methods}{paths}{audience}{from}{times}{mode}{replay}{actor}{scopes}reason: w}}"
            )
        },
    );
    prop::option::weighted(0.8, entry)
}

fn model() -> impl Strategy<Value = Model> {
    let grants: Vec<_> = (0..5).map(|at| grant(format!("g{at}")).boxed()).collect();
    (vec![issuer("a").boxed(), issuer("b").boxed()], vec![resource("r").boxed(), resource("q").boxed()], grants)
        .prop_map(|(issuers, resources, grants)| [issuers, resources, grants])
}

/// Two tables of which the second keeps most of the first.
fn models() -> impl Strategy<Value = (Model, Model)> {
    (model(), model(), prop::collection::vec(prop::bool::weighted(0.2), 16)).prop_map(|(one, other, fresh)| {
        let mut fresh = fresh.into_iter();
        let mut two = one.clone();
        for (section, others) in two.iter_mut().zip(other) {
            for (entry, other) in section.iter_mut().zip(others) {
                if fresh.next().unwrap() {
                    *entry = other;
                }
            }
        }
        (one, two)
    })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let pick = |values: Vec<Value>| select(values);
    let audiences = vec![
        json!("r"),
        json!("q"),
        json!(["r", "own"]),
        json!("own"),
        json!([]),
        json!("else"),
        json!(["r-too", "q"]),
    ];
    (
        (
            prop::option::weighted(0.99, mostly("https://a.test", vec!["https://b.test", "https://c.test"])),
            prop::option::weighted(0.99, mostly(json!("s"), vec![json!("t"), json!("t"), json!(""), json!(7)])),
            prop::option::weighted(0.98, mostly(json!(["r", "q", "own"]), audiences)),
        ),
        prop::option::weighted(0.8, mostly(json!("x"), vec![json!("y"), json!("z"), json!(null), json!(["x"])])),
        prop::option::weighted(0.5, pick(vec![json!("m"), json!("n"), json!(""), json!(1)])),
        prop::option::weighted(0.5, pick(vec![json!({"e": "a/b"}), json!({"e": "a/b/c"}), json!({})])),
        prop::option::weighted(0.5, pick(vec![json!(["p"]), json!(["p", "q"]), json!("p")])),
        prop::option::weighted(0.4, pick(vec![json!("read write"), json!("write")])),
        prop::option::weighted(0.2, pick(vec![json!("r"), json!("own")])),
        (
            mostly(300.0, vec![3000.0, -100.0, -10.0, 90000.0]),
            prop::option::weighted(0.95, mostly(0.0, vec![-200.0, -1000.0, 100.0])),
            prop::option::weighted(0.1, select(vec![-10.0, 100.0, 20.0])),
        ),
        (
            prop::option::weighted(0.04, Just(json!({"jkt": "x"}))),
            prop::option::weighted(
                0.15,
                select(vec![
                    json!({"sub": "x"}),
                    json!({"sub": "x"}),
                    json!({"sub": "y"}),
                    json!({"iss": "https://a.test", "sub": "x"}),
                    json!({"iss": "https://b.test", "sub": "x"}),
                    json!({"sub": "x", "act": {"sub": "y"}}),
                    json!({"sub": "y", "act": {"iss": "https://b.test", "sub": "x"}}),
                ]),
            ),
            prop::option::weighted(0.8, mostly("one", vec![""])),
        ),
    )
        .prop_map(|((iss, sub, aud), c, d, n, l, w, client, (exp, iat, nbf), (cnf, act, jti))| {
            let date = |offset: f64| json!(NOW + offset);
            let all = [
                ("iss", iss.map(|iss| json!(iss))),
                ("sub", sub),
                ("aud", aud),
                ("c", c),
                ("d", d),
                ("n", n),
                ("l", l),
                ("w", w),
                ("client_id", client),
                ("exp", Some(date(exp))),
                ("iat", iat.map(date)),
                ("nbf", nbf.map(date)),
                ("cnf", cnf),
                ("act", act),
                ("jti", jti.map(|jti| json!(jti))),
            ];
            all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
        })
}

fn call() -> impl Strategy<Value = Asked> {
    let usual = json!({"alg": "EdDSA", "kid": "k", "typ": "JWT"});
    let others = vec![
        json!({"alg": "EdDSA", "kid": "k"}),
        json!({"alg": "EdDSA", "kid": "k", "typ": "at+jwt"}),
        json!({"alg": "EdDSA", "kid": "other", "typ": "JWT"}),
        json!({"alg": "ES256", "kid": "k", "typ": "logout+jwt"}),
    ];
    let header = mostly(usual, others);
    let honest = prop::bool::weighted(0.95);
    let place = (
        mostly("GET", vec!["POST", "OPTIONS"]),
        mostly("r.test", vec!["q.test", "none.test", "u@r.test"]),
        mostly("/v1/x", vec!["/v1/y", "/v2/z", "/other", "/v1/a%2Fb", "//"]),
        prop::option::weighted(0.1, select(vec!["one", "two"])),
        mostly("authorization", vec!["x-token", "both", "none", "bad"]),
        prop::bool::weighted(0.2),
    );
    (claims(), header, honest, place).prop_map(
        |(claims, header, honest, (method, host, path, context, carried, cors))| {
            let signer = match claims.get("iss").and_then(Value::as_str) {
                Some("https://a.test") if honest => 0,
                Some("https://b.test") if honest => 1,
                _ => 2,
            };
            let input =
                format!("{}.{}", b64(header.to_string().as_bytes()), b64(Value::Object(claims).to_string().as_bytes()));
            let token = format!("{input}.{}", b64(&SIGNERS[signer].sign(Algorithm::EdDSA, input.as_bytes())));
            let bearer = ("authorization", format!("Bearer {token}"));
            let mut headers = match carried {
                "authorization" => vec![bearer],
                "x-token" => vec![("x-token", token)],
                "both" => vec![bearer.clone(), bearer],
                "bad" => vec![("authorization", "Bearer x.y".to_owned())],
                _ => vec![],
            };
            if cors {
                headers.push(("origin", "https://o.test".to_owned()));
                headers.push(("access-control-request-method", "GET".to_owned()));
            }
            Asked { method, host, path, headers, context }
        },
    )
}

/// Whether a verdict about a logged decision agrees with what the other table really said.
fn agrees(verdict: &Verdict, logged: &Record, real: &Record) -> Result<(), String> {
    let (was, is) = (Told::of(logged), Told::of(real));
    let good = match verdict {
        Verdict::Same => was == is,
        Verdict::CannotTell { stays, .. } => !stays || was.allowed == is.allowed,
        Verdict::Changes { kind, to } => {
            let decision = match kind {
                Kind::DenyToAllow => !logged.allowed && real.allowed,
                Kind::AllowToDeny => logged.allowed && !real.allowed,
                Kind::Otherwise => logged.allowed == real.allowed,
                Kind::Unsettled => true,
            };
            let more: Vec<_> = to.grants.iter().chain(&to.perhaps).collect();
            was != is
                && decision
                && to.allowed.is_none_or(|allowed| allowed == real.allowed)
                && to.reason.as_ref().is_none_or(|reason| *reason == real.reason)
                && to.grants.iter().all(|grant| real.grants.contains(grant))
                && to.scopes.iter().all(|scope| real.scopes.contains(scope))
                && (to.reason.is_none() || real.grants.iter().all(|grant| more.contains(&grant)))
        }
    };
    if good { Ok(()) } else { Err(format!("{verdict:?}\nlogged {logged:?}\nreal   {real:?}")) }
}

/// How often each verdict was met, and how many pairs of tables did not load.
#[derive(Debug, Default)]
struct Met {
    with_base: [u32; 3],
    without: [u32; 3],
    kinds: [u32; 4],
}

fn place(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Same => 0,
        Verdict::Changes { .. } => 1,
        Verdict::CannotTell { .. } => 2,
    }
}

#[test]
fn what_is_told_about_another_table_is_what_that_table_says() {
    let mut runner = TestRunner::new(Config {
        cases: Config::default().cases.max(600),
        failure_persistence: None,
        max_global_rejects: 1 << 20,
        ..Config::default()
    });
    let met = std::cell::RefCell::new(Met::default());
    let used = || mostly(Used::Never, vec![Used::Before, Used::Unknown]);
    let strategy = (models(), prop::collection::vec((call(), used(), used()), 12));
    let outcome = runner.run(&strategy, |((one, two), calls)| {
        let (Ok(then), Ok(now)) = (World::build(&one), World::build(&two)) else {
            return Err(TestCaseError::reject("does not load"));
        };
        for (call, used_then, used_now) in calls {
            let (logged, real) = (then.decide(&call, used_then), now.decide(&call, used_now));
            let mut met = met.borrow_mut();
            // Without the table of then, tokens are taken to have been in `Authorization`.
            let ordinary = [&one, &two].iter().all(|model| !format!("{model:?}").contains("x-token"));
            for base in [Some(then.table()), None].into_iter().take(if ordinary { 2 } else { 1 }) {
                let verdict = rejudge(&logged, now.table(), base);
                agrees(&verdict, &logged, &real)
                    .map_err(|error| TestCaseError::fail(format!("base {}: {error}\n{call:?}", base.is_some())))?;
                let counts = if base.is_some() { &mut met.with_base } else { &mut met.without };
                counts[place(&verdict)] += 1;
                if let Verdict::Changes { kind, .. } = &verdict {
                    met.kinds[*kind as usize] += 1;
                }
            }
            let again = rejudge(&logged, then.table(), Some(then.table()));
            agrees(&again, &logged, &logged).map_err(|error| TestCaseError::fail(format!("itself: {error}")))?;
        }
        Ok(())
    });
    outcome.unwrap();
    let met = met.into_inner();
    println!("{met:?}");
    let [same, changes, open] = met.with_base;
    assert!(same > open && changes > 100, "too little is told to be of use: {met:?}");
    assert!(met.kinds.iter().all(|count| *count > 3), "{met:?}");
}

/// A model of one issuer and one grant, with these fields on the issuer.
fn small(issuer: &str) -> Model {
    let some = |text: String| vec![Some(text)];
    [
        some(format!("a: {{issuer: https://a.test, {issuer}owner: o}}")),
        some("r: {audience: r, hosts: [r.test]}".to_owned()),
        some("g: {issuer: a, resource: r, subject: s, methods: [GET], paths: any}".to_owned()),
    ]
}

fn asked(more: Value) -> Asked {
    let mut claims = json!({"iss": "https://a.test", "sub": "s", "aud": "r", "iat": NOW - 10.0, "exp": NOW + 290.0});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let header = json!({"alg": "EdDSA", "kid": "k", "typ": "JWT"});
    let input = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
    let token = format!("{input}.{}", b64(&SIGNERS[0].sign(Algorithm::EdDSA, input.as_bytes())));
    let headers = vec![("authorization", format!("Bearer {token}"))];
    Asked { method: "GET", host: "r.test", path: "/v1/x", headers, context: None }
}

#[test]
fn a_token_that_was_valid_only_by_the_skew_of_then_is_not_taken_for_valid_under_a_smaller_one() {
    let (then, now) =
        (World::build(&small("clockSkew: 200s, ")).unwrap(), World::build(&small("clockSkew: 0s, ")).unwrap());
    for (more, really) in [(json!({"nbf": NOW + 20.0}), "not_yet_valid"), (json!({}), "ok")] {
        let call = asked(more);
        let (logged, real) = (then.decide(&call, Used::Never), now.decide(&call, Used::Never));
        assert_eq!((logged.reason.as_str(), real.reason.as_str()), ("ok", really));
        let verdict = rejudge(&logged, now.table(), Some(then.table()));
        let Verdict::CannotTell { stays: false, gaps } = &verdict else { panic!("{verdict:?}") };
        assert!(gaps.contains("the `nbf` of the token"), "{gaps:?}");
        // The other way round it is certain.
        if real.allowed {
            assert_eq!(rejudge(&real, then.table(), Some(now.table())), Verdict::Same);
        }
    }
}

/// A model of one issuer and these grants, each with its fields.
fn granted(grants: &[&str]) -> World {
    let mut model = small("");
    let grant = |(at, fields): (usize, &&str)| {
        Some(format!("g{at}: {{issuer: a, resource: r, subject: s, methods: [GET], paths: any, {fields}}}"))
    };
    model[2] = grants.iter().enumerate().map(grant).collect();
    World::build(&model).unwrap()
}

#[test]
fn whether_a_token_was_spent_under_another_table_is_never_guessed() {
    let (plain, once) = (granted(&[""]), granted(&["replay: once"]));
    let (call, bare) = (asked(json!({"jti": "one"})), asked(json!({})));
    let logged = plain.decide(&call, Used::Never);
    let Verdict::CannotTell { stays: false, gaps } = rejudge(&logged, once.table(), Some(plain.table())) else {
        panic!("the log does not know")
    };
    assert_eq!(gaps, ["whether the token had been used before, had this table been in force".to_owned()].into());
    // What needs no memory is certain.
    let logged = plain.decide(&bare, Used::Never);
    let Verdict::Changes { kind: Kind::AllowToDeny, to } = rejudge(&logged, once.table(), Some(plain.table())) else {
        panic!("without a `jti` it cannot be used")
    };
    assert_eq!(to.reason.as_deref(), Some("jti_missing"));
    // And so is what becomes of it where nobody asks any more.
    for (used, reason) in [(Used::Before, "replayed"), (Used::Unknown, "replay_unavailable")] {
        let logged = once.decide(&call, used);
        assert_eq!(logged.reason, reason);
        let verdict = rejudge(&logged, plain.table(), Some(once.table()));
        assert!(matches!(verdict, Verdict::Changes { kind: Kind::DenyToAllow, .. }), "{verdict:?}");
    }
}

#[test]
fn a_grant_that_does_not_ask_stands_beside_one_that_does() {
    let (once, both) = (granted(&["replay: once"]), granted(&["replay: once", "scopes: [two]"]));
    let logged = once.decide(&asked(json!({"jti": "one"})), Used::Before);
    let Verdict::Changes { kind: Kind::DenyToAllow, to } = rejudge(&logged, both.table(), Some(once.table())) else {
        panic!("the other grant allows it, whatever was spent")
    };
    assert_eq!((to.grants, to.perhaps), (vec!["g1".to_owned()], vec!["g0".to_owned()]));
}

#[test]
fn an_actor_is_judged_by_name_by_whose_it_is_and_by_how_many_came_before() {
    let none = granted(&[""]);
    let actor = granted(&["actor: {subject: x}"]);
    for (act, allowed) in [
        (json!({"sub": "x"}), true),
        (json!({"iss": "https://a.test", "sub": "x"}), true),
        (json!({"iss": "https://b.test", "sub": "x"}), false),
        (json!({"sub": "w"}), false),
        (json!({"sub": "x", "act": {"sub": "z"}}), false),
    ] {
        let logged = none.decide(&asked(json!({"act": act})), Used::Never);
        assert_eq!(logged.reason, "actor_not_allowed");
        match rejudge(&logged, actor.table(), Some(none.table())) {
            Verdict::Changes { kind: Kind::DenyToAllow, .. } if allowed => {}
            Verdict::Same if !allowed => {}
            verdict => panic!("{act}: {verdict:?}"),
        }
    }
}

#[test]
fn who_was_blocked_stays_so_unless_a_block_may_mean_the_entry_by_a_name_that_it_lost() {
    let then = World::build(&small("")).unwrap();
    let renamed = |text: &Option<String>| {
        text.as_ref().map(|text| text.replace("a: {iss", "z: {iss").replace("issuer: a,", "issuer: z,"))
    };
    let other = World::build(&small("").map(|section| section.iter().map(renamed).collect())).unwrap();
    let logged = then.decide(&asked(json!({"sub": "y"})), Used::Never);
    assert_eq!(logged.reason, "blocked");
    let wider = granted(&["scopes: [one]"]);
    assert_eq!(rejudge(&logged, wider.table(), Some(then.table())), Verdict::Same);
    let verdict = rejudge(&logged, other.table(), Some(then.table()));
    let Verdict::CannotTell { gaps, .. } = &verdict else { panic!("{verdict:?}") };
    assert!(gaps.contains("whether the block stands against the entry by its new name"), "{gaps:?}");
}
