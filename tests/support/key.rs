//! Signing keys of every kind, and their public halves as JWK.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Base64url without padding (RFC 7515 §2).
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key with the `kid` and `alg` under which it is published.
#[derive(Debug)]
pub struct Key {
    /// Published as `kid`, and written into tokens.
    pub kid: String,
    /// Published as `alg`, and written into tokens.
    pub alg: String,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    Ec { pair: EcdsaKeyPair, curve: &'static str },
    Ed(Ed25519KeyPair),
}

impl Key {
    /// A fresh key for a JOSE algorithm. RSA keys have 2048 bits.
    pub fn generate(kid: &str, alg: &str) -> Self {
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, curve| Pair::Ec {
            pair: EcdsaKeyPair::generate(algorithm).unwrap(),
            curve,
        };
        let pair = match alg {
            "ES256" => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "ES512" => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            "EdDSA" | "Ed25519" => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            _ if alg.starts_with("RS") || alg.starts_with("PS") => {
                Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
            }
            _ => panic!("no key kind for {alg}"),
        };
        Self { kid: kid.to_owned(), alg: alg.to_owned(), pair }
    }

    /// Signs with this key, by `alg` where the key can be used with several (RSA), else by the key's own.
    pub fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec { pair, .. } => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match alg {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut bytes).unwrap();
                bytes
            }
        }
    }

    /// The public key as JWK with `kid`, `alg` and `use`.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.bare_jwk();
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The members of the public key that RFC 7638 §3.2 requires, and no other.
    pub fn bare_jwk(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => {
                let (n, e) = components(pair);
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
            Pair::Ec { pair, curve } => {
                // SEC 1 §2.3.3: 04, x, y.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
        }
    }

    /// The RFC 7638 thumbprint as the trust table writes it: `sha256:…`.
    pub fn thumbprint(&self) -> String {
        // serde_json keeps members in the order of their names, which is the order that RFC 7638 asks for.
        let text = self.bare_jwk().to_string();
        format!("sha256:{}", b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes())))
    }

    /// The public key as DER (SubjectPublicKeyInfo): for attacks that use it as a secret.
    pub fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ec { pair, .. } => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }
}

/// Modulus and exponent out of the RSAPublicKey structure (RFC 8017 §A.1.1): a sequence of two integers.
fn components(pair: &RsaKeyPair) -> (Vec<u8>, Vec<u8>) {
    let der = pair.public_key().as_ref();
    let (sequence, _) = element(der);
    let (n, rest) = element(sequence);
    let (e, _) = element(rest);
    let unsigned = |integer: &[u8]| integer.iter().copied().skip_while(|byte| *byte == 0).collect();
    (unsigned(n), unsigned(e))
}

/// Content of the first DER element, and what comes after it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match der[1] {
        short @ 0..0x80 => (usize::from(short), 2),
        long => {
            let count = usize::from(long & 0x7f);
            (der[2..2 + count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + count)
        }
    };
    (&der[start..start + length], &der[start + length..])
}
