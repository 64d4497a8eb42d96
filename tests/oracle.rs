//! An independent verifier agrees: whatever credence believes, `jsonwebtoken` believes too, about the same pair.
//!
//! Only in this direction. Credence refuses much that the oracle takes; that is what the other tests are about.

#![cfg(test)]

mod support;

use std::cell::Cell;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use support::call::Call;
use support::credence::Credence;
use support::issuer::Issuer;
use support::key::{Key, b64};
use support::now;
use support::table::Table;

const AUDIENCE: &str = "https://api.acme.test";
const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];
/// Enough that every kind of bend meets every other one a few times.
const CASES: u32 = 600;

struct World {
    credence: Credence,
    issuers: [Issuer; 2],
    /// Of nobody: what an attacker signs with.
    stranger: Arc<Key>,
    _table: Table,
}

fn build() -> World {
    let issuers = [Issuer::with(&ALGORITHMS), Issuer::with(&ALGORITHMS)];
    let entry = |name: &str, issuer: &Issuer| {
        format!("  {name}: {{issuer: \"{}\", owner: team@acme.test, reviewBy: 2099-01-01}}\n", issuer.url())
    };
    let grant = |name: &str| {
        format!(
            "  {name}: {{issuer: {name}, resource: api, subject: {{glob: \"robot-*\"}}, methods: [GET], paths: any}}\n"
        )
    };
    let table = Table::new(&format!(
        "issuers:\n{}{}resources:\n  api: {{audience: {AUDIENCE}, hosts: [api.acme.test]}}\ngrants:\n{}{}",
        entry("one", &issuers[0]),
        entry("two", &issuers[1]),
        grant("one"),
        grant("two"),
    ));
    let credence = Credence::serve(table.path()).start();
    World { credence, issuers, stranger: Arc::new(Key::generate("key-ES256", "ES256")), _table: table }
}

