//! The order of a table and its files has no say: neither in the digest of its meaning nor in any verdict.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credence::clock::Time;
use credence::keys::LiveKeys;
use credence::path::{Outcome, Rules, walk};
use credence::request::{AuthzRequest, Headers};
use credence::table::{Permissions, Snapshot, SourceFile, Sources, compile};
use credence::trail::Recorder;
use proptest::prelude::*;

const HEAD: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";

/// Entries that overlap in every way that could tempt an implementation to let the first or last one win.
const ISSUERS: [&str; 3] = [
    "  one: {issuer: https://one.test, pin: {claims: {tenant: [red, blue]}}}\n",
    "  two: {issuer: https://two.test, maxTokenAge: 1h, clockSkew: 10s}\n",
    "  ended: {issuer: https://ended.test, expires: 2026-11-01}\n",
];
const RESOURCES: [&str; 4] = [
    "  all: {audience: all, hosts: ['*.acme.test']}\n",
    "  exact: {audience: exact, hosts: [api.acme.test, api.acme.test:8443], paths: [/v1/**, /v2]}\n",
    "  deeper: {audience: deeper, hosts: [api.acme.test], paths: [/v1/orders/**]}\n",
    "  open: {audience: open, hosts: [open.acme.test], anonymous: [{methods: [GET], paths: [/**], reason: public}]}\n",
];
const GRANTS: [&str; 8] = [
    "  a: {issuer: one, resource: exact, subject: s, methods: [GET], paths: any, scopes: [a, b]}\n",
    "  b: {issuer: [two, one], resource: exact, subject: s, methods: any, paths: [/v1/x/**], scopes: [b, c]}\n",
    "  c: {issuer: one, resource: exact, subject: s, methods: any, paths: any, expires: 2026-01-01, scopes: [d]}\n",
    "  d: {issuer: one, resource: exact, claims: {tenant: red}, methods: [POST], paths: any, scopes: [e]}\n",
    "  e: {issuer: one, resource: deeper, subject: [t, s], methods: [GET], paths: any, mode: shadow}\n",
    "  f: {issuer: two, resource: all, subject: {glob: s-*}, methods: any, paths: any}\n",
    "  g: {issuer: [ended, two], resource: open, subject: s, methods: [POST], paths: [/v1, /**]}\n",
    "  h: {issuer: two, resource: deeper, subject: s, methods: [GET], paths: any, audience: h, reason: x}\n",
];

fn table(files: Vec<SourceFile>) -> Snapshot {
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let compiled = compile(&Sources::from_files(files), &Permissions::default(), now, |need| {
        Arc::new(LiveKeys::unfetched(need.rules))
    });
    compiled.snapshot.unwrap_or_else(|| panic!("{}", compiled.report.render(false)))
}

/// Deals the entries out to `count` files, in the order given by `keys`.
fn dealt(count: usize, keys: &[u32]) -> Vec<SourceFile> {
    let all = ISSUERS.iter().map(|entry| ("issuers", *entry));
    let all = all.chain(RESOURCES.iter().map(|entry| ("resources", *entry)));
    let all = all.chain(GRANTS.iter().map(|entry| ("grants", *entry)));
    let mut keyed: Vec<_> = keys.iter().copied().zip(all).collect();
    keyed.sort_by_key(|(key, _)| key.rotate_left(16));
    let file = |number: usize| {
        let mut sections = ["grants", "issuers", "resources"];
        sections.rotate_left(number % 3);
        let mut text = HEAD.to_owned();
        for section in sections {
            let here = |(key, (of, _)): &&(u32, (&str, &str))| *key as usize % count == number && *of == section;
            let entries: String = keyed.iter().filter(here).map(|(_, (_, entry))| *entry).collect();
            if !entries.is_empty() {
                text.push_str(&format!("{section}:\n{entries}"));
            }
        }
        SourceFile::new(format!("{number}.yaml"), text)
    };
    (0..count).map(file).collect()
}

fn token(iss: &str, sub: &str, aud: &str, tenant: &str) -> String {
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap().seconds();
    let payload = format!(
        r#"{{"iss":"{iss}","sub":"{sub}","aud":["{aud}","h"],"tenant":"{tenant}","iat":{now},"exp":{}}}"#,
        now + 300.0
    );
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"ES256","kid":"k"}"#), part(&payload), URL_SAFE_NO_PAD.encode([1; 64]))
}

/// Every verdict over a grid of callers and requests, as text.
fn verdicts(snapshot: &Snapshot) -> String {
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let mut out = String::new();
    for iss in ["https://one.test", "https://two.test", "https://ended.test", "https://none.test"] {
        for sub in ["s", "t", "s-1"] {
            for tenant in ["red", "blue", "green"] {
                for (host, path) in [
                    ("api.acme.test", "/v1/x/y"),
                    ("api.acme.test", "/v1/orders/7"),
                    ("api.acme.test:8443", "/v1/orders/7"),
                    ("api.acme.test", "/v2"),
                    ("web.acme.test", "/v1"),
                    ("open.acme.test", "/v1"),
                ] {
                    for (method, aud) in
                        [("GET", "exact"), ("POST", "exact"), ("GET", "deeper"), ("POST", "open"), ("GET", "all")]
                    {
                        let bearer = format!("Bearer {}", token(iss, sub, aud, tenant));
                        let headers = Headers::new(vec![("authorization", bearer.as_bytes())], false);
                        let request = AuthzRequest { method, target: path, host, headers, ..AuthzRequest::default() };
                        let mut recorder = Recorder::without_keys();
                        let walked = walk(Rules::without_blocks(snapshot), &request, now, &mut recorder);
                        let shadow: Vec<_> = walked.facts.shadow.iter().map(|grant| grant.name.as_str()).collect();
                        let (granted, scopes) = match &walked.outcome {
                            Outcome::Allowed(permit) => (
                                format!("{:?}", permit.grants().map(|name| name.as_str()).collect::<Vec<_>>()),
                                format!("{:?}", permit.scopes()),
                            ),
                            _ => Default::default(),
                        };
                        let failure = recorder.first_failure();
                        let near: Vec<_> =
                            walked.facts.near_misses.iter().map(|miss| miss.grant.name.as_str()).collect();
                        out.push_str(&format!(
                            "{failure:?} {} {granted} {scopes} {shadow:?} {near:?}\n",
                            walked.outcome.code()
                        ));
                    }
                }
            }
        }
    }
    out
}

#[test]
fn the_grid_has_both_allows_and_refusals_of_many_kinds() {
    let verdicts = verdicts(&table(dealt(1, &[0; 15])));
    for part in [
        "None ok",
        "None anonymous",
        "GrantNone",
        "GrantExpired",
        "AudienceMismatch",
        "PinMismatch",
        "IssuerExpired",
        "IssuerUnknown",
    ] {
        assert!(verdicts.contains(part), "{part}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn shuffling_maps_and_splitting_files_changes_neither_the_meaning_nor_a_verdict(
        count in 1_usize..5,
        keys in proptest::collection::vec(any::<u32>(), 15),
    ) {
        let plain = table(dealt(1, &[0; 15]));
        let shuffled = table(dealt(count, &keys));
        prop_assert_eq!(&plain.digest, &shuffled.digest);
        prop_assert_eq!(verdicts(&plain), verdicts(&shuffled));
    }
}
