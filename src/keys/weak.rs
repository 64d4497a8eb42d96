//! Public keys that are well formed and worthless.

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

/// Whether an Ed25519 point is of small order, or in an encoding that RFC 8032 §5.1.3 does not decode.
pub(super) fn is_degenerate_ed25519(point: &[u8; 32]) -> bool {
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
pub(super) fn is_roca(n: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use serde_json::json;

    use super::super::jwk::tests::refused;
    use super::super::testing::b64;
    use super::*;

    #[test]
    fn a_modulus_of_the_roca_generator_is_refused() {
        // 65537^128 has 2049 bits and is a power of 65537 modulo everything.
        let mut power = vec![1u8];
        for _ in 0..128 {
            let shifted = [power.as_slice(), &[0, 0]].concat();
            let mut sum = vec![0; shifted.len()];
            let mut carry = 0;
            for (place, byte) in shifted.iter().enumerate().rev() {
                let low = if place >= 2 { power[place - 2] } else { 0 };
                let total = u16::from(*byte) + u16::from(low) + carry;
                (sum[place], carry) = ((total & 0xff) as u8, total >> 8);
            }
            power = sum.into_iter().skip_while(|byte| *byte == 0).collect();
        }
        refused(&json!({"kty": "RSA", "e": "AQAB", "n": b64(&power)}), "ROCA");
    }

    #[test]
    fn a_small_order_ed25519_key_would_sign_everything_and_is_refused() {
        // With A = R = the neutral point and S = 0 the equation [S]B = R + [h]A holds for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let forged = [neutral, [0; 32]].concat();
        let library = UnparsedPublicKey::new(&ED25519, neutral);
        assert!(library.verify(b"anything", &forged).is_ok(), "the library refuses it too: this check can go");

        for point in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut point = point;
                point[31] |= sign;
                refused(&json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&point)}), "small order");
            }
        }
        for low in 0xed..=0xffu8 {
            for top in [0x7f, 0xff] {
                let mut point = [0xff; 32];
                (point[0], point[31]) = (low, top);
                refused(&json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&point)}), "non-canonical");
            }
        }
    }
}
