//! Random tables and calls.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::world::{Asked, Model, NOW, SIGNERS};
use crate::keys::testing::b64;
use crate::name::Algorithm;

fn maybe(values: Vec<&'static str>, weight: f64) -> impl Strategy<Value = &'static str> {
    prop::option::weighted(weight, select(values)).prop_map(Option::unwrap_or_default)
}

/// Mostly this, sometimes one of those.
pub(super) fn mostly<T: Clone + std::fmt::Debug + 'static>(usual: T, others: Vec<T>) -> impl Strategy<Value = T> {
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
pub(super) fn models() -> impl Strategy<Value = (Model, Model)> {
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

pub(super) fn call() -> impl Strategy<Value = Asked> {
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
