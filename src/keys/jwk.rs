//! One JSON Web Key (RFC 7517), judged alone.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::Json;
use crate::name::{Algorithm, Issuer, KeyId, Thumbprint};

/// A usable public key of a JWK Set: for signatures, asymmetric, of a sound size, on its curve.
#[derive(Debug, Clone)]
pub struct Jwk {
    kid: Option<KeyId>,
    algorithm: Option<Algorithm>,
    issuer: Option<String>,
    thumbprint: Thumbprint,
    material: Material,
}

/// What the mathematics needs. An RSA key is bound to its hash and padding only once the algorithm is known.
#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Box<[u8]>, e: Box<[u8]> },
    Curve { algorithm: Algorithm, key: ParsedPublicKey },
}

/// Equality of what was published: the thumbprint stands for the key itself.
impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.algorithm == other.algorithm
            && self.issuer == other.issuer
            && self.thumbprint == other.thumbprint
    }
}

impl Eq for Jwk {}

impl Jwk {
    /// The `kid`, if the key has one.
    pub const fn kid(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// The `alg` that the key itself declares.
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The RFC 7638 thumbprint, by SHA-256.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The `issuer` member that Entra writes beside each key.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether the key may speak for `issuer`: a key that names an issuer speaks for that one only, byte for byte.
    pub(super) fn speaks_for(&self, issuer: Option<&Issuer>) -> bool {
        self.issuer().is_none_or(|named| issuer.is_some_and(|issuer| issuer.as_str() == named))
    }

    /// Whether the key can be used with `algorithm`: its own `alg` agrees, and so do its type and curve.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|own| own == algorithm)
            && match &self.material {
                Material::Rsa { .. } => rsa_parameters(algorithm).is_some(),
                Material::Curve { algorithm: only, .. } => *only == algorithm,
            }
    }

    /// The key parsed for one algorithm; `None` if it does not fit.
    pub(super) fn parsed(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        match &self.material {
            _ if !self.fits(algorithm) => None,
            Material::Curve { key, .. } => Some(key.clone()),
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_parameters(algorithm)?).ok()
            }
        }
    }

    /// Reads one element of `keys`, or says why it cannot be used.
    pub(super) fn read(json: &Json) -> Result<Self, String> {
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
        check_purpose(json)?;
        let (material, thumbprint) = match kty {
            "RSA" => read_rsa(json)?,
            "EC" => read_ec(json)?,
            "OKP" => read_okp(json)?,
            other => return Err(format!("has the unknown kty {}", quoted(other))),
        };
        let mut key =
            Self { kid, algorithm: None, issuer: text(json, "issuer")?.map(str::to_owned), thumbprint, material };
        if let Some(name) = text(json, "alg")? {
            let algorithm = Algorithm::parse(name)
                .ok_or_else(|| format!("is for alg {}, which is no signature algorithm known here", quoted(name)))?;
            if !key.fits(algorithm) {
                return Err(format!("says alg {algorithm}, which its type or curve cannot do"));
            }
            key.algorithm = Some(algorithm);
        }
        Ok(key)
    }
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3) must allow verification where they are written.
fn check_purpose(json: &Json) -> Result<(), String> {
    if let Some(purpose) = text(json, "use")?
        && purpose != "sig"
    {
        return Err(format!("is for use {}, not sig", quoted(purpose)));
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
    if is_roca(&n) {
        return Err("was made by a generator whose RSA keys can be factored (ROCA, CVE-2017-15361)".to_owned());
    }
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| "is not an RSA public key")?;
    let thumbprint = thumbprint(&[("e", &encode(&e)), ("kty", "RSA"), ("n", &encode(&n))]);
    Ok((Material::Rsa { n: n.into(), e: e.into() }, thumbprint))
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
    let key = parse_on_curve(algorithm, &point).ok_or_else(|| format!("has a point that does not lie on {crv}"))?;
    let thumbprint = thumbprint(&[("crv", crv), ("kty", "EC"), ("x", &encode(&x)), ("y", &encode(&y))]);
    Ok((Material::Curve { algorithm, key }, thumbprint))
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
    if is_degenerate_ed25519(point) {
        return Err("has an Ed25519 point of small order or in a non-canonical encoding".to_owned());
    }
    let key = parse_on_curve(Algorithm::EdDSA, point).ok_or("has a point that does not lie on Ed25519")?;
    let thumbprint = thumbprint(&[("crv", crv), ("kty", "OKP"), ("x", &encode(point))]);
    Ok((Material::Curve { algorithm: Algorithm::EdDSA, key }, thumbprint))
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

/// The y coordinates of the eight points of small order, in the one encoding each that is canonical (RFC 8032
/// §5.1.2); the sign of x is left out of the comparison.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

fn is_degenerate_ed25519(point: &[u8; 32]) -> bool {
    let mut y = *point;
    if let Some(top) = y.last_mut() {
        *top &= 0x7f;
    }
    // p = 2^255 - 19 and the numbers above it: a second spelling of 0 to 18.
    let beyond_p = matches!(y, [0xed..=0xff, rest @ .., 0x7f] if rest == [0xff; 30]);
    beyond_p || SMALL_ORDER.contains(&y)
}

/// Whether `n` bears the mark of the ROCA generator: its primes are powers of 65537 modulo every small prime, so
/// their product is too. Chance hits are rarer than one in 2^27.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u64; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
        109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let residue = n.iter().fold(0, |value, byte| (value << 8 | u64::from(*byte)) % prime);
        std::iter::successors(Some(1), |power| Some(power * 65537 % prime))
            .take(usize::try_from(*prime).unwrap_or_default())
            .any(|power| power == residue)
    })
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
        Some(other) => Err(format!("has a {member} that is {}, not a string", other.kind())),
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
