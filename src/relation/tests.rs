//! The algebra held against trying every value of small alphabets: it may miss, and it must never promise too much.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::claims::{ClaimKey, ClaimRule, Glob, Matcher, Scalar};
use crate::clock::Time;
use crate::decide::{ActorRule, AudienceFrom, Grant, GrantId, GrantTimes, Mode, Replay, SubjectRule};
use crate::json::Json;
use crate::name::{Audience, GrantName, Scope, Site};
use crate::resource::{Authority, HostPattern, Methods, PathPattern, RequestPath, ResourceId};
use crate::trust::IssuerId;

const TEXTS: [&str; 16] = [
    "", "a", "b", "a b", "x/a", "x/b", "x/a/b", "x/y", "x/y/z", "x:a", "x/v-1", "x/v-1-2", "x/.", "x/y/..", "x/",
    "x/v-",
];
const GLOBS: [&str; 11] =
    ["x/*", "x/**", "x/*/z", "x/y/*", "x/y/**", "x:*", "x/v-*", "x/v-*-*", "x/v-*-2", "x/*/*", "v-*"];
const VALUES: [&str; 19] = [
    r#""""#,
    "null",
    "0",
    "1",
    "9007199254740992",
    "true",
    "false",
    "{}",
    "[]",
    r#"["a"]"#,
    r#"["b"]"#,
    r#"["a","b"]"#,
    r#"["a",1]"#,
    "[1]",
    r#"["x/a"]"#,
    r#"["b","a","x/a"]"#,
    "[true]",
    "[null]",
    r#"[""]"#,
];

/// Every value that is tried, and none.
fn universe() -> Vec<Option<Json>> {
    let parse = |text: &str| Some(Json::parse(text.as_bytes(), 8).unwrap());
    let texts = TEXTS.iter().map(|text| Some(Json::String((*text).into())));
    VALUES.iter().map(|text| parse(text)).chain(texts).chain([None]).collect()
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        4 => select(&TEXTS[..]).prop_map(|text| Scalar::String(text.into())),
        1 => select(&[0.0, -0.0, 1.0, 9_007_199_254_740_992.0][..]).prop_map(Scalar::Number),
        1 => any::<bool>().prop_map(Scalar::Bool),
    ]
}

fn scalars() -> impl Strategy<Value = Vec<Scalar>> {
    prop::collection::vec(scalar(), 1..4)
}

fn glob() -> impl Strategy<Value = Glob> {
    select(&GLOBS[..]).prop_map(|text| Glob::parse(text).unwrap())
}

fn matcher() -> impl Strategy<Value = Matcher> {
    prop_oneof![
        3 => scalar().prop_map(Matcher::Equals),
        2 => scalars().prop_map(Matcher::OneOf),
        2 => glob().prop_map(Matcher::Glob),
        2 => scalars().prop_map(Matcher::ContainsAny),
        2 => scalars().prop_map(Matcher::ContainsAll),
        1 => select(&["a", "b"][..]).prop_map(|word| Matcher::Word(word.into())),
        1 => Just(Matcher::Present),
        1 => Just(Matcher::Absent),
    ]
}

fn subject() -> impl Strategy<Value = Option<SubjectRule>> {
    prop_oneof![
        3 => prop::collection::vec(select(&TEXTS[1..]), 1..3)
            .prop_map(|all| Some(SubjectRule::Exact(all.into_iter().map(str::to_owned).collect()))),
        2 => glob().prop_map(|glob| Some(SubjectRule::Glob(glob))),
        1 => Just(Some(SubjectRule::Any)),
        1 => Just(None),
    ]
}

const PATHS: [&str; 11] = ["/**", "/", "/a", "/a/", "/a/*", "/*", "/a/b", "/a/**", "/*/b", "/*/**", "/%C3%A9"];
const CALLED: [&str; 9] = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/b/b", "/b/", "/b/c", "/%c3%a9"];
const HOSTS: [&str; 6] = ["a.x", "a.x:1", "*.x", "*.x:1", "*.a.x", "b.a.x"];
const AUTHORITIES: [&str; 7] = ["a.x", "a.x:1", "a.x:2", "b.x", "b.x:1", "b.a.x", "x"];

