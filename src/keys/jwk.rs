//! One JSON Web Key (RFC 7517), judged alone.

use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::weak;
use crate::json::Json;
use crate::name::{Algorithm, Issuer, KeyId, Thumbprint, is_guid};

/// A usable public key of a JWK Set: for signatures, asymmetric, of a sound size, on its curve. Clones share it.
#[derive(Debug, Clone)]
pub struct Jwk(Arc<Published>);

#[derive(Debug)]
struct Published {
    kid: Option<KeyId>,
    algorithm: Option<Algorithm>,
    issuer: Option<Box<str>>,
    thumbprint: Thumbprint,
    material: Material,
}

/// What a published key must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Signatures in general: `use` is `sig` where it is written (RFC 7517 §4.2).
    Signature,
    /// JWT-SVIDs: `use` is `jwt-svid` (SPIFFE Trust Domain and Bundle §4.2.2).
    JwtSvid,
}

/// What the mathematics needs, in the fewest bytes: parsed, a key takes several times as much. An RSA key is bound to
/// its hash and padding only once the algorithm is known.
#[derive(Debug)]
enum Material {
    Rsa { n: Box<[u8]>, e: u64 },
    Curve { algorithm: Algorithm, point: Box<[u8]> },
}

/// Equality of what was published: the thumbprint stands for the key itself.
impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.0.kid == other.0.kid
            && self.0.algorithm == other.0.algorithm
            && self.0.issuer == other.0.issuer
            && self.0.thumbprint == other.0.thumbprint
    }
}

impl Eq for Jwk {}

impl Jwk {
    /// The `kid`, if the key has one.
    pub fn kid(&self) -> Option<&KeyId> {
        self.0.kid.as_ref()
    }

    /// The `alg` that the key itself declares.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.0.algorithm
    }

    /// The RFC 7638 thumbprint, by SHA-256.
    pub fn thumbprint(&self) -> Thumbprint {
        self.0.thumbprint
    }

    /// The `issuer` member that Entra writes beside each key.
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// Type and size for people: `RSA 2048`, `EC P-256`, `OKP Ed25519`.
    pub fn shape(&self) -> String {
        match &self.0.material {
            Material::Rsa { n, .. } => format!("RSA {}", bit_length(n).unwrap_or_default()),
            Material::Curve { algorithm: Algorithm::ES256, .. } => "EC P-256".to_owned(),
            Material::Curve { algorithm: Algorithm::ES384, .. } => "EC P-384".to_owned(),
            Material::Curve { algorithm: Algorithm::ES512, .. } => "EC P-521".to_owned(),
            Material::Curve { .. } => "OKP Ed25519".to_owned(),
        }
    }

    /// Whether the key may speak for `issuer`: a key that names an issuer speaks for that one only, byte for byte.
    /// Entra's keys for many tenants name a template, in which a tenant's GUID stands for `{tenantid}`.
    pub(super) fn speaks_for(&self, issuer: Option<&Issuer>) -> bool {
        let Some(named) = self.issuer() else { return true };
        issuer.is_some_and(|issuer| issuer.as_str() == named || is_of_template(issuer.as_str(), named))
    }

    /// Whether the key can be used with `algorithm`: its own `alg` agrees, and so do its type and curve.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.0.algorithm.is_none_or(|own| own == algorithm) && self.0.material.fits(algorithm)
    }

    /// The key parsed for one algorithm; `None` if it does not fit.
    pub(super) fn parsed(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        match &self.0.material {
            _ if !self.fits(algorithm) => None,
            Material::Curve { point, .. } => parse_on_curve(algorithm, point),
            Material::Rsa { n, e } => {
                let e: Vec<u8> = e.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
                RsaPublicKeyComponents { n: n.as_ref(), e: e.as_ref() }
                    .to_parsed_public_key(rsa_parameters(algorithm)?)
                    .ok()
            }
        }
    }

    /// Reads one element of `keys`, or says why it cannot be used.
    pub(super) fn read(json: &Json, purpose: Purpose) -> Result<Self, String> {
        if json.as_object().is_none() {
            return Err(format!("is {}, not an object", json.kind()));
        }
        let kid = text(json, "kid")?.map(KeyId::new);
        let kty = text(json, "kty")?.ok_or("has no kty")?;
        if kty == "oct" {
            return Err("is symmetric (kty oct): whoever can check with it can also sign".to_owned());
        }
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| json.get(member).is_some()) {
            return Err("is published with its private part: whoever read it can sign, so it proves nothing".to_owned());
        }
        check_purpose(json, purpose)?;
        let (material, thumbprint) = match kty {
            "RSA" => read_rsa(json)?,
            "EC" => read_ec(json)?,
            "OKP" => read_okp(json)?,
            other => return Err(format!("has the unknown kty {}", quoted(other))),
        };
        let issuer = text(json, "issuer")?.map(Box::from);
        let mut key = Published { kid, algorithm: None, issuer, thumbprint, material };
        if let Some(name) = text(json, "alg")? {
            let algorithm = Algorithm::parse(name)
                .ok_or_else(|| format!("is for alg {}, which is no signature algorithm known here", quoted(name)))?;
            if !key.material.fits(algorithm) {
                return Err(format!("says alg {algorithm}, which its type or curve cannot do"));
            }
            key.algorithm = Some(algorithm);
        }
        Ok(Self(Arc::new(key)))
    }
}

