//! A key with its one algorithm, and the proof that it makes.

use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;

use crate::name::{Algorithm, KeyId, Thumbprint};
use crate::reason::Reason;

/// A public key that verifies with exactly one algorithm. The token's `alg` may only agree (RFC 8725 §3.1).
#[derive(Debug, Clone)]
pub struct VerifyKey {
    pub(super) kid: Option<KeyId>,
    pub(super) algorithm: Algorithm,
    pub(super) thumbprint: Thumbprint,
    pub(super) key: ParsedPublicKey,
}

/// The proof that a signature stood. Only [`VerifyKey::verify`] makes it.
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
    /// The `kid` under which the key is published.
    pub const fn kid(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// The one algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint, by SHA-256.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Checks `signature` over `signing_input`, the first two parts of a compact JWS with the dot between (RFC 7515
    /// §5.2). ECDSA signatures are r and s at fixed length, never DER (RFC 7518 §3.4).
    pub fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<Signed, SignatureInvalid> {
        self.key.verify_sig(signing_input, signature).map(|()| Signed(())).map_err(|_| SignatureInvalid)
    }
}
