//! The line that is written by hand is, byte for byte, the one that serde would write.

mod reference;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::line::{Call, Table, line};
use crate::clock::Time;
use crate::credential::Claimed;
use crate::keys::testing::{Signer, b64, set};
use crate::keys::{LiveKeys, Signed};
use crate::name::Algorithm;
use crate::path::{Facts, Outcome, Rules, Walk, walk};
use crate::reason::Reason;
use crate::request::{AuthzRequest, Headers};
use crate::table::{Permissions, Snapshot, SourceFile, Sources, compile};
use crate::trace_context::{SpanId, TraceId};
use crate::trail::Strict;

const TABLE: &str = r#"apiVersion: credence.dev/v1alpha1
kind: TrustTable
issuers:
  ci: {issuer: https://ci.test, signingAlgs: [EdDSA]}
  red: {issuer: https://red.test, signingAlgs: [EdDSA], realm: red}
resources:
  api: {audience: api, hosts: [api.test]}
  site: {audience: site, hosts: [site.test], anonymous: [{methods: [GET], paths: [/**], reason: public}]}
  try: {audience: api, hosts: [try.test], observe: {until: 2099-01-01, reason: roll-out}}
grants:
  all: {issuer: [ci, red], resource: api, subject: any, methods: any, paths: [/all/**], scopes: [b, a], reason: x}
  more: {issuer: ci, resource: api, subject: any, methods: any, paths: [/all/**], scopes: [b, c], reason: x}
  odd: {issuer: ci, resource: api, claims: {"gr\u00fc\u00df\u202e\"\\": v}, methods: [PUT], paths: [/odd]}
  watch: {issuer: [ci, red], resource: api, subject: any, methods: any, paths: any, mode: shadow, reason: x}
"#;
/// 2025-11-21T12:00:00.25Z
const NOW: f64 = 1_763_726_400.25;

struct World {
    signer: Signer,
    snapshot: Snapshot,
}

impl World {
    fn new() -> Self {
        let signer = Signer::ed();
        let keys = set(&[signer.named("k")]);
        let files = vec![SourceFile::new("trust.yaml".to_owned(), TABLE.to_owned())];
        let compiled = compile(&Sources::from_files(files), &Permissions::default(), Time::from_seconds(NOW), |need| {
            Arc::new(LiveKeys::fixed(Arc::clone(&keys), need.rules))
        });
        let report = compiled.report.render(false);
        Self { signer, snapshot: compiled.snapshot.unwrap_or_else(|| panic!("{report}")) }
    }

    fn bearer(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        format!("Bearer {input}.{}", b64(&self.signer.sign(Algorithm::EdDSA, input.as_bytes())))
    }

    fn walk(&self, host: &str, path: &str, bearer: Option<&str>) -> Walk<'_, Signed> {
        let headers = bearer.map(|bearer| ("authorization", bearer.as_bytes())).into_iter().collect();
        let headers = Headers::new(headers, false);
        let request = AuthzRequest { method: "GET", host, target: path, headers, ..AuthzRequest::default() };
        walk(Rules::without_blocks(&self.snapshot), &request, Time::from_seconds(NOW), &mut Strict::default())
    }
}

/// What someone may send who wants to break a line.
fn hostile() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        prop::char::range(' ', '~'),
        prop::sample::select(vec![
            '"',
            '\\',
            '\n',
            '\r',
            '\t',
            '\u{0}',
            '\u{8}',
            '\u{c}',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{2028}',
            '\u{202e}',
            '\u{1f600}',
            '@',
            '?'
        ]),
    ];
    let text =
        prop::collection::vec(character, 0..24).prop_map(|characters| characters.into_iter().collect::<String>());
    (text, prop_oneof![9 => Just(1_usize), 1 => 30..400_usize]).prop_map(|(text, times)| text.repeat(times))
}

fn ask<'a>(texts: &'a [String], headers: Headers<'a>) -> AuthzRequest<'a> {
    let [method, host, target, id, address, principal, peer, ..] = texts else { panic!("seven texts") };
    let some = |text: &'a String| (!text.len().is_multiple_of(3)).then_some(text.as_str());
    AuthzRequest {
        method,
        host,
        target,
        request_id: some(id),
        source_address: some(address),
        source_principal: some(principal),
        proxy_peer: some(peer),
        headers,
        ..AuthzRequest::default()
    }
}

fn same(walk: &Walk<'_, Signed>, call: Call<'_>) -> String {
    let mut bytes = b"what stood there before\n".to_vec();
    let before = bytes.len();
    line(&mut bytes, walk, call);
    let bytes = &bytes[before..];
    assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8(reference::line(walk, call)).unwrap());
    assert!(bytes.iter().all(|byte| (0x20..=0x7e).contains(byte) || *byte == b'\n'));
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice::<Value>(bytes).unwrap()["reason"].as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_the_one_that_serde_would_write(
        texts in prop::collection::vec(hostile(), 7),
        said in prop::collection::vec(prop::option::of(hostile()), 4),
        span in prop::option::of((any::<[u8; 16]>(), any::<[u8; 8]>())),
        jti in prop::option::of(hostile()),
        (issued, lasts) in (prop::option::of(prop_oneof![Just(0.0), -600.0..0.0]), prop_oneof![Just(300.0), 0.0..1e5]),
        (seconds, duration_us, status, generation) in (prop_oneof![Just(NOW), any::<f64>()], any::<u64>(), any::<u16>(), any::<u64>()),
    ) {
        let world = World::new();
        let request = ask(&texts, Headers::default());
        let [iss, sub, kid, alg] = &said[..] else { panic!("four texts") };
        let call = Call {
            time: Time::from_seconds(seconds),
            decision_id: "019aab1e-7f0e-7a4e-9d0f-1f6f6c1f2f11",
            duration_us,
            status,
            request: Some(&request),
            table: Some(Table { generation, sha256: &world.snapshot.digest }),
            span: span.map(|(trace, span)| (TraceId(trace), SpanId(span))),
        };

        let mut reasons = Vec::new();
        // A subject that is taken as it is, and one that may not be.
        for subject in ["s", sub.as_deref().unwrap_or("\u{e4}\u{f6}\"\\")] {
            for (issuer, path) in [("https://ci.test", "/all/x"), ("https://red.test", "/all/x"), ("https://ci.test", "/odd")] {
                let mut claims = json!({"iss": issuer, "sub": subject, "aud": "api", "exp": NOW + lasts});
                for (name, value) in [("jti", jti.clone().map(Value::from)), ("iat", issued.map(|at| (NOW + at).into()))] {
                    claims.as_object_mut().unwrap().extend(value.map(|value| (name.to_owned(), value)));
                }
                let header = json!({"alg": "EdDSA", "kid": "k", "typ": "JWT"});
                let walk = world.walk("api.test", path, Some(&world.bearer(&header, &claims)));
                reasons.push(same(&walk, call));
                reasons.push(same(&walk, Call { table: None, ..call }));
                same(&world.walk("try.test", path, Some(&world.bearer(&header, &claims))), call);
            }
        }
        reasons.push(same(&world.walk("site.test", "/", None), call));
        let claimed = Claimed { iss: iss.clone(), sub: sub.clone(), kid: kid.clone(), alg: alg.clone() };
        for claimed in [Some(claimed), Some(Claimed::default()), None] {
            let facts = Facts { claimed, ..Facts::default() };
            same(&Walk { outcome: Outcome::Refused(Reason::IssuerUnknown), facts }, call);
        }
        same(&Walk { outcome: Outcome::Refused(Reason::Internal), facts: Facts::default() }, Call { request: None, ..call });
        prop_assert!(reasons.contains(&"anonymous".to_owned()));
    }
}

#[test]
fn the_comparison_sees_lines_of_every_shape() {
    let world = World::new();
    let mut seen = String::new();
    let request = AuthzRequest {
        source_address: Some("a"),
        proxy_peer: Some("p"),
        request_id: Some("r"),
        ..AuthzRequest::default()
    };
    let call = Call {
        time: Time::from_seconds(NOW),
        decision_id: "id",
        duration_us: 7,
        status: 200,
        request: Some(&request),
        table: Some(Table { generation: 1, sha256: "00" }),
        span: None,
    };
    for (issuer, path, reason) in [
        ("https://ci.test", "/all/x", "ok"),
        ("https://red.test", "/all/x", "ok"),
        ("https://ci.test", "/odd", "grant_none"),
    ] {
        let header = json!({"alg": "EdDSA", "kid": "k", "typ": "JWT"});
        let claims = json!({"iss": issuer, "sub": "s", "aud": "api", "exp": NOW + 300.5, "iat": NOW, "jti": "j"});
        let walk = world.walk("api.test", path, Some(&world.bearer(&header, &claims)));
        assert_eq!(same(&walk, call), reason);
        let mut bytes = Vec::new();
        line(&mut bytes, &walk, call);
        seen += &String::from_utf8(bytes).unwrap();
    }
    let walk = world.walk("try.test", "/", None);
    assert_eq!(same(&walk, call), "observed");
    let mut bytes = Vec::new();
    line(&mut bytes, &walk, call);
    seen += &String::from_utf8(bytes).unwrap();
    for part in [
        r#""decision":"allow","reason":"observed","observed_reason":"no_token","status":200"#,
        r#""ts":"2025-11-21T12:00:00.250Z","#,
        r#""principal":{"iss":"https://ci.test","sub":"s"}"#,
        r#""verified":{"#,
        r#""realm":"red""#,
        r#""grants":["all","more"]"#,
        r#""scopes":["a","b","c"]"#,
        r#""shadow":["watch"]"#,
        r#""failed":["gr\u00fc\u00df\u202e\"\\","methods"]"#,
        r#""jti_hash":"189f40034be7a199f1fa9891668ee3ab6049f82d38c68be70f596eab2e1857b7""#,
        r#""iat":1763726400.25,"exp":1763726700.75"#,
    ] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
}

#[test]
fn a_caller_cannot_forge_a_line_or_hide_in_one() {
    let hostile = "a\"\n{\"schema\":\u{202e}\u{1b}[2J\u{85}\u{1f600}";
    let facts =
        Facts { claimed: Some(Claimed { sub: Some(hostile.into()), ..Claimed::default() }), ..Facts::default() };
    let walk = Walk { outcome: Outcome::Refused(Reason::IssuerUnknown), facts };
    let request = AuthzRequest { method: hostile, host: hostile, target: "/p?token=secret", ..AuthzRequest::default() };
    let call = Call {
        time: Time::from_seconds(0.0),
        decision_id: "id",
        duration_us: 7,
        status: 401,
        request: Some(&request),
        table: None,
        span: None,
    };
    same(&walk, call);
    let mut bytes = Vec::new();
    line(&mut bytes, &walk, call);
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["claimed"]["sub"], hostile);
    assert_eq!(json["http"]["path"], "/p");
    assert!(!String::from_utf8(bytes).unwrap().contains("secret"));
}
