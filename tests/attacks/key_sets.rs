//! Key sets with keys that must not verify anything, beside one that must.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::key::b64;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::world::by;

const AUD: &str = "https://odd.acme.test";

struct Odd {
    issuer: Issuer,
    credence: Credence,
    _table: Table,
}

/// An issuer that publishes these keys beside one of each good kind.
fn publishing(odd: Vec<Value>) -> Odd {
    let issuer = Issuer::with(&["ES256", "RS256", "EdDSA"]);
    issuer.publish_also(odd);
    let table = Table::new(&format!(
        "issuers:\n  odd: {{issuer: \"{}\", signingAlgs: [RS256, PS256, ES256, ES384, ES512, EdDSA], owner: a@b.test, reviewBy: 2099-01-01}}\n\
         resources:\n  r: {{audience: {AUD}, hosts: [odd.acme.test]}}\n\
         grants:\n  g: {{issuer: odd, resource: r, subject: s, methods: [GET], paths: any}}",
        issuer.url()
    ));
    let credence = Credence::serve(table.path()).start();
    Odd { issuer, credence, _table: table }
}

impl Odd {
    fn ask(&self, token: impl std::fmt::Display) -> Answer {
        self.credence.check(&Call::get(&format!("{AUD}/x")).bearer(token))
    }

    fn token(&self) -> Token {
        self.issuer.token("s", AUD)
    }

    /// The good keys are none the worse for it.
    fn control(&self) {
        for alg in ["ES256", "RS256", "EdDSA"] {
            assert_eq!(self.ask(by(self.token(), &self.issuer.key_for(alg))).reason(), "ok", "{alg}");
        }
    }
}

fn named(mut jwk: Value, kid: &str) -> Value {
    jwk["kid"] = json!(kid);
    jwk
}

/// PKCS#1 v1.5 encoding of the SHA-256 of a message: with e = 1 it is its own signature.
fn encoded_message(message: &[u8]) -> Vec<u8> {
    let info = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let tail = [&[0], &info[..], digest(&SHA256, message).as_ref()].concat();
    [&[0, 1], vec![0xff; 254 - tail.len()].as_slice(), &tail].concat()
}

#[test]
fn keys_that_anyone_can_sign_for() {
    let good = crate::support::key::Key::generate("unused", "RS256").bare_jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let ed = |x: [u8; 32]| json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": b64(x)});
    let mut identity = [0; 32];
    identity[0] = 1;
    let odd = publishing(vec![
        named(with("e", json!("AQ")), "e-1"),
        named(with("e", json!("Ag")), "e-2"),
        named(with("e", json!("Aw")), "e-3"),
        named(with("n", json!("AA")), "n-0"),
        named(with("n", json!(b64([0xc5; 128]))), "rsa-1024"),
        named(with("n", json!(b64([0xc5; 8192]))), "rsa-65536"),
        named(json!({"kty": "oct", "alg": "HS256", "k": b64("secret")}), "oct"),
        named(json!({"kty": "oct", "alg": "RS256", "k": b64("secret")}), "oct-as-rsa"),
        named(ed(identity), "small-order"),
        named(ed([0; 32]), "zero-point"),
    ]);
    odd.control();
    let token = odd.token();
    for kid in ["e-1", "e-2", "e-3", "n-0", "rsa-1024", "rsa-65536", "oct-as-rsa"] {
        let token = token.clone().header("alg", "RS256").header("kid", kid);
        for signature in [encoded_message(token.signing_input().as_bytes()), vec![0; 256], vec![1; 256]] {
            assert_eq!(odd.ask(token.mint_with_signature(&signature)).reason(), "key_unknown", "{kid}");
        }
    }
    assert_eq!(
        odd.ask(token.clone().header("alg", "HS256").header("kid", "oct").mint_hs256(b"secret")).reason(),
        "alg_not_allowed"
    );
    // R = the identity, S = 0: verifies for any message under a key of small order where nobody looks.
    let universal = [identity, [0; 32]].concat();
    for kid in ["small-order", "zero-point"] {
        let token = token.clone().header("alg", "EdDSA").header("kid", kid);
        assert_eq!(odd.ask(token.mint_with_signature(&universal)).reason(), "key_unknown", "{kid}");
    }
    odd.control();
}

