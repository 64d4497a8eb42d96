//! What Envoy's own messages say is what we read.

use envoy_types::pb as envoy;
use prost::Message;

use super::question;
use crate::reason::Reason;
use crate::request::Route;
use crate::wire::question::read;

#[test]
fn the_facts_are_those_that_envoy_wrote() {
    let message = question().encode_to_vec();
    let facts = read(&message, None).unwrap();
    assert_eq!((facts.method, facts.target, facts.host), ("POST", "/a?b=c", "x.test"));
    assert_eq!(facts.request_id, Some("r-1"));
    assert_eq!(facts.source_address, Some("192.0.2.7"));
    assert_eq!(facts.source_principal, Some("spiffe://a.test/b"));
    assert_eq!(facts.context, [("a", "2"), ("z", "1")]);
    assert_eq!(facts.routes, [Route { namespace: "shop", name: "cart" }]);
    assert_eq!(facts.headers.len(), 2);
    assert_eq!(facts.headers.first("authorization"), Some("Bearer t"));
    assert!(!facts.headers.both_maps());
}

/// The question, with the headers moved to `header_map`.
fn with_header_map(entries: &[(&str, &str, &[u8])], keep: bool) -> Vec<u8> {
    use envoy::envoy::config::core::v3::{HeaderMap, HeaderValue};
    let mut question = question();
    let http = question.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
    if !keep {
        http.headers.clear();
    }
    let headers = entries.iter().map(|(key, value, raw)| HeaderValue {
        key: (*key).into(),
        value: (*value).into(),
        raw_value: raw.to_vec(),
    });
    http.header_map = Some(HeaderMap { headers: headers.collect() });
    question.encode_to_vec()
}

#[test]
fn raw_headers_keep_their_repetitions_and_their_bytes() {
    let message = with_header_map(&[("a", "", b"\xff"), ("A", "1", b""), ("b", "2", b"2"), ("c", "", b"")], false);
    let facts = read(&message, None).unwrap();
    assert_eq!(facts.headers.all("a").collect::<Vec<_>>(), [&b"\xff"[..], b"1"]);
    assert_eq!(facts.headers.first("b"), Some("2"));
    assert_eq!(facts.headers.first("c"), Some(""));
    assert_eq!(facts.request_id, Some("17"));
    assert!(!facts.headers.both_maps());
}

#[test]
fn a_header_with_two_values_in_one_place_is_malformed() {
    let message = with_header_map(&[("authorization", "Bearer a", b"Bearer b")], false);
    assert_eq!(read(&message, None).err(), Some(Reason::MalformedRequest));
}

#[test]
fn headers_in_both_maps_are_told_apart_from_one() {
    let message = with_header_map(&[("x", "1", b"")], true);
    let facts = read(&message, None).unwrap();
    assert!(facts.headers.both_maps());
    assert_eq!(facts.headers.len(), 3);
}

#[test]
fn names_that_differ_only_in_case_are_two_headers_in_a_steady_order() {
    let mut question = question();
    let http = question.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
    http.headers = [("b", "2"), ("B", "1")].map(|(name, value)| (name.into(), value.into())).into();
    let message = question.encode_to_vec();
    let facts = read(&message, None).unwrap();
    assert_eq!(facts.headers.all("b").collect::<Vec<_>>(), [b"1", b"2"]);
}
