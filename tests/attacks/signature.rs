//! Signatures that are almost right.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::token::Token;
use crate::world::{World, by, world};

/// Order of P-256, big-endian (SEC 2 §2.4.2).
pub(crate) const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// Order of the Ed25519 group, little-endian (RFC 8032 §5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Token and its right signature.
fn signed(world: &World, alg: &str) -> (Token, Vec<u8>) {
    let token = by(world.token(), &world.own.key_for(alg));
    let minted = token.mint();
    world.control(&minted);
    (token, URL_SAFE_NO_PAD.decode(minted.rsplit_once('.').unwrap().1).unwrap())
}

/// Big-endian `a - b`.
pub(crate) fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut out = vec![0; a.len()];
    for at in (0..a.len()).rev() {
        let value = i16::from(a[at]) - i16::from(b[at]) - borrow;
        borrow = i16::from(value < 0);
        out[at] = u8::try_from(value.rem_euclid(256)).unwrap();
    }
    out
}

/// Big-endian `a + b`, one byte longer.
fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut out = vec![0; a.len() + 1];
    for at in (0..a.len()).rev() {
        let value = u16::from(a[at]) + u16::from(b[at]) + carry;
        carry = value >> 8;
        out[at + 1] = u8::try_from(value & 255).unwrap();
    }
    out[0] = u8::try_from(carry).unwrap();
    out
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let bytes: Vec<u8> = if bytes[0] & 0x80 == 0 { bytes.to_vec() } else { [&[0], bytes].concat() };
        [&[2, u8::try_from(bytes.len()).unwrap()], bytes.as_slice()].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

#[test]
fn ecdsa_with_zero_with_the_order_as_der_or_longer() {
    let world = world();
    let (token, right) = signed(&world, "ES256");
    let (r, s) = right.split_at(32);
    let zero = [0; 32];
    let mut one = zero;
    one[31] = 1;
    let mut order_and_one = P256_ORDER;
    order_and_one[31] += 1;
    for (what, signature) in [
        ("r = s = 0", [zero, zero].concat()),
        ("r = 0", [&zero, s].concat()),
        ("s = 0", [r, &zero].concat()),
        ("r = s = 1", [one, one].concat()),
        ("r = s = n", [P256_ORDER, P256_ORDER].concat()),
        ("r = n", [&P256_ORDER, s].concat()),
        ("s = n", [r, &P256_ORDER].concat()),
        ("s = n + 1", [r, &order_and_one].concat()),
        ("DER", der(r, s)),
        ("an extra byte", [&right[..], &[0]].concat()),
        ("a leading zero", [&[0], &right[..]].concat()),
        ("a byte less", right[..63].to_vec()),
        ("swapped", [s, r].concat()),
        ("empty", Vec::new()),
        ("r alone", r.to_vec()),
        ("two of them", [&right[..], &right[..]].concat()),
    ] {
        world.refuses(token.mint_with_signature(&signature), "signature_invalid", what);
    }
    for bit in [0, 100, 255, 300, 511] {
        let mut flipped = right.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        world.refuses(token.mint_with_signature(&flipped), "signature_invalid", format!("bit {bit}"));
    }
}

#[test]
fn ecdsa_mirrored_is_the_same_caller_and_nobody_else() {
    let world = world();
    let (token, right) = signed(&world, "ES256");
    let (r, s) = right.split_at(32);
    let answer = world.ask(token.mint_with_signature(&[r, &minus(&P256_ORDER, s)].concat()));
    if answer.allowed() {
        assert_eq!(answer.metadata()["principal"]["iss"], world.own.url());
        assert_eq!(answer.metadata()["principal"]["sub"], crate::world::SUBJECT);
    }
}

#[test]
fn rsa_padded_otherwise_or_moved_by_the_modulus() {
    let world = world();
    for alg in ["RS256", "PS256"] {
        let (token, right) = signed(&world, alg);
        let modulus = URL_SAFE_NO_PAD.decode(world.own.key_for(alg).bare_jwk()["n"].as_str().unwrap()).unwrap();
        let mut one = vec![0; 256];
        one[255] = 1;
        for (what, signature) in [
            ("0", vec![0; 256]),
            ("1", one),
            ("n", modulus.clone()),
            ("n - 1", minus(&modulus, &[vec![0; 255], vec![1]].concat())),
            ("s + n", plus(&right, &modulus)),
            ("n - s", minus(&modulus, &right)),
            ("a leading zero", [&[0], &right[..]].concat()),
            ("a byte less", right[..255].to_vec()),
            ("an extra byte", [&right[..], &[0]].concat()),
            ("empty", Vec::new()),
            ("0xff…", vec![0xff; 256]),
        ] {
            world.refuses(token.mint_with_signature(&signature), "signature_invalid", format!("{alg} {what}"));
        }
        // The other padding, by the same key.
        let other = world
            .own
            .key_for(alg)
            .sign(if alg == "RS256" { "PS256" } else { "RS256" }, token.signing_input().as_bytes());
        world.refuses(token.mint_with_signature(&other), "signature_invalid", format!("{alg} with the other padding"));
        let weaker = world
            .own
            .key_for(alg)
            .sign(if alg == "RS256" { "RS512" } else { "PS512" }, token.signing_input().as_bytes());
        world.refuses(token.mint_with_signature(&weaker), "signature_invalid", format!("{alg} with another digest"));
    }
}

#[test]
fn ed25519_moved_by_the_order_zero_or_longer() {
    let world = world();
    let (token, right) = signed(&world, "EdDSA");
    let (r, s) = right.split_at(32);
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
    let moved = reversed(&plus(&reversed(s), &reversed(&ED25519_ORDER))[1..]);
    for (what, signature) in [
        ("S + L", [r, &moved].concat()),
        ("zero", vec![0; 64]),
        ("S = 0", [r, &[0; 32]].concat()),
        ("R = 0", [&[0; 32], s].concat()),
        ("an extra byte", [&right[..], &[0]].concat()),
        ("a byte less", right[..63].to_vec()),
        ("empty", Vec::new()),
    ] {
        world.refuses(token.mint_with_signature(&signature), "signature_invalid", what);
    }
}

#[test]
fn a_right_signature_under_a_wrong_kid() {
    let world = world();
    let token = world.token();
    world.control(token.clone());
    world.refuses(token.clone().header("kid", "key-ES384"), "key_unknown", "the kid of a key for another algorithm");
    world.refuses(token.header("kid", "key-ES257"), "key_unknown", "no such kid");
}

#[test]
fn a_payload_or_header_changed_after_signing() {
    let world = world();
    let (one, two) = (world.token().mint(), world.token().claim("role", "admin").mint());
    let (one, two): (Vec<_>, Vec<_>) = (one.split('.').collect(), two.split('.').collect());
    world.refuses([one[0], two[1], one[2]].join("."), "signature_invalid", "another payload");
    let header = world.token().header("typ", "JWT").mint();
    world.refuses([header.split('.').next().unwrap(), one[1], one[2]].join("."), "signature_invalid", "another header");
}
