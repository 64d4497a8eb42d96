//! The bundle of a SPIFFE trust domain (SPIFFE Trust Domain and Bundle §4): a JWK Set of which each key says what
//! it is for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::jwk::{Jwk, Purpose};
use super::set::{KeySet, KeySetError, object, published};
use crate::json::{Json, whole};

/// What a trust domain publishes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpiffeBundle {
    /// The keys for `jwt-svid`, which verify tokens, and the unusable ones among them.
    pub keys: KeySet,
    /// The X.509 authorities of the keys for `x509-svid`, DER: for servers of the trust domain, never for tokens.
    pub authorities: Vec<Vec<u8>>,
    /// `spiffe_sequence`: grows with every change.
    pub sequence: Option<u64>,
    /// `spiffe_refresh_hint`: how often the publisher wants to be asked.
    pub refresh_hint: Option<Duration>,
}

impl SpiffeBundle {
    /// Reads a bundle, within the limits of [`KeySet::parse`]. A key whose `use` is missing or unknown is ignored
    /// (§4.2.2), and so is one for `jwt-svid` without a `kid` (JWT-SVID §4). A bundle without any key for `jwt-svid`
    /// is a valid, empty one; a sequence that is no natural number makes the whole no bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let document = object(bytes)?;
        let mut bundle = Self { sequence: sequence(&document)?, ..Self::default() };
        bundle.refresh_hint = natural(document.get("spiffe_refresh_hint")).map(Duration::from_secs);
        for (index, json) in published(&document)?.iter().enumerate() {
            if json.get("use").and_then(Json::as_str) == Some("x509-svid") {
                bundle.authorities.extend(authority(json));
                continue;
            }
            let read = Jwk::read(json, Purpose::JwtSvid).and_then(|key| match key.kid() {
                Some(_) => Ok(key),
                None => Err("has no kid, which a key for jwt-svid must have".to_owned()),
            });
            bundle.keys.take(index, json, read);
        }
        Ok(bundle)
    }
}

/// The certificate of an X.509 authority: exactly one, in plain base64 (RFC 7517 §4.7).
fn authority(json: &Json) -> Option<Vec<u8>> {
    let [certificate] = json.get("x5c")?.as_array()? else { return None };
    STANDARD.decode(certificate.as_str()?).ok()
}

fn sequence(document: &Json) -> Result<Option<u64>, KeySetError> {
    match document.get("spiffe_sequence") {
        None | Some(Json::Null) => Ok(None),
        written => natural(written).map(Some).ok_or(KeySetError::Sequence),
    }
}

fn natural(json: Option<&Json>) -> Option<u64> {
    u64::try_from(whole(json?.as_number()?)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::set::MAX_KEYS;
    use super::super::testing::{RSA, Signer, with};
    use super::*;

    fn parse(bundle: &Value) -> Result<SpiffeBundle, KeySetError> {
        SpiffeBundle::parse(bundle.to_string().as_bytes())
    }

    fn svid(kid: &str) -> Value {
        with(Signer::ec("P-256").named(kid), json!({"use": "jwt-svid"}))
    }

    #[test]
    fn only_keys_for_jwt_svid_verify() {
        let x509 = with(RSA[0].named("x"), json!({"use": "x509-svid", "x5c": ["AQID"]}));
        let nameless = with(svid("n"), json!({"kid": null}));
        let keys =
            json!([svid("good"), x509, RSA[0].named("none"), with(svid("s"), json!({"use": "sig"})), nameless, 7]);
        let bundle = parse(&json!({"keys": keys, "spiffe_sequence": 7, "spiffe_refresh_hint": 300})).unwrap();
        let kids: Vec<_> = bundle.keys.keys().iter().map(|key| key.kid().unwrap().as_str().to_owned()).collect();
        assert_eq!(kids, ["good"]);
        assert_eq!(bundle.authorities, [[1, 2, 3]]);
        assert_eq!((bundle.sequence, bundle.refresh_hint), (Some(7), Some(Duration::from_secs(300))));
        let told: Vec<String> = bundle.keys.ignored().iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("key \"none\" has no use"), "{told:?}");
        assert_eq!(told[1], "key \"s\" is for use \"sig\", not jwt-svid");
        assert_eq!(told[2], "key number 5 has no kid, which a key for jwt-svid must have");
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn a_plain_key_set_takes_no_key_of_a_bundle() {
        let set = KeySet::parse(json!({"keys": [svid("k")]}).to_string().as_bytes()).unwrap();
        assert!(set.is_empty());
    }

    #[test]
    fn an_authority_is_exactly_one_certificate() {
        for x5c in [json!([]), json!(["AQID", "AQID"]), json!("AQID"), json!(["*"]), json!([7]), Value::Null] {
            let key = json!({"kty": "EC", "use": "x509-svid", "x5c": x5c});
            assert_eq!(parse(&json!({"keys": [key]})).unwrap(), SpiffeBundle::default());
        }
    }

    #[test]
    fn a_sequence_that_cannot_be_compared_is_refused_and_a_strange_hint_ignored() {
        for sequence in [json!(-1), json!(1.5), json!("7"), json!([]), json!(1e300)] {
            assert_eq!(parse(&json!({"keys": [], "spiffe_sequence": sequence})), Err(KeySetError::Sequence));
            let hinted = parse(&json!({"keys": [], "spiffe_refresh_hint": sequence})).unwrap();
            assert_eq!(hinted.refresh_hint, None);
        }
        assert_eq!(parse(&json!({"keys": []})).unwrap().sequence, None);
        assert_eq!(parse(&json!({})), Err(KeySetError::NoKeys));
        let many = vec![json!(0); MAX_KEYS + 1];
        assert_eq!(parse(&json!({"keys": many})), Err(KeySetError::TooManyKeys(1001)));
    }
}
