//! Proof, before anything is measured, that the bench would notice: a server that denies, one that answers too little,
//! a second one on the port, and a mistake in its own arithmetic.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, OkHttpResponse};
use envoy_types::pb::google::rpc::Status;
use prost::Message as _;

use crate::args::Habit;
use crate::closed::{Load, Until};
use crate::judge::{Expect, SUBJECT};
use crate::process::ticks;
use crate::report::{Goal, Verdict, verdict};
use crate::request::Ask;
use crate::servers::Null;
use crate::stats::{Spread, median, percentile};
use crate::{Outcome, owner};

/// An error that says what was not noticed.
pub(crate) fn run() -> Outcome {
    arithmetic()?;
    books()?;
    answers()?;
    foreigners()
}

fn hold(what: &str, truth: bool) -> Outcome {
    if truth { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

fn arithmetic() -> Outcome {
    hold("the median of three", median(&[9.0, 1.0, 2.0]) == Some(2.0))?;
    hold("the median of four", median(&[4.0, 1.0, 2.0, 3.0]) == Some(2.5))?;
    hold("no median of nothing", median(&[]).is_none())?;
    let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    hold("the 99th percentile of 1..100", percentile(&hundred, 0.99) == Some(99.0))?;
    hold("the 100th percentile of 1..100", percentile(&hundred, 1.0) == Some(100.0))?;
    hold("the 0th percentile of 1..100", percentile(&hundred, 0.0) == Some(1.0))?;
    let of = |values: &[f64]| verdict(Spread::of(values), Goal::AtMost(0.85));
    hold("the median decides, not the best round", of(&[0.8, 0.9, 0.9]) == Verdict::Missed)?;
    hold("a goal reached exactly is met", of(&[0.85]) == Verdict::Met)?;
    let cheaper = |values: &[f64]| verdict(Spread::of(values), Goal::AtLeast(20.0));
    hold("twenty times cheaper is at least twenty", cheaper(&[19.0, 20.0, 90.0]) == Verdict::Met)?;
    hold("one good round is not enough", cheaper(&[19.0, 19.9, 90.0]) == Verdict::Missed)?;
    hold("nothing measured is nothing met", of(&[]) == Verdict::Unmeasured && of(&[f64::NAN]) == Verdict::Unmeasured)
}

/// The kernel's books are read in the right columns.
fn books() -> Outcome {
    let stat = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0";
    hold("utime and stime behind a name with brackets", ticks(stat) == Some(42))?;
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:2377 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
        1: 0100007F:2377 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n\
        2: 0100007F:2378 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1\n\
        3: 00000000:2377 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1\n";
    hold(
        "the listeners of one port, of every address, and no connections",
        owner::listeners(table, 0x2377) == [111, 444],
    )
}

fn load(expect: Expect) -> Load {
    let frames = Arc::new(vec![Ask::get("api.bench.test", "/v1/x").frame(None); 200]);
    Load { connections: 1, streams: 2, frames, warm: Until::Count(0), window: Until::Count(200), expect }
}

/// Every kind of wrong answer ends the window.
fn answers() -> Outcome {
    let good = Null::start()?;
    let window = good.load(&load(Expect::Null))?;
    hold("two hundred answers to two hundred calls", window.answers == 200)?;
    hold("CPU time of the server was seen", window.cost() > 0.5 && window.cost() < 5000.0)?;
    must_fail("a yes of the null server in place of one of credence", good.load(&load(Expect::Allow)))?;
    must_fail("a yes in place of a refusal", good.load(&load(Expect::Refuse("no_token"))))?;
    must_fail("a yes of another authorizer that hands no subject on", good.load(&load(Expect::OtherAllow)))?;
    must_fail("a yes in place of another authorizer's refusal", good.load(&load(Expect::OtherRefuse)))?;
    let replay = Null::replaying(&naming("build-1").encode_to_vec())?;
    let window = replay.load(&load(Expect::OtherAllow))?;
    hold("the answer given is the answer sent", window.sizes.0 == naming("build-1").encoded_len())?;
    let nameless = Null::replaying(&naming("").encode_to_vec())?;
    must_fail("a subject without a name", nameless.load(&load(Expect::OtherAllow)))?;
    for habit in [Habit::Deny, Habit::Bare, Habit::Uneven, Habit::Nothing] {
        let spoilt = Null::spoilt(habit, None)?;
        must_fail(&format!("{habit:?} in place of an empty yes"), spoilt.load(&load(Expect::Null)))?;
    }
    Ok(())
}

/// A yes that hands this subject on.
fn naming(subject: &str) -> CheckResponse {
    let header = HeaderValue { key: SUBJECT.into(), value: subject.into(), ..HeaderValue::default() };
    let option = HeaderValueOption { header: Some(header), ..HeaderValueOption::default() };
    let ok = OkHttpResponse { headers: vec![option], ..OkHttpResponse::default() };
    let http_response = Some(HttpResponse::OkResponse(ok));
    CheckResponse { status: Some(Status::default()), http_response, ..CheckResponse::default() }
}

/// Another process on the port is seen, whichever of the two is measured.
fn foreigners() -> Outcome {
    let one = Null::spoilt(Habit::Allow, Some(0))?;
    owner::only(one.pid(), one.address.port())?;
    let two = Null::spoilt(Habit::Allow, Some(one.address.port()))?;
    for pid in [one.pid(), two.pid()] {
        must_fail("a second server on the port", owner::only(pid, one.address.port()))?;
    }
    must_fail("a window beside a second server", one.load(&load(Expect::Null)))?;
    must_fail("a port where nobody listens", owner::only(one.pid(), 1))
}

fn must_fail<T>(what: &str, outcome: Outcome<T>) -> Outcome {
    if outcome.is_ok() { Err(format!("not noticed: {what}").into()) } else { Ok(()) }
}