impl Material {
    /// Whether type and curve can do this.
    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => rsa_parameters(algorithm).is_some(),
            Self::Curve { algorithm: only, .. } => *only == algorithm,
        }
    }
}

/// Whether `issuer` is `template` with a GUID in lower case, and nothing else, in the place of the one `{tenantid}`.
fn is_of_template(issuer: &str, template: &str) -> bool {
    let Some((start, end)) = template.split_once("{tenantid}") else { return false };
    issuer.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).is_some_and(is_guid)
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3) must allow verification where they are written.
fn check_purpose(json: &Json, purpose: Purpose) -> Result<(), String> {
    let expected = match purpose {
        Purpose::Signature => "sig",
        Purpose::JwtSvid => "jwt-svid",
    };
    match text(json, "use")? {
        Some(written) if written != expected => {
            return Err(format!("is for use {}, not {expected}", quoted(written)));
        }
        None if purpose == Purpose::JwtSvid => return Err("has no use, and should be for jwt-svid".to_owned()),
        _ => {}
    }
    let Some(operations) = json.get("key_ops") else { return Ok(()) };
    let operations = operations.as_array().ok_or("has key_ops that is not a list")?;
    let verifies = operations.iter().any(|operation| operation.as_str() == Some("verify"));
    if verifies { Ok(()) } else { Err("has key_ops without verify".to_owned()) }
}

/// RSA (RFC 7518 §6.3.1): 2048 to 8192 bits, odd exponent from 65537. The crypto library looks at sizes only when it
/// verifies, and at 33 bits of exponent at most, so both are judged here.
fn read_rsa(json: &Json) -> Result<(Material, Thumbprint), String> {
    let (n, e) = (bytes(json, "n")?, bytes(json, "e")?);
    let bits = bit_length(&n).ok_or("has an n that is empty or begins with a zero byte")?;
    if !(2048..=8192).contains(&bits) {
        return Err(format!("is RSA of {bits} bits, not 2048 to 8192"));
    }
    if n.last().is_none_or(|byte| byte % 2 == 0) {
        return Err("has an even RSA modulus".to_owned());
    }
    bit_length(&e).filter(|bits| *bits <= 33).ok_or("has an RSA exponent that is empty, padded or above 33 bits")?;
    let exponent = e.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    if exponent < 65537 || exponent % 2 == 0 {
        return Err(format!("has the RSA exponent {exponent}, not an odd one from 65537"));
    }
    if weak::is_roca(&n) {
        return Err("was made by a generator whose RSA keys can be factored (ROCA, CVE-2017-15361)".to_owned());
    }
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| "is not an RSA public key")?;
    let thumbprint = thumbprint(&[("e", &encode(&e)), ("kty", "RSA"), ("n", &encode(&n))]);
    Ok((Material::Rsa { n: n.into(), e: exponent }, thumbprint))
}

