//! Fresh keys for tests: each signs, and shows its public half as a JWK.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{KeyRules, KeySet};
use crate::name::{Algorithm, NonEmpty};

/// A private key.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ec(&'static str, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// RSA keys take long to make in a debug build, so the tests share two.
pub(crate) static RSA: LazyLock<[Signer; 2]> =
    LazyLock::new(|| [0, 1].map(|_| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())));

impl Signer {
    pub(crate) fn ec(crv: &'static str) -> Self {
        Self::Ec(crv, EcdsaKeyPair::generate(ec_algorithm(crv, true)).unwrap())
    }

    pub(crate) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// The public half, without `kid` and `alg`.
    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Rsa(pair) => {
                let (n, e) = rsa_components(pair.public_key().as_ref());
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
            Self::Ec(crv, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
            }
            Self::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
        }
    }

    /// The public half under a name.
    pub(crate) fn named(&self, kid: &str) -> Value {
        with(self.jwk(), json!({"kid": kid}))
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(_, pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// An ECDSA signature by the same key as an ASN.1 sequence, which JOSE does not use.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let Self::Ec(crv, pair) = self else { panic!("only ECDSA has a DER form") };
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(ec_algorithm(crv, false), pkcs8.as_ref()).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

fn ec_algorithm(crv: &str, fixed: bool) -> &'static EcdsaSigningAlgorithm {
    match (crv, fixed) {
        ("P-256", true) => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        ("P-256", false) => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        ("P-384", true) => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        ("P-384", false) => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        ("P-521", true) => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
    }
}

/// Modulus and exponent of a PKCS#1 `RSAPublicKey` of 2048 bits.
fn rsa_components(der: &[u8]) -> (&[u8], &[u8]) {
    // SEQUENCE (4 bytes of head), INTEGER of 257 bytes with its sign byte (4 + 1), 256 bytes, INTEGER (2), exponent.
    (&der[9..265], &der[267..])
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `object` with the members of `more` on top; null removes one.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object
}

pub(crate) fn set(keys: &[Value]) -> Arc<KeySet> {
    Arc::new(KeySet::parse(document(keys).as_bytes()).unwrap())
}

pub(crate) fn document(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// All algorithms in the order of the registry, no pins.
pub(crate) fn any_rules() -> KeyRules {
    KeyRules { algorithms: NonEmpty::new(Algorithm::ALL.to_vec()).unwrap(), pins: None, max_stale: None }
}

pub(crate) fn rules(algorithms: &[Algorithm]) -> KeyRules {
    KeyRules { algorithms: NonEmpty::new(algorithms.to_vec()).unwrap(), pins: None, max_stale: None }
}
