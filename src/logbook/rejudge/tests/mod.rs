//! What is told about another table is what that table really says: random tables and calls, walked for real on both.

mod chance;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::super::record::Record;
use super::{Kind, Told, Verdict, rejudge};
use crate::keys::testing::b64;
use crate::name::Algorithm;
use chance::{call, models, mostly};
use world::{Asked, Model, NOW, SIGNERS, Used, World};

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