fn paths() -> impl Strategy<Value = Vec<PathPattern>> {
    prop::collection::vec(select(&PATHS[..]).prop_map(|text| PathPattern::parse(text).unwrap()), 1..3)
}

fn methods() -> impl Strategy<Value = Methods> {
    prop_oneof![
        Just(Methods::Any),
        prop::collection::vec(select(&["GET", "PUT", "TRACE"][..]), 1..3)
            .prop_map(|all| Methods::These(all.into_iter().map(str::to_owned).collect())),
    ]
}

fn times() -> impl Strategy<Value = GrantTimes> {
    let time = || prop::option::weighted(0.3, select(&[10.0, 20.0, 30.0][..]).prop_map(Time::from_seconds));
    let age = prop::option::weighted(0.2, select(&[1, 2][..]).prop_map(Duration::from_secs));
    (time(), time(), age).prop_map(|(starts, expires, max_token_age)| GrantTimes { starts, expires, max_token_age })
}

fn rules() -> impl Strategy<Value = Vec<ClaimRule>> {
    let site = Site { file: Arc::from("t"), line: 1, column: 1 };
    let rule = (select(&["k", "/k", "l"][..]), matcher()).prop_map(move |(key, matcher)| ClaimRule {
        key: ClaimKey::parse(key).unwrap(),
        matcher,
        site: site.clone(),
    });
    prop::collection::vec(rule, 0..3)
}

fn grant() -> impl Strategy<Value = Grant> {
    let scopes = prop::sample::subsequence(vec!["r", "w"], 0..=2);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let actor = (select(&["a", "b"][..]), 1..3u8).prop_map(|(subject, max_depth)| ActorRule {
        subject: SubjectRule::Exact(vec![subject.to_owned()]),
        max_depth,
    });
    let actor = prop::option::weighted(0.2, actor);
    (subject(), rules(), methods(), paths(), times(), scopes, flags, actor).prop_map(
        |(subject, claims, methods, paths, times, scopes, (shadow, once), actor)| Grant {
            id: GrantId::default(),
            name: GrantName::new("g"),
            site: Site { file: Arc::from("t"), line: 1, column: 1 },
            issuers: vec![IssuerId(0)],
            resource: ResourceId(0),
            subject,
            claims,
            methods,
            paths,
            scopes: scopes.into_iter().map(Scope::new).collect(),
            audience: Audience::new("r"),
            audience_from: AudienceFrom::Audience,
            actor,
            replay: if once { Replay::Once } else { Replay::Allow },
            times,
            mode: if shadow { Mode::Shadow } else { Mode::Enforce },
            forward_claims: Vec::new(),
        },
    )
}

/// The grant with one field of another; with the last number the other itself.
fn with_field(grant: &Grant, other: Grant, field: usize) -> Grant {
    let same = grant.clone();
    match field {
        0 => Grant { subject: other.subject, ..same },
        1 => Grant { claims: other.claims, ..same },
        2 => Grant { methods: other.methods, ..same },
        3 => Grant { paths: other.paths, ..same },
        4 => Grant { times: other.times, ..same },
        5 => Grant { actor: other.actor, ..same },
        6 => Grant { replay: other.replay, ..same },
        7 => Grant { scopes: other.scopes, mode: other.mode, ..same },
        _ => other,
    }
}

