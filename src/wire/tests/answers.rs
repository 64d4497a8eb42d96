//! What we write is what Envoy reads.

use std::borrow::Cow;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3 as theirs;
use proptest::prelude::*;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct};

use crate::answer::{Answer, Value, Verdict};
use crate::proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse, OkHttpResponse};
use crate::proto::envoy::r#type::v3::HttpStatus;
use crate::proto::google::rpc::Status;
use crate::wire::Reply;

/// The same answer in generated types.
pub(super) fn generated(answer: &Answer<'_>) -> CheckResponse {
    let options = |headers: &[(Cow<'_, str>, Cow<'_, str>)]| {
        let option = |(key, value): &(Cow<'_, str>, Cow<'_, str>)| HeaderValueOption {
            header: Some(HeaderValue { key: key.to_string(), value: value.to_string(), raw_value: Vec::new() }),
            append: Some(false),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        };
        headers.iter().map(option).collect()
    };
    let http_response = match answer.verdict() {
        Verdict::Allow { set, remove } => HttpResponse::OkResponse(OkHttpResponse {
            headers: options(set),
            headers_to_remove: remove.iter().map(ToString::to_string).collect(),
        }),
        Verdict::Deny { status, headers, body, .. } => HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(*status) }),
            headers: options(headers),
            body: body.clone(),
        }),
    };
    let credence = prost_types::Value { kind: Some(Kind::StructValue(object(answer.metadata()))) };
    CheckResponse {
        status: Some(Status { code: answer.verdict().code(), message: String::new() }),
        http_response: Some(http_response),
        dynamic_metadata: Some(Struct { fields: [("credence".to_owned(), credence)].into() }),
    }
}

fn object(members: &[(&str, Value<'_>)]) -> Struct {
    Struct { fields: members.iter().map(|(name, value)| ((*name).to_owned(), tree(value))).collect() }
}

fn tree(value: &Value<'_>) -> prost_types::Value {
    let kind = match value {
        Value::Text(text) => Kind::StringValue(text.to_string()),
        Value::Number(number) => Kind::NumberValue(*number),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::List(values) => Kind::ListValue(ListValue { values: values.iter().map(tree).collect() }),
        Value::Object(members) => Kind::StructValue(object(members)),
    };
    prost_types::Value { kind: Some(kind) }
}

const NAMES: [&str; 6] = ["", "a", "decision_id", "iss", "sub", "a name that is rather long, so that lengths grow"];

fn texts() -> impl Strategy<Value = Cow<'static, str>> {
    // Lengths around those that take one byte, two and three.
    let lengths = prop_oneof![8 => 0..20_usize, 1 => 120..140_usize, 1 => 16_380..16_390_usize];
    let letters = prop::sample::select(vec!["a", "\u{e4}", "\u{1f600}"]);
    (letters, lengths).prop_map(|(letter, length)| Cow::Owned(letter.repeat(length)))
}

fn members(value: impl Strategy<Value = Value<'static>>) -> impl Strategy<Value = Vec<(&'static str, Value<'static>)>> {
    prop::collection::btree_map(prop::sample::select(&NAMES[..]), value, 0..5)
        .prop_map(|members| members.into_iter().collect())
}

fn values() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        texts().prop_map(Value::Text),
        prop::num::f64::NORMAL.prop_map(Value::Number),
        Just(Value::Number(0.0)),
        any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            members(inner).prop_map(Value::Object)
        ]
    })
}

fn answers() -> impl Strategy<Value = Answer<'static>> {
    let headers = || prop::collection::vec((texts(), texts()), 0..6);
    let allow =
        (headers(), prop::collection::vec(texts(), 0..40)).prop_map(|(set, remove)| Verdict::Allow { set, remove });
    let deny = (any::<i32>(), any::<u16>(), headers(), texts())
        .prop_map(|(code, status, headers, body)| Verdict::Deny { code, status, headers, body: body.into_owned() });
    (prop_oneof![allow, deny], members(values())).prop_map(|(verdict, metadata)| Answer::of(verdict, metadata))
}

proptest! {
    #[test]
    fn any_answer_is_read_as_it_was_meant(answer in answers()) {
        let reply = Reply::of(&answer);
        let meant = generated(&answer);
        prop_assert_eq!(CheckResponse::decode(reply.encoded()).unwrap(), meant.clone());
        // The members come in the order of their names here, so that even the bytes are the same.
        let generated = Reply::message(&meant);
        prop_assert_eq!(reply.encoded(), generated.encoded());
        let seen = theirs::CheckResponse::decode(reply.encoded()).unwrap();
        prop_assert_eq!(CheckResponse::decode(&*seen.encode_to_vec()).unwrap(), meant);
    }
}

#[test]
fn envoy_is_told_to_overwrite_in_both_of_its_ways() {
    let set = vec![("x-a".into(), "1".into())];
    let allow = Answer::of(Verdict::Allow { set, remove: vec!["x-b".into()] }, vec![("k", Value::Bool(true))]);
    let seen = theirs::CheckResponse::decode(Reply::of(&allow).encoded()).unwrap();
    assert_eq!(seen.status.unwrap().code, 0);
    assert_eq!(seen.dynamic_metadata.unwrap().fields.len(), 1);
    let Some(theirs::check_response::HttpResponse::OkResponse(ok)) = seen.http_response else { panic!("not ok") };
    assert_eq!(ok.headers_to_remove, ["x-b"]);
    assert_eq!(ok.headers[0].header.as_ref().unwrap().key, "x-a");
    assert_eq!(ok.headers[0].append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
    #[expect(deprecated, reason = "the only one that Envoy 1.40 reads")]
    let append = ok.headers[0].append.unwrap();
    assert!(!append.value);
}

#[test]
fn envoy_reads_a_refusal_with_its_status_and_body() {
    let headers = vec![("x-a".into(), "1".into())];
    let deny = Answer::of(Verdict::Deny { code: 16, status: 401, headers, body: "{}".into() }, vec![]);
    let seen = theirs::CheckResponse::decode(Reply::of(&deny).encoded()).unwrap();
    assert_eq!(seen.status.unwrap().code, 16);
    let Some(theirs::check_response::HttpResponse::DeniedResponse(denied)) = seen.http_response else { panic!() };
    assert_eq!((denied.status.unwrap().code, denied.body.as_str(), denied.headers.len()), (401, "{}", 1));
}
