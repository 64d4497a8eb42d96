//! Which key a token names.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::support::credence::Credence;
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::world::{API, Findings, KEPT, SUBJECT, reason, state, table_of};

fn key(kid: &str, alg: &str) -> Arc<Key> {
    Arc::new(Key::generate(kid, alg))
}

fn with(mut jwk: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        if value.as_str() == Some("REMOVE") {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

struct Case {
    name: String,
    more: String,
    keys: Vec<Value>,
    asks: Vec<(&'static str, Token, &'static str)>,
}

fn tok(key: &Arc<Key>, name: &str) -> Token {
    Token::new(key, &format!("https://{name}.test"), SUBJECT, API)
}

#[test]
fn a_kid_names_one_key_or_none() {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, more: &str, keys: Vec<Value>, asks: Vec<(&'static str, Token, &'static str)>| {
        cases.push(Case { name: name.to_owned(), more: more.to_owned(), keys, asks });
    };
    let (a, b, c) = (key("a", "ES256"), key("b", "ES256"), key("a", "ES256"));
    let (r, r2) = (key("r", "RS256"), key("r2", "RS256"));
    let ed = key("ed", "EdDSA");
    let e384 = key("e384", "ES384");

    let t = |k: &Arc<Key>, n: &str| tok(k, n);
    add(
        "shared",
        "",
        vec![a.jwk(), c.jwk(), b.jwk()],
        vec![
            ("first of a shared kid", t(&a, "shared"), "key_unknown"),
            ("second of a shared kid", t(&c, "shared"), "key_unknown"),
            ("the other kid", t(&b, "shared"), "ok"),
            ("no kid, three fit", t(&b, "shared").without_header("kid"), "key_unknown"),
        ],
    );
    // Two keys of one name, of different kinds.
    let ra = key("a", "RS256");
    add(
        "mixed",
        "",
        vec![a.jwk(), ra.jwk(), b.jwk()],
        vec![
            ("a kid shared by an EC and an RSA key", t(&a, "mixed"), "key_unknown"),
            ("the RSA one", t(&ra, "mixed"), "key_unknown"),
        ],
    );
    // No trial of keys: without a kid exactly one must fit.
    add(
        "nokid",
        "",
        vec![a.jwk(), r.jwk()],
        vec![
            ("no kid, one fits", t(&a, "nokid").without_header("kid"), "ok"),
            ("no kid, the other alg", t(&r, "nokid").without_header("kid"), "ok"),
            ("no kid, none fits", t(&ed, "nokid").without_header("kid"), "key_unknown"),
            ("no kid, one fits, another's signature", t(&b, "nokid").without_header("kid"), "signature_invalid"),
            ("an empty kid", t(&a, "nokid").header("kid", ""), "key_unknown"),
            ("kid in other case", t(&a, "nokid").header("kid", "A"), "key_unknown"),
            ("kid with a blank", t(&a, "nokid").header("kid", "a "), "key_unknown"),
            ("kid null", t(&a, "nokid").header("kid", Value::Null), "malformed"),
            ("kid number", t(&a, "nokid").header("kid", 7), "malformed"),
            ("kid of 512 bytes", t(&a, "nokid").header("kid", "k".repeat(512)), "key_unknown"),
            ("kid of 513 bytes", t(&a, "nokid").header("kid", "k".repeat(513)), "malformed"),
            ("right kid, other alg of the kind", t(&r, "nokid").header("alg", "PS256"), "key_unknown"),
            ("right kid, alg of another kind", t(&a, "nokid").header("alg", "EdDSA"), "key_unknown"),
            ("right kid, alg not allowed", t(&r, "nokid").header("alg", "RS512"), "alg_not_allowed"),
        ],
    );
    // Keys without kid.
    let bare = with(a.bare_jwk(), json!({"alg": "ES256"}));
    add(
        "bare",
        "",
        vec![bare.clone()],
        vec![
            ("bare key, no kid", t(&a, "bare").without_header("kid"), "ok"),
            ("bare key, kid", t(&a, "bare"), "key_unknown"),
            ("bare key, empty kid", t(&a, "bare").header("kid", ""), "key_unknown"),
        ],
    );
    // A JWK without alg binds to the first of signingAlgs that fits.
    let noalg = with(r.jwk(), json!({"alg": "REMOVE"}));
    add(
        "bind1",
        "",
        vec![noalg.clone()],
        vec![
            ("default algs: RS256", t(&r, "bind1"), "ok"),
            ("default algs: PS256", t(&r, "bind1").header("alg", "PS256"), "key_unknown"),
        ],
    );
    add(
        "bind2",
        ", signingAlgs: [PS256, RS256]",
        vec![noalg.clone()],
        vec![
            ("PS256 first: RS256", t(&r, "bind2"), "key_unknown"),
            ("PS256 first: PS256", t(&r, "bind2").header("alg", "PS256"), "ok"),
        ],
    );
    add(
        "bind3",
        ", signingAlgs: [ES256, PS256]",
        vec![noalg.clone(), with(a.jwk(), json!({"alg": "REMOVE"}))],
        vec![("RS256 not allowed", t(&r, "bind3"), "alg_not_allowed"), ("ES256 by binding", t(&a, "bind3"), "ok")],
    );
    add(
        "bindno",
        "",
        vec![noalg.clone(), r2.jwk()],
        vec![("no kid, a bound one and one with alg", t(&r, "bindno").without_header("kid"), "key_unknown")],
    );
    add(
        "bindps",
        "",
        vec![with(r.jwk(), json!({"alg": "PS256"})), r2.jwk()],
        vec![
            ("no kid: PS256 fits one", t(&r, "bindps").without_header("kid").header("alg", "PS256"), "ok"),
            ("no kid: RS256 fits the other", t(&r2, "bindps").without_header("kid"), "ok"),
            ("PS256 key, RS256 token", t(&r, "bindps").header("alg", "RS256"), "key_unknown"),
        ],
    );
    // Filtered by use, key_ops, alg, crv.
    add(
        "filter",
        "",
        vec![
            a.jwk(),
            with(b.jwk(), json!({"use": "enc"})),
            with(e384.jwk(), json!({"key_ops": ["sign"], "use": "REMOVE"})),
            with(r.jwk(), json!({"key_ops": ["verify"], "use": "REMOVE"})),
            with(ed.jwk(), json!({"alg": "ES256"})),
            with(r2.jwk(), json!({"alg": "RSA-OAEP"})),
        ],
        vec![
            ("use enc", t(&b, "filter"), "key_unknown"),
            ("key_ops sign", t(&e384, "filter"), "key_unknown"),
            ("key_ops verify", t(&r, "filter"), "ok"),
            ("alg of another kind in the JWK", t(&ed, "filter"), "key_unknown"),
            ("alg for encryption in the JWK", t(&r2, "filter"), "key_unknown"),
            ("the good one beside", t(&a, "filter"), "ok"),
            ("no kid, the others do not fit", t(&a, "filter").without_header("kid"), "ok"),
        ],
    );
    add(
        "odd",
        "",
        vec![
            a.jwk(),
            with(b.jwk(), json!({"use": 7})),
            with(e384.jwk(), json!({"key_ops": "verify", "use": "REMOVE"})),
            with(r.jwk(), json!({"kid": 7})),
            with(r2.jwk(), json!({"alg": null})),
            with(ed.jwk(), json!({"kid": "k".repeat(5000)})),
            json!({"kty": "oct", "kid": "oct", "k": "AAAA", "alg": "HS256"}),
            json!({"kty": "XYZ", "kid": "xyz"}),
            json!("text"),
            json!(null),
            json!([[[]]]),
        ],
        vec![
            ("odd neighbours spoil no good key", t(&a, "odd"), "ok"),
            ("use that is no string", t(&b, "odd"), "key_unknown"),
            ("key_ops that is no list", t(&e384, "odd"), "key_unknown"),
            ("kid that is no string, no kid in the token", t(&r, "odd").without_header("kid"), "key_unknown"),
        ],
    );
    // e = 3, e = 1, even e, 1024 and 16384 bits.
    let modulus = r2.bare_jwk()["n"].as_str().unwrap().to_owned();
    let rsa = |kid: &str, n: &str, e: &str| json!({"kty": "RSA", "kid": kid, "n": n, "e": e, "alg": "RS256"});
    let wide = |bits: usize| {
        let mut n = vec![0x5a_u8; bits / 8];
        n[0] = 0x91;
        *n.last_mut().unwrap() = 0x0f;
        crate::support::key::b64(n)
    };
    add(
        "rsa",
        "",
        vec![
            r.jwk(),
            rsa("e3", &modulus, "Aw"),
            rsa("e1", &modulus, "AQ"),
            rsa("e65536", &modulus, "AQAA"),
            rsa("b1024", &wide(1024), "AQAB"),
            rsa("b16384", &wide(16384), "AQAB"),
            rsa("b8200", &wide(8200), "AQAB"),
            rsa("zero", "AA", "AQAB"),
            rsa(
                "even",
                &{
                    let mut n = vec![0x5a_u8; 256];
                    n[0] = 0x91;
                    crate::support::key::b64(n)
                },
                "AQAB",
            ),
        ],
        vec![
            ("the good RSA key", t(&r, "rsa"), "ok"),
            ("16384 bits", t(&r, "rsa").header("kid", "b16384"), "key_unknown"),
            ("e=3", t(&r2, "rsa").header("kid", "e3"), "key_unknown"),
            ("e=1", t(&r2, "rsa").header("kid", "e1"), "key_unknown"),
        ],
    );
    // Pins.
    let pins = format!(", pin: {{keys: [\"{}\", \"{}\"]}}", a.thumbprint(), r.thumbprint());
    add(
        "pins",
        &pins,
        vec![a.jwk(), b.jwk()],
        vec![
            ("pinned", t(&a, "pins"), "ok"),
            ("published, not pinned", t(&b, "pins"), "key_not_pinned"),
            ("not published", t(&e384, "pins"), "key_unknown"),
            ("no kid: the pinned one is the only fit", t(&a, "pins").without_header("kid"), "ok"),
            ("no kid: the unpinned one's signature", t(&b, "pins").without_header("kid"), "signature_invalid"),
            ("expired and not pinned", t(&b, "pins").claim("exp", 1000), "expired"),
            ("alg before pin", t(&b, "pins").header("alg", "RS512"), "alg_not_allowed"),
            ("no audience and not pinned", t(&b, "pins").without("aud"), "key_not_pinned"),
        ],
    );
    // The kid is shared by a pinned and an unpinned key: it names two keys.
    let pins = format!(", pin: {{keys: [\"{}\", \"{}\"]}}", a.thumbprint(), b.thumbprint());
    add(
        "pinshare",
        &pins,
        vec![a.jwk(), c.jwk(), b.jwk()],
        vec![
            ("a kid of a pinned key and of an unpinned one: names two", t(&a, "pinshare"), "key_unknown"),
            ("the unpinned one", t(&c, "pinshare"), "key_unknown"),
        ],
    );
    let pins = format!(", pin: {{keys: [\"{}\", \"{}\"]}}", e384.thumbprint(), r.thumbprint());
    add("down-pins", &pins, vec![a.jwk(), b.jwk()], vec![("no key is pinned", t(&a, "down-pins"), "key_not_pinned")]);

    let endpoint = Endpoint::start();
    let (mut entries, mut grants) = (String::new(), Vec::new());
    for case in &cases {
        let path = format!("/{}", case.name);
        endpoint.json(&path, &json!({"keys": case.keys}));
        let name = &case.name;
        entries += &format!(
            "  {name}: {{issuer: \"https://{name}.test\", jwksUri: \"{}\", {KEPT}{}}}\n",
            endpoint.url(&path),
            case.more
        );
        grants.push((name.as_str(), name.as_str()));
    }
    let table = Table::new(&table_of(&entries, &grants));
    let mut serve = Credence::serve(table.path());
    for case in cases.iter().filter(|case| case.name.starts_with("down-")) {
        serve = serve.keyless(&case.name);
    }
    let credence = serve.start();
    let mut findings = Findings::default();
    for case in &cases {
        for (what, token, expected) in &case.asks {
            let seen = reason(&credence, &case.name, &token.mint());
            findings.same(&format!("{}: {what}", case.name), &seen, expected);
        }
    }
    let counts = |name: &str| state(&credence, name)["keys"].as_u64().unwrap_or(99);
    findings.same("usable RSA keys", &counts("rsa").to_string(), "1");
    findings.end();
}

#[test]
fn a_key_that_says_whose_it_is() {
    // Entra: each key has its own `issuer`; the template {tenantid} stands for every tenant.
    let (t1, t2) = ("8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "82229342-1101-4ab6-817b-70c0747630f3");
    let iss = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let v1 = |tenant: &str| format!("https://sts.windows.net/{tenant}/");
    let ks: Vec<Arc<Key>> = (0..9).map(|n| key(&format!("k{n}"), "RS256")).collect();
    let own = |key: &Arc<Key>, issuer: Value| with(key.jwk(), json!({"issuer": issuer, "alg": "REMOVE"}));
    let endpoint = Endpoint::start();
    endpoint.json(
        "/v2",
        &json!({"keys": [
            own(&ks[0], json!(iss("{tenantid}"))),
            own(&ks[1], json!(iss(t1))),
            own(&ks[2], json!(iss(t2))),
            own(&ks[3], json!(v1(t1))),
            own(&ks[4], json!(7)),
            own(&ks[5], json!("")),
            with(ks[6].jwk(), json!({"alg": "REMOVE"})),
            own(&ks[7], json!(iss(&t1.to_uppercase()))),
            own(&ks[8], json!("{tenantid}")),
        ]}),
    );
    let mut findings = Findings::default();
    for (version, issuer_of, field) in [("v2", iss as fn(&str) -> String, ""), ("v1", v1, ", version: v1")] {
        let entries = format!(
            "  e: {{profile: entra, with: {{tenants: [{t1}, {t2}]{field}}}, jwksUri: \"{}\", {KEPT}}}\n",
            endpoint.url("/v2")
        );
        let table = Table::new(&format!(
            "issuers:\n{entries}resources:\n  api: {{audience: {API}, hosts: [api.acme.test]}}\ngrants:\n  e: {{issuer: e, resource: api, claims: {{idtyp: app, azp: 75dbe77f-10a3-4e59-85fd-8c127544f17c}}, methods: [GET], paths: [/e/**]}}\n"
        ));
        let credence = Credence::serve(table.path()).start();
        let expected = |n: usize, tenant: &str| match (version, n) {
            ("v2", 0) | (_, 6) => "ok",
            ("v2", 1) if tenant == t1 => "ok",
            ("v2", 2) if tenant == t2 => "ok",
            ("v1", 3) if tenant == t1 => "ok",
            _ => "key_unknown",
        };
        for (n, key) in ks.iter().enumerate() {
            for tenant in [t1, t2] {
                let mint = Token::new(key, &issuer_of(tenant), "s", API)
                    .header("typ", "JWT")
                    .claims(json!({"tid": tenant, "idtyp": "app", "azp": "75dbe77f-10a3-4e59-85fd-8c127544f17c", "appid": "75dbe77f-10a3-4e59-85fd-8c127544f17c", "ver": "2.0"}))
                    .mint();
                let seen = reason(&credence, "e", &mint);
                if n == 6 || n == 8 {
                    continue;
                }
                findings.same(&format!("{version}: key {n}, tenant {tenant}"), &seen, expected(n, tenant));
            }
        }
    }
    findings.end();
}
