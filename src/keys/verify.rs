//! A key with its one algorithm, and the proof that it makes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::ParsedPublicKey;

use super::jwk::Jwk;
use crate::name::{Algorithm, KeyId, Thumbprint};
use crate::reason::Reason;

/// A public key that verifies with exactly one algorithm. The token's `alg` may only agree (RFC 8725 §3.1). Clones
/// share it.
#[derive(Debug, Clone)]
pub struct VerifyKey {
    jwk: Jwk,
    algorithm: Algorithm,
    /// Parsed at the first use, since most published keys are never used; `None` within where that failed.
    parsed: Arc<OnceLock<Option<ParsedPublicKey>>>,
}

/// The proof that a signature stood. Only [`VerifyKey::verify`] makes it.
///
/// ```
/// fn believe(proof: credence::keys::Signed) {
///     let _: credence::keys::Signed = proof;
/// }
/// ```
///
/// ```compile_fail
/// fn believe() {
///     let _: credence::keys::Signed = credence::keys::Signed(());
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Signed(());

/// The signature does not verify. Why is nobody's business: the answer is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureInvalid;

impl SignatureInvalid {
    /// `signature_invalid`
    pub const fn reason(self) -> Reason {
        Reason::SignatureInvalid
    }
}

impl fmt::Display for SignatureInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason().sentence())
    }
}

impl std::error::Error for SignatureInvalid {}

impl VerifyKey {
    /// The key bound to `algorithm`; `None` if it does not fit.
    pub(super) fn bind(jwk: &Jwk, algorithm: Algorithm) -> Option<Self> {
        jwk.fits(algorithm).then(|| Self { jwk: jwk.clone(), algorithm, parsed: Arc::default() })
    }

    /// The `kid` under which the key is published.
    pub fn kid(&self) -> Option<&KeyId> {
        self.jwk.kid()
    }

    /// The one algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint, by SHA-256.
    pub fn thumbprint(&self) -> Thumbprint {
        self.jwk.thumbprint()
    }