/// A request with a token, as far as grants look at it.
#[derive(Debug, Clone)]
struct Call {
    method: &'static str,
    path: &'static str,
    subject: &'static str,
    k: Option<Json>,
    l: Option<Json>,
    now: f64,
    age: u64,
    /// Who acts, in a chain of how many.
    acting: Option<(&'static str, u8)>,
    used: bool,
}

fn call() -> impl Strategy<Value = Call> {
    let claim = || select(universe());
    let now = select(&[5.0, 10.0, 15.0, 20.0, 25.0, 30.0][..]);
    (
        select(&["GET", "PUT", "TRACE", "X"][..]),
        select(&CALLED[..]),
        select(&TEXTS[1..]),
        claim(),
        claim(),
        now,
        0..4u64,
        (prop::option::weighted(0.3, (select(&["a", "b"][..]), 1..4u8)), any::<bool>()),
    )
        .prop_map(|(method, path, subject, k, l, now, age, (acting, used))| Call {
            method,
            path,
            subject,
            k,
            l,
            now,
            age,
            acting,
            used,
        })
}

fn fits(grant: &Grant, call: &Call) -> bool {
    let path = RequestPath::read(call.path).unwrap();
    let now = Time::from_seconds(call.now);
    let acts = match (&grant.actor, call.acting) {
        (None, None) => true,
        (Some(rule), Some((who, depth))) => rule.subject.matches(who) && depth <= rule.max_depth,
        _ => false,
    };
    acts && (grant.replay == Replay::Allow || !call.used)
        && grant.methods.contain(call.method)
        && grant.paths.iter().any(|pattern| pattern.matches(&path))
        && grant.subject.as_ref().is_none_or(|rule| rule.matches(call.subject))
        && grant
            .claims
            .iter()
            .all(|rule| rule.matcher.holds(if rule.key.name() == "k" { call.k.as_ref() } else { call.l.as_ref() }))
        && grant.times.starts.is_none_or(|start| now >= start)
        && grant.times.expires.is_none_or(|end| now < end)
        && grant.times.max_token_age.is_none_or(|bound| call.age <= bound.as_secs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn a_condition_that_implies_another_lets_nothing_more_through(narrow in matcher(), wide in matcher()) {
        let all = universe();
        if implies(&narrow, &wide) {
            for value in all.iter().filter(|value| narrow.holds(value.as_ref())) {
                prop_assert!(wide.holds(value.as_ref()), "{} but not {}: {:?}", narrow, wide, value);
            }
        }
        if let Some(shared) = all.iter().find(|value| narrow.holds(value.as_ref()) && wide.holds(value.as_ref())) {
            prop_assert!(meet(&narrow, &wide), "{} and {}: {:?}", narrow, wide, shared);
        }
    }

    #[test]
    fn a_path_within_another_matches_nothing_more(
        narrow in select(&PATHS[..]), wide in select(&PATHS[..]), called in select(&CALLED[..]),
    ) {
        let parse = |text| PathPattern::parse(text).unwrap();
        let (narrow, wide, path) = (parse(narrow), parse(wide), RequestPath::read(called).unwrap());
        prop_assert!(!wide.covers(&narrow) || !narrow.matches(&path) || wide.matches(&path), "{wide} {narrow} {called}");
        prop_assert!(!wide.covers(&narrow) || wide.intersects(&narrow));
    }

    #[test]
    fn a_host_within_another_matches_nothing_more(one in select(&HOSTS[..]), two in select(&HOSTS[..])) {
        let (one, two) = (HostPattern::parse(one).unwrap(), HostPattern::parse(two).unwrap());
        for text in AUTHORITIES {
            let authority = Authority::read(text).unwrap();
            let (first, second) = (one.matches(&authority), two.matches(&authority));
            prop_assert!(!within_host(&one, &two) || !first || second, "{one} in {two}: {text}");
            prop_assert!(hosts_meet(&one, &two) || !(first && second), "{one} and {two}: {text}");
        }
    }

    #[test]
    fn a_grant_that_covers_another_fits_wherever_that_one_fits(
        wide in grant(), other in grant(), field in 0..9usize, calls in prop::collection::vec(call(), 40),
    ) {
        // Most often the two differ in one field: then it is that field which decides.
        let narrow = with_field(&wide, other, field);
        for call in calls.iter().filter(|call| fits(&narrow, call)) {
            prop_assert!(!covers(&wide, &narrow) || fits(&wide, call), "{:?}", call);
            prop_assert!(overlaps(&wide, &narrow) || !fits(&wide, call), "{:?}", call);
        }
        if covers(&wide, &narrow) {
            prop_assert!(narrow.scopes.iter().all(|scope| wide.scopes.contains(scope)));
            prop_assert!(narrow.mode == Mode::Shadow || wide.mode == Mode::Enforce);
            let found = Wider::new([&wide]).candidates(&narrow);
            let dead = |rule: &ClaimRule| implies(&rule.matcher, &Matcher::Absent) && rule.matcher != Matcher::Absent;
            let first_dead = |rule: &ClaimRule| matches!(&rule.matcher, Matcher::OneOf(all) | Matcher::ContainsAny(all)
                if implies(&Matcher::Equals(all[0].clone()), &Matcher::Absent));
            // Conditions that no token can meet are not looked for.
            prop_assert!(!found.is_empty() || narrow.claims.iter().any(|rule| dead(rule) || first_dead(rule)));
        }
    }
}

/// Every pair of forms and every pair of sets of methods, against every value.
#[test]
fn a_form_or_a_set_within_another_lets_nothing_more_through() {
    let globs: Vec<_> = GLOBS.iter().map(|form| Glob::parse(form).unwrap()).collect();
    let methods = [vec!["GET"], vec!["GET", "PUT"], vec!["TRACE"]]
        .map(|all| Methods::These(all.into_iter().map(str::to_owned).collect()));
    let sets: Vec<_> = methods.into_iter().chain([Methods::Any]).collect();
    for narrow in &globs {
        for wide in &globs {
            let (one, two) = (Matcher::Glob(narrow.clone()), Matcher::Glob(wide.clone()));
            for text in TEXTS {
                let (first, second) = (narrow.matches(text), wide.matches(text));
                assert!(!implies(&one, &two) || !first || second, "{narrow:?} in {wide:?}: {text}");
                assert!(meet(&one, &two) || !(first && second), "{narrow:?} and {wide:?}: {text}");
            }
        }
    }
    for narrow in &sets {
        for wide in &sets {
            for method in ["GET", "PUT", "TRACE", "X"] {
                let within = !methods_within(narrow, wide) || !narrow.contain(method) || wide.contain(method);
                assert!(within, "{narrow} in {wide}: {method}");
            }
        }
    }
}

/// What the algebra must see, or it would be of no use.
#[test]
fn plain_cases_are_seen() {
    let text = |text: &str| Scalar::String(text.into());
    let equals = |value: &str| Matcher::Equals(text(value));
    let glob = |form: &str| Matcher::Glob(Glob::parse(form).unwrap());
    for (narrow, wide) in [
        (equals("a"), Matcher::OneOf(vec![text("b"), text("a")])),
        (equals("x/a"), glob("x/*")),
        (equals("read write"), Matcher::Word("write".into())),
        (equals("a"), Matcher::Present),
        (glob("x/y/*"), glob("x/**")),
        (glob("x/v-*-2"), glob("x/v-*")),
        (Matcher::ContainsAll(vec![text("a"), text("b")]), Matcher::ContainsAny(vec![text("b")])),
        (Matcher::ContainsAll(vec![text("a"), text("b")]), Matcher::ContainsAll(vec![text("b")])),
        (Matcher::ContainsAny(vec![text("a")]), Matcher::ContainsAll(vec![text("a")])),
    ] {
        assert!(implies(&narrow, &wide) && meet(&narrow, &wide), "{narrow} within {wide}");
        assert!(!implies(&wide, &narrow) || narrow == Matcher::ContainsAny(vec![text("a")]), "{wide} within {narrow}");
    }
    for (one, two) in [
        (equals("a"), equals("b")),
        (glob("x/*"), glob("y/*")),
        (glob("x/v-*"), glob("x/w-*")),
        (glob("x/*"), glob("x/*/z")),
        (equals("a"), Matcher::Absent),
        (glob("x/*"), Matcher::ContainsAny(vec![text("x/a")])),
    ] {
        assert!(!meet(&one, &two) && !implies(&one, &two), "{one} and {two}");
    }
    let path = |text| PathPattern::parse(text).unwrap();
    for (wide, narrow) in [("/**", "/a"), ("/a/**", "/a/*/c"), ("/*", "/a"), ("/a/*", "/a/b"), ("/a/**", "/a/**")] {
        assert!(path(wide).covers(&path(narrow)), "{narrow} within {wide}");
    }
}
