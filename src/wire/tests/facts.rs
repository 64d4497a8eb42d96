//! Our messages against Envoy's own: what it writes is what we read, and the other way round.

use envoy_types::pb as envoy;
use prost::Message;

use super::{answer, decoded, question};
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::service::auth::v3::{CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse};
use crate::reason::Reason;
use crate::request::Route;
use crate::wire::{attributes, reply};

#[test]
fn the_facts_are_those_that_envoy_wrote() {
    let message = decoded(&question());
    let facts = attributes::read(&message, None).unwrap();
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
fn with_header_map(entries: &[(&str, &str, &[u8])], keep: bool) -> CheckRequest {
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
    decoded(&question)
}

#[test]
fn raw_headers_keep_their_repetitions_and_their_bytes() {
    let message = with_header_map(&[("a", "", b"\xff"), ("A", "1", b""), ("b", "2", b"2"), ("c", "", b"")], false);
    let facts = attributes::read(&message, None).unwrap();
    assert_eq!(facts.headers.all("a").collect::<Vec<_>>(), [&b"\xff"[..], b"1"]);
    assert_eq!(facts.headers.first("b"), Some("2"));
    assert_eq!(facts.headers.first("c"), Some(""));
    assert_eq!(facts.request_id, Some("17"));
    assert!(!facts.headers.both_maps());
}

#[test]
fn a_header_with_two_values_in_one_place_is_malformed() {
    let message = with_header_map(&[("authorization", "Bearer a", b"Bearer b")], false);
    assert_eq!(attributes::read(&message, None).err(), Some(Reason::MalformedRequest));
}

#[test]
fn headers_in_both_maps_are_told_apart_from_one() {
    let message = with_header_map(&[("x", "1", b"")], true);
    let facts = attributes::read(&message, None).unwrap();
    assert!(facts.headers.both_maps());
    assert_eq!(facts.headers.len(), 3);
}

#[test]
fn names_that_differ_only_in_case_are_two_headers_in_a_steady_order() {
    let mut question = question();
    let http = question.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
    http.headers = [("b", "2"), ("B", "1")].map(|(name, value)| (name.into(), value.into())).into();
    let message = decoded(&question);
    let facts = attributes::read(&message, None).unwrap();
    assert_eq!(facts.headers.all("b").collect::<Vec<_>>(), [b"1", b"2"]);
}

#[test]
fn our_answers_say_to_envoy_what_they_mean() {
    use crate::proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
    use envoy::envoy::config::core::v3::header_value_option::HeaderAppendAction;
    use envoy::envoy::service::auth::v3 as theirs;

    let header = HeaderValueOption {
        header: Some(HeaderValue { key: "x-a".into(), value: "1".into(), raw_value: vec![] }),
        append: Some(false),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
    };
    let fields = [("k".to_owned(), prost_types::Value::from(true))];
    let allow = OkHttpResponse { headers: vec![header.clone()], headers_to_remove: vec!["x-b".into()] };
    let allow = CheckResponse {
        dynamic_metadata: Some(prost_types::Struct { fields: fields.into() }),
        ..answer(0, HttpResponse::OkResponse(allow), "")
    };
    let seen = theirs::CheckResponse::decode(&reply::frame(&allow)[5..]).unwrap();
    assert_eq!(seen.dynamic_metadata.unwrap().fields.len(), 1);
    let Some(theirs::check_response::HttpResponse::OkResponse(ok)) = seen.http_response else { panic!("not ok") };
    assert_eq!(ok.headers_to_remove, ["x-b"]);
    assert_eq!(ok.headers[0].header.as_ref().unwrap().key, "x-a");
    assert_eq!(ok.headers[0].append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
    #[expect(deprecated, reason = "the only one that Envoy 1.40 reads")]
    let append = ok.headers[0].append.unwrap();
    assert!(!append.value);

    let status = Some(crate::proto::envoy::r#type::v3::HttpStatus { code: 401 });
    let deny = DeniedHttpResponse { status, headers: vec![header], body: "{}".into() };
    let deny = answer(16, HttpResponse::DeniedResponse(deny), "");
    let seen = theirs::CheckResponse::decode(&reply::frame(&deny)[5..]).unwrap();
    assert_eq!(seen.status.unwrap().code, 16);
    let Some(theirs::check_response::HttpResponse::DeniedResponse(denied)) = seen.http_response else { panic!() };
    assert_eq!((denied.status.unwrap().code, denied.body.as_str(), denied.headers.len()), (401, "{}", 1));
}
