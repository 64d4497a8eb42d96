//! Looking into tokens and key sets with a second verifier, so that a test knows what an issuer really sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::verify;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, decode_header};
use serde_json::Value;

/// The JSON of the JOSE header.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

/// The JSON of the claims.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

/// The `kid` of the key that signed.
pub(crate) fn kid(token: &str) -> String {
    header(token)["kid"].as_str().expect("a kid").to_owned()
}

/// The `kid`s of a key set.
pub(crate) fn kids(set: &Value) -> Vec<String> {
    let keys = set["keys"].as_array().unwrap_or_else(|| panic!("no key set: {set}"));
    keys.iter().filter_map(|key| Some(key["kid"].as_str()?.to_owned())).collect()
}

/// Whether the signature is by the key of this set that the token names. Nothing else is judged.
pub(crate) fn signed_by(token: &str, set: &Value) -> bool {
    let kid = kid(token);
    set["keys"].as_array().unwrap().iter().any(|key| key["kid"] == *kid && signed_with(token, key))
}

/// Whether the signature is by this key.
pub(crate) fn signed_with(token: &str, jwk: &Value) -> bool {
    let jwk: Jwk = serde_json::from_value(jwk.clone()).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let alg = decode_header(token).unwrap().alg;
    verify(signature, input.as_bytes(), &DecodingKey::from_jwk(&jwk).unwrap(), alg).unwrap()
}

/// The token with one bit of its signature changed.
pub(crate) fn tampered(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