#[test]
fn keys_off_their_curve_mislabelled_or_for_another_purpose() {
    let ec = crate::support::key::Key::generate("unused", "ES256").bare_jwk();
    let with = |pairs: Value| {
        let mut jwk = ec.clone();
        for (name, value) in pairs.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let short = b64([1; 31]);
    let odd = publishing(vec![
        named(with(json!({"x": b64([1; 32]), "y": b64([1; 32])})), "off-curve"),
        named(with(json!({"x": b64([0; 32]), "y": b64([0; 32])})), "infinity"),
        named(with(json!({"crv": "P-384"})), "wrong-crv"),
        named(with(json!({"crv": "secp256k1"})), "other-crv"),
        named(with(json!({"x": short})), "short-x"),
        named(with(json!({"kty": "RSA"})), "ec-as-rsa"),
        named(json!({"kty": "OKP", "crv": "Ed25519", "x": short}), "short-ed"),
        named(json!({"kty": "OKP", "crv": "X25519", "x": b64([9; 32])}), "x25519"),
        named(with(json!({"use": "enc"})), "enc"),
        named(with(json!({"key_ops": ["sign"]})), "sign-only"),
        named(with(json!({"alg": "ECDH-ES"})), "agreement"),
        named(with(json!({"alg": "ES384"})), "wrong-alg"),
        named(with(json!({"d": b64([7; 32])})), "private"),
        json!("no object"),
        json!(null),
        json!({}),
        json!({"kty": 1}),
    ]);
    odd.control();
    let token = odd.token();
    for kid in [
        "off-curve",
        "infinity",
        "wrong-crv",
        "other-crv",
        "short-x",
        "ec-as-rsa",
        "enc",
        "sign-only",
        "agreement",
        "wrong-alg",
        "private",
    ] {
        assert_eq!(odd.ask(token.clone().header("kid", kid)).reason(), "key_unknown", "{kid}");
    }
    for kid in ["short-ed", "x25519"] {
        let token = token.clone().header("alg", "EdDSA").header("kid", kid);
        assert_eq!(odd.ask(token.mint_with_signature(&[0; 64])).reason(), "key_unknown", "{kid}");
    }
    odd.control();
}

#[test]
fn a_kid_that_names_two_keys_names_none() {
    let twin = crate::support::key::Key::generate("unused", "ES256");
    let odd = publishing(vec![named(twin.bare_jwk(), "key-ES256")]);
    let token = odd.token();
    assert_eq!(odd.ask(token.clone()).reason(), "key_unknown");
    assert_eq!(odd.ask(token.without_header("kid")).reason(), "key_unknown", "nor is one of the two guessed");
    assert_eq!(odd.ask(by(odd.token(), &odd.issuer.key_for("RS256"))).reason(), "ok");
}

#[test]
fn a_published_key_that_is_not_pinned() {
    let issuer = Issuer::with(&["ES256", "ES384"]);
    let pinned = issuer.key_for("ES256");
    let table = Table::new(&format!(
        "issuers:\n  p: {{issuer: \"{}\", pin: {{keys: [\"{}\"]}}, owner: a@b.test, reviewBy: 2099-01-01}}\n\
         resources:\n  r: {{audience: {AUD}, hosts: [odd.acme.test]}}\n\
         grants:\n  g: {{issuer: p, resource: r, subject: s, methods: [GET], paths: any}}",
        issuer.url(),
        pinned.thumbprint()
    ));
    let odd = Odd { credence: Credence::serve(table.path()).start(), issuer, _table: table };
    assert_eq!(odd.ask(odd.token()).reason(), "ok");
    assert_eq!(odd.ask(by(odd.token(), &odd.issuer.key_for("ES384"))).reason(), "key_not_pinned");
    assert_eq!(odd.ask(odd.token().header("kid", "unpublished")).reason(), "key_unknown");
}