/// One way to bend a token. Values stand for themselves; times are seconds from now.
#[derive(Debug, Clone)]
enum Bend {
    Header(&'static str, Value),
    NoHeader(&'static str),
    Claim(&'static str, Value),
    NoClaim(&'static str),
    Date(&'static str, i64),
    /// The issuer that the claims name, which may not be the one that signs.
    Issuer(usize),
    /// A claim twice: the second one with this value.
    Twice(&'static str, Value),
    /// One bit of the signature, by place.
    Signature(prop::sample::Index, u8),
    SignatureLength(usize),
    /// One byte of the compact form becomes another.
    Byte(prop::sample::Index, u8),
}

/// A token: who signs, with which algorithm, what is bent before the signature and what after it.
#[derive(Debug, Clone)]
struct Plan {
    signer: usize,
    alg: &'static str,
    forged: bool,
    before: Vec<Bend>,
    after: Vec<Bend>,
}

fn bend() -> impl Strategy<Value = Bend> {
    let subjects = prop::sample::select(vec![
        json!("robot-1"),
        json!("robot-2"),
        json!("robot-\u{eb}"),
        json!("Robot-1"),
        json!(""),
        json!(null),
        json!(["robot-1"]),
        json!(7),
    ]);
    let audiences = prop::sample::select(vec![
        json!(AUDIENCE),
        json!([AUDIENCE]),
        json!(["other", AUDIENCE]),
        json!([]),
        json!("other"),
        json!([[AUDIENCE]]),
        json!(null),
        json!("https://API.acme.test"),
    ]);
    let dates = (
        prop::sample::select(vec!["exp", "nbf", "iat"]),
        prop::sample::select(vec![-90_000, -400, -100, -31, -25, -5, 0, 5, 25, 200, 400, 90_000]),
    );
    let odd = prop::sample::select(vec![
        json!(null),
        json!("x"),
        json!(1),
        json!(-1),
        json!(1e300),
        json!([]),
        json!({}),
        json!(true),
    ]);
    let names =
        prop::sample::select(vec!["exp", "nbf", "iat", "jti", "cnf", "act", "events", "note", "iss", "sub", "aud"]);
    let members =
        prop::sample::select(vec!["alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5c", "zip", "cty", "extra"]);
    let values = prop::sample::select(vec![
        json!("none"),
        json!("HS256"),
        json!("ES256"),
        json!("RS256"),
        json!("EdDSA"),
        json!("PS256"),
        json!("JWT"),
        json!("at+jwt"),
        json!("application/at+jwt"),
        json!("key-RS256"),
        json!("key-ES256"),
        json!("unknown"),
        json!(["exp"]),
        json!(false),
        json!(null),
        json!(""),
    ]);
    prop_oneof![
        2 => (members.clone(), values).prop_map(|(name, value)| Bend::Header(name, value)),
        1 => members.prop_map(Bend::NoHeader),
        2 => subjects.clone().prop_map(|value| Bend::Claim("sub", value)),
        2 => audiences.prop_map(|value| Bend::Claim("aud", value)),
        2 => dates.prop_map(|(name, offset)| Bend::Date(name, offset)),
        1 => (names.clone(), odd.clone()).prop_map(|(name, value)| Bend::Claim(name, value)),
        2 => odd.prop_map(|value| Bend::Claim("note", value)),
        1 => names.clone().prop_map(Bend::NoClaim),
        1 => (0..2_usize).prop_map(Bend::Issuer),
        1 => subjects.prop_map(|value| Bend::Twice("sub", value)),
        1 => (any::<prop::sample::Index>(), 0..8_u8).prop_map(|(place, bit)| Bend::Signature(place, bit)),
        1 => (0..80_usize).prop_map(Bend::SignatureLength),
        1 => (any::<prop::sample::Index>(), prop::sample::select(b"AQgw_-.=+/ ".to_vec())).prop_map(|(place, byte)| Bend::Byte(place, byte)),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let after = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(bend(), 1..3)];
    (
        0..2_usize,
        prop::sample::select(ALGORITHMS.to_vec()),
        prop::bool::weighted(0.1),
        prop::collection::vec(bend(), 0..4),
        after,
    )
        .prop_map(|(signer, alg, forged, before, after)| Plan { signer, alg, forged, before, after })
}

/// A token as it is bent: the parts are kept apart to the last moment.
struct Parts {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    twice: Vec<(&'static str, Value)>,
    signature: Vec<u8>,
}

impl Parts {
    fn input(&self) -> String {
        let mut claims = Value::Object(self.claims.clone()).to_string();
        for (name, value) in &self.twice {
            claims.insert_str(claims.len() - 1, &format!(",{}:{value}", json!(name)));
        }
        format!("{}.{}", b64(Value::Object(self.header.clone()).to_string()), b64(claims))
    }

    fn bend(&mut self, bend: &Bend, world: &World) {
        match bend {
            Bend::Header(name, value) => _ = self.header.insert((*name).into(), value.clone()),
            Bend::NoHeader(name) => _ = self.header.remove(*name),
            Bend::Claim(name, value) => _ = self.claims.insert((*name).into(), value.clone()),
            Bend::NoClaim(name) => _ = self.claims.remove(*name),
            Bend::Date(name, offset) => {
                _ = self.claims.insert((*name).into(), json!(now().saturating_add_signed(*offset)))
            }
            Bend::Issuer(index) => _ = self.claims.insert("iss".into(), json!(world.issuers[*index].url())),
            Bend::Twice(name, value) => self.twice.push((name, value.clone())),
            Bend::Signature(place, bit) if !self.signature.is_empty() => {
                let place = place.index(self.signature.len());
                self.signature[place] ^= 1 << bit;
            }
            Bend::SignatureLength(length) => self.signature.resize(*length, 0),
            Bend::Signature(..) | Bend::Byte(..) => {}
        }
    }
}

fn mint(plan: &Plan, world: &World) -> String {
    let issuer = &world.issuers[plan.signer];
    let now = now();
    let object = |value: Value| value.as_object().unwrap().clone();
    let mut parts = Parts {
        header: object(json!({"alg": plan.alg, "kid": format!("key-{}", plan.alg), "typ": "at+jwt"})),
        claims: object(json!({"iss": issuer.url(), "sub": "robot-1", "aud": AUDIENCE, "iat": now, "exp": now + 300})),
        twice: Vec::new(),
        signature: Vec::new(),
    };
    plan.before.iter().for_each(|bend| parts.bend(bend, world));
    let key = if plan.forged { Arc::clone(&world.stranger) } else { issuer.key_for(plan.alg) };
    let alg = parts.header.get("alg").and_then(Value::as_str).unwrap_or(plan.alg);
    parts.signature = key.sign(alg, parts.input().as_bytes());
    plan.after.iter().for_each(|bend| parts.bend(bend, world));
    let mut token = format!("{}.{}", parts.input(), b64(&parts.signature)).into_bytes();
    for bend in &plan.after {
        if let Bend::Byte(place, byte) = bend {
            let place = place.index(token.len());
            token[place] = *byte;
        }
    }
    String::from_utf8(token).unwrap()
}

/// The pair, if the oracle believes the token: by this issuer's key with the token's `kid` (or the one that fits its
/// `alg`), for this `iss` and `aud`.
#[expect(clippy::disallowed_methods, reason = "the oracle: here its word is only compared")]
fn oracle(token: &str, issuer: &Issuer) -> Result<(String, String), String> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?;
    let name = match header.alg {
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        Algorithm::RS256 => "RS256",
        other => return Err(format!("no key for {other:?}")),
    };
    let key = issuer.key_for(name);
    if header.kid.is_some_and(|kid| kid != key.kid) {
        return Err("another kid".into());
    }
    let jwk = serde_json::from_value(key.jwk()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.leeway = 30;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer.url()]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).map_err(|error| error.to_string())?.claims;
    let text = |name: &str| claims[name].as_str().map(str::to_owned).ok_or(format!("{name} is no string"));
    Ok((text("iss")?, text("sub")?))
}

#[test]
fn whatever_credence_believes_an_independent_verifier_believes_about_the_same_pair() {
    let world = build();
    let (allowed, refused, oracle_alone) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |seen: &Cell<u32>| seen.set(seen.get() + 1);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&plan(), |plan| {
        let token = mint(&plan, &world);
        let answer = world.credence.check(&Call::get(&format!("{AUDIENCE}/x")).bearer(&token));
        let beliefs: Vec<_> = world.issuers.iter().filter_map(|issuer| oracle(&token, issuer).ok()).collect();
        if !answer.allowed() {
            count(&refused);
            if !beliefs.is_empty() {
                count(&oracle_alone);
            }
            return Ok(());
        }
        count(&allowed);
        let told = answer.metadata();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pair = (text(&told["principal"]["iss"]), text(&told["principal"]["sub"]));
        let why: Vec<_> = world.issuers.iter().map(|issuer| oracle(&token, issuer)).collect();
        prop_assert_eq!(&beliefs, &vec![pair], "{:?} {}", why, token);
        let name = if told["principal"]["iss"] == world.issuers[0].url() { "one" } else { "two" };
        prop_assert_eq!((&told["issuer_name"], &told["grants"]), (&json!(name), &json!([name])));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let seen = (allowed.get(), refused.get(), oracle_alone.get());
    eprintln!("allowed, refused, refused though the oracle believes: {seen:?}");
    assert!(seen.0 > CASES / 10 && seen.1 > CASES / 10, "both verdicts have to be met: {seen:?}");
}