/// Elliptic curves (RFC 7518 §6.2.1): coordinates of the curve's exact length, and a point that lies on it.
fn read_ec(json: &Json) -> Result<(Material, Thumbprint), String> {
    let crv = text(json, "crv")?.ok_or("has no crv")?;
    let (algorithm, length): (_, usize) = match crv {
        "P-256" => (Algorithm::ES256, 32),
        "P-384" => (Algorithm::ES384, 48),
        "P-521" => (Algorithm::ES512, 66),
        other => return Err(format!("has the unknown curve {}", quoted(other))),
    };
    let (x, y) = (bytes(json, "x")?, bytes(json, "y")?);
    if x.len() != length || y.len() != length {
        return Err(format!("has {crv} coordinates of {} and {} bytes, not {length}", x.len(), y.len()));
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    parse_on_curve(algorithm, &point).ok_or_else(|| format!("has a point that does not lie on {crv}"))?;
    let thumbprint = thumbprint(&[("crv", crv), ("kty", "EC"), ("x", &encode(&x)), ("y", &encode(&y))]);
    Ok((Material::Curve { algorithm, point: point.into() }, thumbprint))
}

/// Ed25519 (RFC 8037 §2). Under a key of small order one signature fits every message, so those are refused.
fn read_okp(json: &Json) -> Result<(Material, Thumbprint), String> {
    let crv = text(json, "crv")?.ok_or("has no crv")?;
    if crv != "Ed25519" {
        return Err(format!("has the unknown curve {}", quoted(crv)));
    }
    let x = bytes(json, "x")?;
    let point: &[u8; 32] =
        x.as_slice().try_into().map_err(|_| format!("has an Ed25519 key of {} bytes, not 32", x.len()))?;
    if weak::is_degenerate_ed25519(point) {
        return Err("has an Ed25519 point of small order or in a non-canonical encoding".to_owned());
    }
    parse_on_curve(Algorithm::EdDSA, point).ok_or("has a point that does not lie on Ed25519")?;
    let thumbprint = thumbprint(&[("crv", crv), ("kty", "OKP"), ("x", &encode(point))]);
    Ok((Material::Curve { algorithm: Algorithm::EdDSA, point: x.into() }, thumbprint))
}

/// The verification parameters of an RSA algorithm; the PSS salt is as long as the hash (RFC 7518 §3.5).
const fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::EdDSA => None,
    }
}

fn parse_on_curve(algorithm: Algorithm, point: &[u8]) -> Option<ParsedPublicKey> {
    match algorithm {
        Algorithm::ES256 => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok(),
        Algorithm::ES384 => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok(),
        Algorithm::ES512 => ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point).ok(),
        Algorithm::EdDSA => ParsedPublicKey::new(&signature::ED25519, point).ok(),
        _ => None,
    }
}

/// The sum of RFC 7638 §3: the required members in lexical order, without blanks. None of them needs escaping.
fn thumbprint(members: &[(&str, &str)]) -> Thumbprint {
    let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
    let mut sum = [0; 32];
    let digest = digest::digest(&digest::SHA256, format!("{{{}}}", members.join(",")).as_bytes());
    sum.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Thumbprint::new(sum)
}

/// The bits of a big-endian number; `None` if it is empty or has leading zeros (RFC 7518 §2, Base64urlUInt).
fn bit_length(number: &[u8]) -> Option<u32> {
    let first = number.first().filter(|byte| **byte != 0)?;
    let whole = u32::try_from(number.len()).ok()?.checked_mul(8)?;
    Some(whole - first.leading_zeros())
}

fn text<'a>(json: &'a Json, member: &str) -> Result<Option<&'a str>, String> {
    match json.get(member) {
        None => Ok(None),
        Some(Json::String(value)) => Ok(Some(value)),
        Some(other) => Err(format!("has {} as {member}, not a string", other.kind())),
    }
}