    /// Checks `signature` over `signing_input`, the first two parts of a compact JWS with the dot between (RFC 7515
    /// §5.2). ECDSA signatures are r and s at fixed length, never DER (RFC 7518 §3.4).
    pub fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<Signed, SignatureInvalid> {
        let key = self.parsed.get_or_init(|| self.jwk.parsed(self.algorithm)).as_ref().ok_or(SignatureInvalid)?;
        key.verify_sig(signing_input, signature).map(|()| Signed(())).map_err(|_| SignatureInvalid)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{RSA, Signer, rules, set};
    use super::super::{KeyRing, VerifyKey};
    use crate::name::Algorithm;

    const MESSAGE: &[u8] = b"eyJhbGciOiJFUzI1NiJ9.e30";

    fn key(signer: &Signer, algorithm: Algorithm) -> VerifyKey {
        let ring = KeyRing::build(set(&[signer.named("k")]), &rules(&[algorithm]));
        ring.find(Some("k"), algorithm).unwrap().clone()
    }

    fn signers() -> Vec<(Signer, Algorithm)> {
        vec![
            (Signer::ec("P-256"), Algorithm::ES256),
            (Signer::ec("P-384"), Algorithm::ES384),
            (Signer::ec("P-521"), Algorithm::ES512),
            (Signer::ed(), Algorithm::EdDSA),
        ]
    }

    const RSA_ALGORITHMS: [Algorithm; 6] =
        [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

    #[test]
    fn each_algorithm_verifies_its_own_signatures_only() {
        for (signer, algorithm) in &signers() {
            let key = key(signer, *algorithm);
            let signature = signer.sign(*algorithm, MESSAGE);
            assert!(key.verify(MESSAGE, &signature).is_ok(), "{algorithm}");
            assert!(key.verify(b"another", &signature).is_err(), "{algorithm}");
        }
        for made in RSA_ALGORITHMS {
            let signature = RSA[0].sign(made, MESSAGE);
            for bound in RSA_ALGORITHMS {
                assert_eq!(key(&RSA[0], bound).verify(MESSAGE, &signature).is_ok(), made == bound, "{made} by {bound}");
            }
            assert!(key(&RSA[1], made).verify(MESSAGE, &signature).is_err(), "{made} by another key");
        }
    }

    #[test]
    fn the_signature_of_another_key_is_refused() {
        for ((signer, algorithm), (other, _)) in signers().iter().zip(signers()) {
            let signature = other.sign(*algorithm, MESSAGE);
            assert!(key(signer, *algorithm).verify(MESSAGE, &signature).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn a_signature_has_exactly_one_length() {
        let (ec, rsa) = (signers(), RSA_ALGORITHMS.map(|algorithm| (&RSA[0], algorithm)));
        for (signer, algorithm) in ec.iter().map(|(signer, algorithm)| (signer, *algorithm)).chain(rsa) {
            let key = key(signer, algorithm);
            let good = signer.sign(algorithm, MESSAGE);
            let longer = [good.as_slice(), &[0]].concat();
            let padded = [&[0], good.as_slice()].concat();
            for bad in [&[][..], &[0], &good[1..], &good[..good.len() - 1], &longer, &padded] {
                assert!(key.verify(MESSAGE, bad).is_err(), "{algorithm} with {} bytes", bad.len());
            }
            assert!(key.verify(MESSAGE, &vec![0; good.len()]).is_err(), "{algorithm}: all zero");
            assert!(key.verify(MESSAGE, &vec![0xff; good.len()]).is_err(), "{algorithm}: all ones");
            assert!(key.verify(MESSAGE, &vec![0; 64 * 1024]).is_err(), "{algorithm}: 64 KiB");
        }
    }

    #[test]
    fn a_der_encoded_ecdsa_signature_is_refused() {
        for (signer, algorithm) in &signers()[..3] {
            assert!(key(signer, *algorithm).verify(MESSAGE, &signer.sign_der(MESSAGE)).is_err(), "{algorithm}");
        }
    }

    #[test]
    fn ecdsa_with_r_or_s_zero_or_the_order_is_refused() {
        let (signer, algorithm) = (Signer::ec("P-256"), Algorithm::ES256);
        let key = key(&signer, algorithm);
        let good = signer.sign(algorithm, MESSAGE);
        let order: [u8; 32] = [
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
            0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
        ];
        let mut beyond = order;
        beyond[31] += 1;
        let mut one = [0; 32];
        one[31] = 1;
        let halves = [[0; 32], one, order, beyond, good[..32].try_into().unwrap(), good[32..].try_into().unwrap()];
        for r in halves {
            for s in halves {
                let forged = [r, s].concat();
                assert_eq!(key.verify(MESSAGE, &forged).is_ok(), forged == good);
            }
        }
    }

    #[test]
    fn an_rsa_signature_plus_the_modulus_is_refused() {
        let jwk = RSA[0].jwk();
        let n = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, jwk["n"].as_str().unwrap());
        let n = n.unwrap();
        let key = key(&RSA[0], Algorithm::PS256);
        for _ in 0..64 {
            let s = RSA[0].sign(Algorithm::PS256, MESSAGE);
            let sum = add_big_endian(&s, &n);
            assert!(key.verify(MESSAGE, &sum).is_err());
            let one = key.verify(MESSAGE, &[vec![0; n.len() - 1], vec![1]].concat());
            assert!(one.is_err());
            if sum.len() == n.len() {
                return;
            }
        }
    }

    #[test]
    fn an_ed25519_signature_with_s_plus_the_order_is_refused() {
        let signer = Signer::ed();
        let key = key(&signer, Algorithm::EdDSA);
        let good = signer.sign(Algorithm::EdDSA, MESSAGE);
        let mut order = [0u8; 32];
        order[..16].copy_from_slice(&[
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
        ]);
        order[31] = 0x10;
        let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
        let s = reversed(&add_big_endian(&reversed(&good[32..]), &reversed(&order)));
        let forged = [&good[..32], &s].concat();
        assert_eq!(forged.len(), 64);
        assert!(key.verify(MESSAGE, &good).is_ok());
        assert!(key.verify(MESSAGE, &forged).is_err());
    }

    fn add_big_endian(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut carry = 0;
        let mut sum: Vec<u8> = a
            .iter()
            .zip(b)
            .rev()
            .map(|(a, b)| {
                let total = u16::from(*a) + u16::from(*b) + carry;
                carry = total >> 8;
                (total & 0xff) as u8
            })
            .collect();
        sum.extend((carry > 0).then_some(1));
        sum.reverse();
        sum
    }
}
