//! The words of the house: issuers, audiences, keys, algorithms, and the names people give in the table.
//!
//! In: text that was checked once. Out: types that cannot be mixed up. Nothing here normalises: an issuer is the
//! bytes that were written, and two that differ in one byte are two.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

/// Declares a text newtype that is cheap to clone and prints and serialises as its text.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(
    /// An `iss` value (RFC 7519 §4.1.1), compared byte for byte and never normalised.
    Issuer
);
text!(
    /// An `aud` value (RFC 7519 §4.1.3).
    Audience
);
text!(
    /// A `kid` (RFC 7517 §4.5). Means something only inside one issuer's key ring.
    KeyId
);
text!(
    /// What tells apart two entries that share one `iss`: `realm` of an entry. Part of the principal.
    Realm
);
text!(
    /// A SPIFFE trust domain (SPIFFE-ID §2.1): `prod.example.org`.
    TrustDomain
);
text!(
    /// The name of an entry under `issuers:`.
    IssuerName
);
text!(
    /// The name of an entry under `resources:`.
    ResourceName
);
text!(
    /// The name of an entry under `grants:`.
    GrantName
);
text!(
    /// The name of an entry under `blocks:`.
    BlockName
);
text!(
    /// An RFC 6749 §3.3 scope token, without a comma.
    Scope
);

/// `[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?`: the form of every name in the table.
pub fn is_name(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(inner) && bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge)
}

/// `[a-z0-9-]{1,63}`: the form of a `realm`.
pub fn is_realm(text: &str) -> bool {
    let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(byte)
}

/// A GUID in lower case with its hyphens (RFC 9562 §4): the id of a tenant in Entra.
pub fn is_guid(text: &str) -> bool {
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36 && text.bytes().enumerate().all(|(at, byte)| if hyphen(at) { byte == b'-' } else { digit(&byte) })
}

/// An RFC 6749 §3.3 scope token without a comma (lists of scopes are joined with commas in places).
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x5b | 0x5d..=0x7e))
}

/// A character that no identifier may hold: controls, bidirectional overrides, line and paragraph separators.
/// They would let a name look like another one in a log, or end a header line.
pub fn is_forbidden_character(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A character that does not show, or makes others show otherwise: those that no identifier may hold, and all that Unicode
/// has for formatting (general category Cf, and what is `Default_Ignorable_Code_Point`).
pub fn is_hidden_character(character: char) -> bool {
    is_forbidden_character(character)
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A stranger's text for people to read, as a part of one line: a newline too, and whatever else does not show, is written
/// as an escape.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden_character(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037). Only asymmetric ones exist here: `none` and `HS*` cannot be spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519 (RFC 8037; `Ed25519` of RFC 9864 is another spelling of the same).
    EdDSA,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Reads an exact, case-sensitive name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Ed25519" => Some(Self::EdDSA),
            _ => Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An RFC 7638 thumbprint of a public key, by SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The 32 bytes of the digest.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Reads `sha256:BASE64URL` or the RFC 9278 URN `urn:ietf:params:oauth:jwk-thumbprint:sha-256:BASE64URL`.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text
            .strip_prefix("sha256:")
            .or_else(|| text.strip_prefix("urn:ietf:params:oauth:jwk-thumbprint:sha-256:"))?;
        URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A list with at least one element: "none configured" cannot mean "not checked".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// Takes a list, unless it is empty.
    pub fn new(items: Vec<T>) -> Option<Self> {
        (!items.is_empty()).then_some(Self(items))
    }

    /// A list of one.
    pub fn of(item: T) -> Self {
        Self(vec![item])
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The elements in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

/// Where something was written: file, line and column, both from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The path as it was given.
    pub file: Arc<str>,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_bounded() {
        for good in ["a", "a1", "github-acme", "eu.west-1", &"x".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", ".a", "A", "a_b", "a/b", "ä", &"x".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn symmetric_and_none_algorithms_cannot_be_spelt() {
        for bad in ["none", "None", "HS256", "HS512", "rs256", " RS256", "RS256\0", ""] {
            assert_eq!(Algorithm::parse(bad), None, "{bad}");
        }
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
    }

    #[test]
    fn a_thumbprint_has_two_spellings_and_one_value() {
        let short = Thumbprint::parse("sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs").unwrap();
        let urn = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(Thumbprint::parse(urn), Some(short));
        assert_eq!(Thumbprint::parse(&short.to_string()), Some(short));
        for bad in [
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            "sha256:AAAA",
            "sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt",
        ] {
            assert_eq!(Thumbprint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_scope_holds_no_blank_quote_backslash_or_comma() {
        assert!(is_scope("deploy:payments"));
        for bad in ["", "a b", "a,b", "a\"b", "a\\b", "ä"] {
            assert!(!is_scope(bad), "{bad}");
        }
    }
}