fn bytes(json: &Json, member: &str) -> Result<Vec<u8>, String> {
    let value = text(json, member)?.ok_or_else(|| format!("has no {member}"))?;
    URL_SAFE_NO_PAD.decode(value).map_err(|_| format!("has a {member} that is not base64url without padding"))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Text from a stranger, for a message: escaped and cut.
pub(super) fn quoted(value: &str) -> String {
    let cut: String = value.chars().take(64).collect();
    format!("\"{}{}\"", cut.escape_debug(), if cut.len() < value.len() { "…" } else { "" })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{RSA, Signer, b64, with};
    use super::*;

    fn read(jwk: &Value) -> Result<Jwk, String> {
        Jwk::read(&Json::parse(jwk.to_string().as_bytes(), 16).unwrap(), Purpose::Signature)
    }

    /// The reason must hold the words; a key that is refused for another reason proves nothing.
    #[track_caller]
    pub(in super::super) fn refused(jwk: &Value, words: &str) {
        let why = read(jwk).expect_err(&jwk.to_string());
        assert!(why.contains(words), "{why:?} does not say {words:?}");
    }

    #[test]
    fn the_thumbprints_of_rfc_7638_and_rfc_8037_come_out() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                 FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnY\
                 b9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0\
                 Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = read(&json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})).unwrap();
        assert_eq!(rsa.thumbprint().to_string(), "sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let ed = read(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})).unwrap();
        assert_eq!(ed.thumbprint().to_string(), "sha256:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_tenant_stands_for_the_template_of_a_key_and_nothing_else_does() {
        const TENANT: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
        let key = |issuer: &str| read(&with(RSA[0].jwk(), json!({"issuer": issuer}))).unwrap();
        let speaks = |named: &str, iss: &str| key(named).speaks_for(Some(&Issuer::new(iss)));
        let of = |tenant: &str| format!("https://login.test/{tenant}/v2.0");
        assert!(speaks(&of("{tenantid}"), &of(TENANT)) && speaks(&of(TENANT), &of(TENANT)));
        assert!(!key(&of("{tenantid}")).speaks_for(None));
        for iss in ["common", "", "..", "x/y", &TENANT.to_uppercase(), &format!("{TENANT}/x"), &format!("{TENANT}0")] {
            assert!(!speaks(&of("{tenantid}"), &of(iss)), "{iss:?}");
        }
        for named in ["{tenantid}", "{TenantId}", "{tenant}", "{tenantid}{tenantid}", "*"] {
            let fits = named == "{tenantid}";
            assert_eq!(speaks(&of(named), &of(TENANT)), fits, "{named}");
        }
        assert!(!speaks(&of("{tenantid}"), "https://login.test/v2.0"));
    }

    #[test]
    fn a_symmetric_key_never_loads() {
        refused(&json!({"kty": "oct", "k": "AAAA", "alg": "HS256"}), "symmetric");
        refused(&json!({"kty": "oct", "k": "AAAA", "alg": "RS256", "use": "sig"}), "symmetric");
        refused(&with(RSA[0].jwk(), json!({"alg": "HS256"})), "no signature algorithm");
    }

    #[test]
    fn a_published_private_key_is_no_key() {
        for signer in [&RSA[0], &Signer::ec("P-256"), &Signer::ed()] {
            refused(&with(signer.jwk(), json!({"d": "AAAA"})), "private part");
        }
        refused(&with(RSA[0].jwk(), json!({"p": 7})), "private part");
    }

    #[test]
    fn a_key_for_another_purpose_is_left_out() {
        let jwk = RSA[0].jwk();
        refused(&with(jwk.clone(), json!({"use": "enc"})), "is for use \"enc\"");
        refused(&with(jwk.clone(), json!({"use": "jwt-svid"})), "is for use \"jwt-svid\"");
        refused(&with(jwk.clone(), json!({"use": 7})), "a number as use");
        refused(&with(jwk.clone(), json!({"key_ops": ["encrypt"]})), "without verify");
        refused(&with(jwk.clone(), json!({"key_ops": "verify"})), "not a list");
        refused(&with(jwk.clone(), json!({"alg": "RSA-OAEP"})), "RSA-OAEP");
        refused(&with(jwk.clone(), json!({"alg": "none"})), "none");
        assert!(read(&with(jwk, json!({"use": "sig", "key_ops": ["sign", "verify"], "alg": "PS384"}))).is_ok());
    }

    #[test]
    fn an_alg_that_type_or_curve_cannot_do_is_refused() {
        refused(&with(RSA[0].jwk(), json!({"alg": "ES256"})), "cannot do");
        refused(&with(Signer::ec("P-256").jwk(), json!({"alg": "ES384"})), "cannot do");
        refused(&with(Signer::ed().jwk(), json!({"alg": "ES256"})), "cannot do");
        assert!(read(&with(Signer::ed().jwk(), json!({"alg": "Ed25519"}))).is_ok());
    }

    #[test]
    fn rsa_is_2048_to_8192_bits_and_odd() {
        let of = |bytes: usize, first: u8, last: u8| {
            let mut n = vec![0x5b; bytes];
            n[0] = first;
            n[bytes - 1] = last;
            json!({"kty": "RSA", "e": "AQAB", "n": b64(&n)})
        };
        refused(&of(128, 0x80, 1), "RSA of 1024 bits");
        refused(&of(256, 0x7f, 1), "RSA of 2047 bits");
        refused(&of(1025, 0x01, 1), "RSA of 8193 bits");
        refused(&of(8192, 0x80, 1), "RSA of 65536 bits");
        refused(&of(256, 0x80, 2), "even");
        refused(&of(257, 0, 1), "begins with a zero byte");
        refused(&json!({"kty": "RSA", "e": "AQAB", "n": ""}), "empty");
        refused(&json!({"kty": "RSA", "e": "AQAB", "n": "AA"}), "begins with a zero byte");
        refused(&json!({"kty": "RSA", "e": "AQAB"}), "no n");
        assert!(read(&of(256, 0x80, 1)).is_ok());
        assert!(read(&of(1024, 0xff, 1)).is_ok());
    }

    #[test]
    fn an_rsa_exponent_is_odd_and_from_65537() {
        for (exponent, words) in [
            (&[1][..], "exponent 1,"),
            (&[2], "exponent 2,"),
            (&[3], "exponent 3,"),
            (&[1, 0, 0], "exponent 65536,"),
            (&[1, 0, 2], "exponent 65538,"),
            (&[0, 1, 0, 1], "padded"),
            (&[], "empty"),
            (&[2, 0, 0, 0, 1], "above 33 bits"),
        ] {
            refused(&with(RSA[0].jwk(), json!({"e": b64(exponent)})), words);
        }
        assert!(read(&with(RSA[0].jwk(), json!({"e": b64(&[1, 0, 0, 0, 1])}))).is_ok());
    }

    #[test]
    fn a_point_off_its_curve_is_no_key() {
        for (crv, length) in [("P-256", 32), ("P-384", 48), ("P-521", 66)] {
            let jwk = Signer::ec(crv).jwk();
            assert!(read(&jwk).is_ok(), "{crv}");
            let zero = b64(&vec![0; length]);
            refused(&with(jwk.clone(), json!({"x": zero, "y": zero})), "does not lie");
            let mut y = URL_SAFE_NO_PAD.decode(jwk["y"].as_str().unwrap()).unwrap();
            *y.last_mut().unwrap() ^= 1;
            refused(&with(jwk.clone(), json!({"y": b64(&y)})), "does not lie");
            refused(&with(jwk.clone(), json!({"y": b64(&vec![0xff; length])})), "does not lie");
            refused(&with(jwk.clone(), json!({"y": b64(&y[1..])})), "coordinates of");
            refused(&with(jwk, json!({"y": null})), "no y");
        }
        refused(&with(Signer::ec("P-256").jwk(), json!({"crv": "P-384"})), "coordinates of");
        refused(&with(Signer::ec("P-256").jwk(), json!({"crv": "secp256k1"})), "unknown curve");
    }

    #[test]
    fn an_ed25519_key_has_32_bytes() {
        refused(&json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&[7; 31])}), "31 bytes");
        refused(&json!({"kty": "OKP", "crv": "X25519", "x": b64(&[7; 32])}), "unknown curve");
    }

    #[test]
    fn base64url_is_strict() {
        let jwk = Signer::ec("P-256").jwk();
        let x = jwk["x"].as_str().unwrap();
        let last = x.chars().last().unwrap();
        let twisted = char::from_u32(last as u32 + 1).unwrap();
        for bad in [format!("{x}="), format!(" {x}"), format!("{x}\n"), x.replace(last, "+")] {
            refused(&with(jwk.clone(), json!({"x": bad})), "base64url");
        }
        // The spare bits of the last character must be zero, or one key had several spellings.
        refused(&with(jwk.clone(), json!({"x": format!("{}{twisted}", x.split_at(x.len() - 1).0)})), "base64url");
    }

    #[test]
    fn members_of_the_wrong_type_are_refused() {
        let jwk = RSA[0].jwk();
        refused(&with(jwk.clone(), json!({"kid": 7})), "a number as kid");
        refused(&with(jwk.clone(), json!({"alg": ["RS256"]})), "an array as alg");
        refused(&with(jwk.clone(), json!({"kty": null})), "no kty");
        refused(&with(jwk, json!({"kty": "rsa"})), "unknown kty \"rsa\"");
        refused(&json!("RSA"), "is a string, not an object");
    }
}
