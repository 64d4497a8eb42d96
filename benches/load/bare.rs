//! The bare signature verification: the key parsed once, aws-lc-rs, one thread, nothing else. The floor under every
//! token that was never seen.

use std::time::{Duration, Instant};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Outcome;
use crate::process::own_thread;
use crate::stats::median;
use crate::support::key::Key;

/// Batches of one measurement; the median counts.
const BATCHES: usize = 5;

/// A verification that can be repeated.
pub(crate) struct Bare {
    key: ParsedPublicKey,
    /// Signing inputs and their signatures.
    signed: Vec<(String, Vec<u8>)>,
}

impl Bare {
    /// Of these tokens, all signed by this key.
    pub(crate) fn new(key: &Key, tokens: &[String]) -> Outcome<Self> {
        let jwk = key.bare_jwk();
        let member =
            |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name).and_then(|value| value.as_str()).unwrap_or_default());
        let key = if key.alg == "ES256" {
            // SEC 1 §2.3.3: 04, x, y.
            let point = [vec![4], member("x")?, member("y")?].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        } else {
            RsaPublicKeyComponents { n: member("n")?, e: member("e")? }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        };
        let split = |token: &String| {
            let (input, signature) = token.rsplit_once('.')?;
            Some((input.to_owned(), URL_SAFE_NO_PAD.decode(signature).ok()?))
        };
        let signed: Vec<_> = tokens.iter().take(256).filter_map(split).collect();
        if signed.is_empty() {
            return Err("nothing to verify".into());
        }
        Ok(Self { key: key.map_err(|error| format!("{error:?}"))?, signed })
    }

    /// Microseconds of CPU of one verification: median of the batches, which together take `time`.
    pub(crate) fn measure(&self, time: Duration) -> Outcome<f64> {
        let mut costs = Vec::new();
        for _ in 0..BATCHES {
            let (end, before, mut done) = (Instant::now() + time / BATCHES as u32, own_thread()?, 0_u64);
            while Instant::now() < end {
                for (input, signature) in &self.signed {
                    self.key.verify_sig(input.as_bytes(), signature).map_err(|_| "a good signature does not verify")?;
                    done += 1;
                }
            }
            costs.push((own_thread()? - before) as f64 / 1000.0 / done as f64);
        }
        Ok(median(&costs).ok_or("no batches")?)
    }
}
