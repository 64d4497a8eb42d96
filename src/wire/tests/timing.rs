//! What reading a question and writing an answer cost beside `prost`: not a test, but figures.
//!
//! `cargo test --lib --config 'profile.test.package.credence.opt-level=3' wire::tests::timing -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use prost::Message;

use super::answers::generated;
use super::corpus::corpus;
use super::reference;
use crate::answer::{Answer, Value, Verdict};
use crate::proto::envoy::service::auth::v3::CheckRequest;
use crate::wire::Reply;
use crate::wire::question::read;

/// Nanoseconds for one, the least of many rounds.
fn cost(mut work: impl FnMut()) -> f64 {
    const ROUND: u32 = 2_000;
    let mut least = f64::INFINITY;
    for _ in 0..200 {
        let begun = Instant::now();
        for _ in 0..ROUND {
            work();
        }
        least = least.min(begun.elapsed().as_secs_f64() * 1e9 / f64::from(ROUND));
    }
    least
}

/// A yes as most are.
fn allow() -> Answer<'static> {
    let text = |text: &'static str| Value::Text(text.into());
    let subject = "repo:acme/payments:ref:refs/heads/main";
    let issuer = "https://token.actions.githubusercontent.com";
    let canonical = || format!("{issuer}#{subject}");
    let set = vec![
        ("x-credence-issuer".into(), issuer.into()),
        ("x-credence-subject".into(), subject.into()),
        ("x-credence-principal".into(), canonical().into()),
        ("x-credence-scopes".into(), "deploy:payments".into()),
        ("x-credence-grants".into(), "acme-deploys".into()),
        ("x-credence-decision-id".into(), "0191c3a0-7e6b-7cc1-b3a0-1c5d0f2a9f10".into()),
    ];
    let remove = (0..26).map(|number| ["x_credence_subject", "x-http-method-override"][number % 2].into()).collect();
    let metadata = vec![
        ("decision_id", text("0191c3a0-7e6b-7cc1-b3a0-1c5d0f2a9f10")),
        ("decision", text("allow")),
        ("reason", text("ok")),
        ("resource", text("payments")),
        ("table", Value::Object(vec![("generation", Value::Number(7.0)), ("sha256", text(subject))])),
        ("audience", text("https://payments.acme.example")),
        ("grants", Value::List(vec![text("acme-deploys")])),
        ("scopes", Value::List(vec![text("deploy:payments")])),
        ("issuer_name", text("github-acme")),
        ("principal", Value::Object(vec![("format", text("iss_sub")), ("iss", text(issuer)), ("sub", text(subject))])),
        ("principal_canonical", Value::Text(canonical().into())),
        ("claims", Value::Object(vec![("repo", text("acme/payments"))])),
        ("token", Value::Object(vec![("kid", text("1")), ("alg", text("RS256")), ("exp", Value::Number(1.79e9))])),
    ];
    Answer::of(Verdict::Allow { set, remove }, metadata)
}

#[test]
#[ignore = "figures, not a test: they depend on the machine and on the optimisation"]
fn reading_and_writing_beside_prost() {
    for (name, bytes) in ["a map", "raw headers", "both", "Envoy Gateway"].iter().zip(corpus()) {
        let old = cost(|| {
            let message = CheckRequest::decode(black_box(&*bytes)).unwrap();
            black_box(reference::facts(&message, None)).ok();
        });
        let new = cost(|| {
            black_box(read(black_box(&bytes), None)).ok();
        });
        println!("question with {name}, {} bytes: prost {old:.0} ns, in place {new:.0} ns", bytes.len());
    }
    let message = generated(&allow());
    let encoded = cost(|| {
        black_box(Reply::message(black_box(&message)));
    });
    let answer = allow();
    let written = cost(|| {
        black_box(Reply::of(black_box(&answer)));
    });
    let (copied, made) = (cost(|| drop(black_box(message.clone()))), cost(|| drop(black_box(allow()))));
    println!(
        "yes of {} bytes, encoded: prost {encoded:.0} ns, directly {written:.0} ns",
        Reply::of(&answer).encoded().len()
    );
    println!("its parts put together: generated types {copied:.0} ns, answer {made:.0} ns");
}
