//! The index shows exactly what looking at every grant would.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::index::GrantIndex;
use super::testing::Dice;
use super::*;
use crate::claims::{Asked, ClaimKey, ClaimRule, Claims, Glob, Matcher, Scalar};
use crate::json::Json;
use crate::name::{Audience, GrantName, Issuer, Site};
use crate::resource::testing::plain;
use crate::resource::{Methods, PathPattern, RequestPath, ResourceId};
use crate::trust::{Acting, IssuerId};

/// One to four of these, some perhaps twice.
fn some<'a>(dice: &mut Dice, of: &[&'a str]) -> Vec<&'a str> {
    (0..=dice.throw(3)).map(|_| dice.one(of)).collect()
}

const SUBJECTS: [&str; 8] = ["a", "b", "c", "x/y/1", "x/y/2", "x/z/1", "x:y/1", "w/1"];
const GLOBS: [&str; 5] = ["x/y/*", "x/z/**", "x/*", "w/v-*", "x:y/*"];
const KEYS: [&str; 4] = ["k", "l", "/o/m", "/k"];
const PATHS: [&str; 8] = ["/**", "/a", "/a/", "/a/*", "/a/b", "/a/**", "/*/b", "/c/%40d"];
const CALLED: [&str; 9] = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/c/b", "/c/@d", "/c/%40d", "/%61"];
const AUDIENCES: [&str; 3] = ["r", "s", "t"];
const VALUES: [&str; 9] = [r#""u""#, r#""v""#, r#""""#, r#""x/y/1""#, "0", "-0.0", "1", "9007199254740992", "true"];

fn site() -> Site {
    Site { file: Arc::from("t"), line: 1, column: 1 }
}

fn scalar(dice: &mut Dice) -> Scalar {
    match Json::parse(dice.one(&VALUES).as_bytes(), 4).unwrap() {
        Json::String(text) => Scalar::String(text.into_owned()),
        Json::Number(number) => Scalar::Number(number),
        _ => Scalar::Bool(true),
    }
}

fn scalars(dice: &mut Dice) -> Vec<Scalar> {
    (0..=dice.throw(3)).map(|_| scalar(dice)).collect()
}

fn matcher(dice: &mut Dice) -> Matcher {
    match dice.throw(12) {
        0..5 => Matcher::Equals(scalar(dice)),
        5 | 6 => Matcher::OneOf(scalars(dice)),
        7 => Matcher::Glob(Glob::parse(dice.one(&GLOBS)).unwrap()),
        8 => Matcher::ContainsAny(scalars(dice)),
        9 => Matcher::Word("u".into()),
        10 => Matcher::Present,
        _ => Matcher::Absent,
    }
}

fn subject(dice: &mut Dice) -> Option<SubjectRule> {
    match dice.throw(8) {
        0..4 => Some(SubjectRule::Exact(some(dice, &SUBJECTS).into_iter().map(str::to_owned).collect())),
        4 | 5 => Some(SubjectRule::Glob(Glob::parse(dice.one(&GLOBS)).unwrap())),
        6 => Some(SubjectRule::Any),
        _ => None,
    }
}

fn grant(dice: &mut Dice, number: usize) -> Grant {
    let rule = |dice: &mut Dice| ClaimRule {
        key: ClaimKey::parse(dice.one(&KEYS)).unwrap(),
        matcher: matcher(dice),
        site: site(),
    };
    let time = |dice: &mut Dice| Some(Time::from_seconds(if dice.chance(80) { 500.0 } else { 1500.0 }));
    Grant {
        id: GrantId::default(),
        name: GrantName::new(format!("g-{:03}", (number * 37) % 1000)),
        site: site(),
        issuers: vec![IssuerId(0), IssuerId(1)],
        resource: ResourceId(0),
        subject: subject(dice),
        claims: (0..dice.throw(3)).map(|_| rule(dice)).collect(),
        actor: dice.chance(20).then(|| ActorRule {
            subject: SubjectRule::Exact(vec![dice.one(&["x", "y"]).to_owned()]),
            max_depth: if dice.chance(80) { 1 } else { 2 },
        }),
        methods: if dice.chance(80) { Methods::Any } else { Methods::These(vec!["PUT".into()]) },
        paths: some(dice, &PATHS).into_iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
        scopes: Vec::new(),
        audience: Audience::new(if dice.chance(80) { "r" } else { dice.one(&AUDIENCES) }),
        audience_from: if dice.chance(90) { AudienceFrom::Audience } else { AudienceFrom::ClientId },
        replay: Replay::Allow,
        times: GrantTimes {
            starts: time(dice).filter(|_| dice.chance(20)),
            expires: Some(Time::from_seconds(500.0)).filter(|_| dice.chance(20)),
            max_token_age: Some(Duration::from_secs(60)).filter(|_| dice.chance(10)),
        },
        mode: if dice.chance(80) { Mode::Enforce } else { Mode::Shadow },
        forward_claims: Vec::new(),
    }
}

/// Claims with all that any grant of these tests asks for.
fn claims_of(payload: &str) -> Claims {
    let keys =
        KEYS.iter().chain(&["client_id", "ref", "id", "owner", "/o/stage"]).filter_map(|key| ClaimKey::parse(key));
    Claims::read(&Json::parse(payload.as_bytes(), 16).unwrap(), &Asked::new(keys)).unwrap()
}

fn token(dice: &mut Dice) -> Claims {
    let subject = dice.one(&SUBJECTS);
    let mut text = format!(r#"{{"sub":"{subject}","exp":2000,"iat":990"#);
    let audiences = ["[]", r#""""#, r#""r""#, r#""r""#, r#"["s","r"]"#, r#""z""#];
    write!(text, r#","aud":{}"#, dice.one(&audiences)).unwrap();
    for key in ["k", "l", "client_id"] {
        if dice.chance(70) {
            let value = dice.one(&[VALUES.as_slice(), &[r#"["u"]"#, "null", r#""x/z/1""#, r#""r""#]].concat());
            write!(text, r#","{key}":{value}"#).unwrap();
        }
    }
    if dice.chance(50) {
        write!(text, r#","o":{{"m":{}}}"#, dice.one(&VALUES)).unwrap();
    }
    let actors = [r#"{"sub":"x"}"#, r#"{"sub":"y","iss":"https://own"}"#, r#"{"sub":"x","iss":"https://other"}"#];
    if dice.chance(20) {
        write!(text, r#","act":{}"#, dice.one(&[actors.as_slice(), &[r#"{"sub":"x","act":{"sub":"y"}}"#]].concat()))
            .unwrap();
    }
    text.push('}');
    claims_of(&text)
}

fn with_case<T>(claims: &Claims, path: &str, run: impl FnOnce(&Case<'_>) -> T) -> T {
    let resource = plain("r");
    let path = RequestPath::read(path).unwrap_or_else(|_| RequestPath::read("/a").unwrap());
    let place = Place { id: ResourceId(0), resource: &resource, path };
    let request = AuthzRequest { method: "GET", ..AuthzRequest::default() };
    let issuer = Issuer::new("https://own");
    let acting = Acting::of(claims, &issuer);
    run(&Case { place: &place, request: &request, claims, acting, now: Time::from_seconds(1000.0), first_use: Ok(()) })
}

/// The rule as the contract says it, over every grant.
fn reason(case: &Case<'_>, grants: &[&Grant]) -> Reason {
    let enforcing = grants.iter().filter(|grant| grant.mode == Mode::Enforce);
    let failed: Vec<_> = enforcing.map(|grant| case.miss(grant).failed).collect();
    let all_but = |among: fn(&Failed<'_>) -> bool| failed.iter().any(|all| !all.is_empty() && all.iter().all(among));
    let audience = |all: &Vec<Failed<'_>>| !all.iter().any(|failed| matches!(failed, Failed::Audience));
    if failed.is_empty() && !case.names_no_audience() {
        Reason::GrantNone
    } else if !failed.iter().any(audience) {
        Reason::AudienceMismatch
    } else if all_but(|failed| matches!(failed, Failed::Actor)) {
        Reason::ActorNotAllowed
    } else if all_but(|failed| matches!(failed, Failed::Starts | Failed::Expires | Failed::MaxTokenAge)) {
        Reason::GrantExpired
    } else {
        Reason::GrantNone
    }
}

#[test]
fn the_index_decides_as_looking_at_every_grant_would() {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 1..500u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let count = dice.throw(150);
        let index = GrantIndex::build((0..count).map(|number| grant(&mut dice, number)).collect());
        let grants = index.of(IssuerId(1), ResourceId(0));
        let all: Vec<_> = grants.iter().collect();
        for _ in 0..5 {
            let claims = token(&mut dice);
            with_case(&claims, dice.one(&CALLED), |case| {
                let judged = case.judge(grants);
                let fitting =
                    |mode| all.iter().filter(move |grant| grant.mode == mode && case.miss(grant).failed.is_empty());
                let names = |grants: Vec<&Grant>| grants.iter().map(|grant| grant.name.to_string()).collect::<Vec<_>>();
                assert_eq!(
                    names(judged.fitting.clone()),
                    names(fitting(Mode::Enforce).copied().collect()),
                    "seed {seed}"
                );
                assert_eq!(names(judged.shadow), names(fitting(Mode::Shadow).copied().collect()), "seed {seed}");
                let expected = if fitting(Mode::Enforce).next().is_some() { Ok(()) } else { Err(reason(case, &all)) };
                let outcome = if judged.fitting.is_empty() { Err(judged.otherwise) } else { Ok(()) };
                assert_eq!(outcome, expected, "seed {seed}");
                *seen.entry(expected.err()).or_insert(0) += 1;
            });
        }
    }
    assert!(seen.len() == 5 && seen.values().all(|times| *times > 20), "every outcome was met: {seen:?}");
}

/// Grants that differ in one condition, and how many of them a token of the seven-hundredth is held against.
fn candidates(differ: impl Fn(&mut Grant, usize), claims: &str) -> usize {
    let mut dice = Dice(7);
    let grants = (0..1000).map(|number| {
        let plain = GrantTimes::default();
        let mut one = Grant {
            subject: None,
            claims: Vec::new(),
            actor: None,
            methods: Methods::Any,
            times: plain,
            ..grant(&mut dice, number)
        };
        one.paths = vec![PathPattern::everything()];
        differ(&mut one, number);
        one
    });
    let index = GrantIndex::build(grants.collect());
    let claims = claims_of(claims);
    with_case(&claims, "/a/700/x", |case| {
        let mut count = 0;
        index.of(IssuerId(0), ResourceId(0)).candidates(case, &mut |_| count += 1);
        assert!(case.near_misses(index.of(IssuerId(0), ResourceId(0))).len() <= MAX_NEAR_MISSES);
        count
    })
}

fn claim(key: &str, matcher: Matcher) -> ClaimRule {
    ClaimRule { key: ClaimKey::parse(key).unwrap(), matcher, site: site() }
}

#[test]
fn of_a_thousand_grants_that_differ_somewhere_a_few_are_looked_at() {
    let text = |number: usize| Matcher::Equals(Scalar::String(number.to_string()));
    let exact = |grant: &mut Grant, number: usize| {
        grant.subject = Some(SubjectRule::Exact(vec![format!("s{number}"), format!("t{number}")]));
    };
    let glob = |grant: &mut Grant, number: usize| {
        grant.subject = Some(SubjectRule::Glob(Glob::parse(&format!("ns:{number}:sa/*")).unwrap()));
    };
    let by_claim = |grant: &mut Grant, number: usize| {
        grant.claims = vec![claim("owner", text(1)), claim("id", text(number)), claim("/o/stage", text(number % 2))];
    };
    let by_number = |grant: &mut Grant, number: usize| {
        grant.claims = vec![claim("id", Matcher::Equals(Scalar::Number(number as f64)))];
    };
    // Thirty of each of two claims: neither alone tells them apart.
    let by_two = |grant: &mut Grant, number: usize| {
        grant.claims = vec![claim("owner", text(number / 32)), claim("id", text(number % 32))];
    };
    let by_path = |grant: &mut Grant, number: usize| {
        grant.subject = Some(SubjectRule::Exact(vec!["s".into()]));
        grant.paths = ["/a", "/b"].map(|top| PathPattern::parse(&format!("{top}/{number}/**")).unwrap()).into();
    };
    assert_eq!(candidates(by_path, r#"{"sub":"s","exp":9}"#), 1);
    assert_eq!(candidates(exact, r#"{"sub":"t700","exp":9}"#), 1);
    assert_eq!(candidates(exact, r#"{"sub":"u700","exp":9}"#), 0);
    assert_eq!(candidates(glob, r#"{"sub":"ns:700:sa/x","exp":9}"#), 1);
    assert_eq!(candidates(by_claim, r#"{"sub":"s","exp":9,"owner":"1","id":"700"}"#), 1);
    assert_eq!(candidates(by_number, r#"{"sub":"s","exp":9,"id":700}"#), 1);
    assert_eq!(candidates(by_two, r#"{"sub":"s","exp":9,"owner":"21","id":"28"}"#), 1);
}

#[test]
fn a_near_miss_is_found_among_many_by_what_it_shares() {
    let mut dice = Dice(7);
    let grants = (0..1000).map(|number| Grant {
        subject: Some(SubjectRule::Exact(vec![format!("s{number}")])),
        actor: None,
        claims: vec![claim("ref", Matcher::Equals(Scalar::String("main".into())))],
        paths: vec![PathPattern::everything()],
        methods: Methods::Any,
        mode: Mode::Enforce,
        times: GrantTimes::default(),
        audience_from: AudienceFrom::Audience,
        audience: Audience::new("r"),
        name: GrantName::new(format!("g-{number:03}")),
        ..grant(&mut dice, number)
    });
    let index = GrantIndex::build(grants.collect());
    let payload = r#"{"sub":"s700","aud":"r","exp":9,"ref":"feature"}"#;
    let claims = claims_of(payload);
    with_case(&claims, "/a", |case| {
        let misses = case.near_misses(index.of(IssuerId(0), ResourceId(0)));
        let names: Vec<_> = misses.iter().map(|miss| miss.grant.name.as_str()).collect();
        assert_eq!(names, ["g-700", "g-000", "g-001"]);
    });
}
