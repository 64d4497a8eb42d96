//! One walk a call, and what is left of it: the answer, its line, its counts and its span.

use super::House;
use crate::answer::{self, Occasion};
use crate::block::{Blocks, InForce};
use crate::clock::Time;
use crate::keys::{Landing, Signed};
use crate::name::KeyId;
use crate::observe::{Call, DecisionId, Made, Table, WhenFull, line};
use crate::path::{Facts, Outcome, Rules, Walk, walk};
use crate::reason::Reason;
use crate::replay::{Answered, Claim};
use crate::request::AuthzRequest;
use crate::spans::Decision;
use crate::table::Published;
use crate::trace_context::TraceContext;
use crate::trail::Strict;
use crate::wire::{Arrival, Bench, Judge, Look, Reply};

impl House {
    /// The walk of one call, and what a store must be asked before it can end well; a log that cannot be written overrides it where the
    /// operator says so.
    fn walk<'s>(
        &self,
        published: Option<&'s Published>,
        blocks: Option<&'s InForce>,
        call: Result<&AuthzRequest<'_>, Reason>,
        answered: Option<Answered>,
        now: Time,
    ) -> (Walk<'s, Signed>, Option<Claim>) {
        let unwritten = self.when_full == WhenFull::Deny && self.log.is_failing();
        let mut asked = None;
        let finished = match (published, call) {
            (_, Err(Reason::Internal)) => refused(Reason::Internal),
            (None, _) => refused(Reason::NotReady),
            (Some(_), Err(reason)) => refused(reason),
            (Some(published), Ok(request)) => {
                let mut trail = Strict::with(&self.memory).counted(&self.floodgate, request.source_address, now);
                // What cannot be written down is refused below, or when its line is not taken; and no refusal spends a token.
                if self.when_full == WhenFull::Drop || !unwritten && self.log.has_room() {
                    trail = self.spent.open_to(trail, answered);
                }
                let blocks = blocks.map_or(Blocks::none(), |in_force| &in_force.blocks);
                let rules = Rules { table: &published.snapshot, blocks };
                let finished = walk(rules, request, now, &mut trail);
                asked = trail.asked();
                finished
            }
        };
        if unwritten {
            return (Walk { outcome: Outcome::Refused(Reason::LogUnavailable), ..finished }, None);
        }
        (finished, asked)
    }

    fn answer(&self, walk: &Walk<'_, Signed>, request: Option<&AuthzRequest<'_>>, occasion: Occasion<'_>) -> Reply {
        Reply::of(&match (&walk.outcome, request) {
            (Outcome::Allowed(permit), Some(request)) => answer::allow(permit, request, occasion),
            (Outcome::Open(opened), Some(request)) => answer::open(*opened, request, occasion),
            (Outcome::Observed(observed), Some(request)) => answer::observe(*observed, request, occasion),
            (Outcome::Refused(reason), request) => answer::refuse(*reason, &walk.facts, request, occasion),
            // A yes without a question cannot come about; if it did, it would be a fault of ours.
            (Outcome::Allowed(_) | Outcome::Open(_) | Outcome::Observed(_), None) => {
                answer::refuse(Reason::Internal, &walk.facts, None, occasion)
            }
        })
    }
}

fn refused<'s>(reason: Reason) -> Walk<'s, Signed> {
    Walk { outcome: Outcome::Refused(reason), facts: Facts::default() }
}

/// What a caller may wait for: keys that its token names, or that are on their way for the first time.
fn awaited(walk: &Walk<'_, Signed>) -> Option<Landing> {
    // A key that did not verify may have the name of a new key of a namesake.
    const CURABLE: [Reason; 3] = [Reason::KeyUnknown, Reason::KeysUnavailable, Reason::SignatureInvalid];
    let reason = walk.outcome.refusal()?;
    if !CURABLE.contains(&reason) {
        return None;
    }
    let kid = walk.facts.key_id.as_ref().map(KeyId::as_str);
    let mut landings: Vec<_> = walk.facts.candidates.iter().filter_map(|issuer| issuer.keys.more(kid)).collect();
    match landings.len() {
        0 | 1 => landings.pop(),
        _ => Some(Box::pin(async {
            for landing in landings {
                landing.await;
            }
        })),
    }
}

/// What a call waited for.
#[derive(Debug, Default)]
pub struct Brought {
    /// Keys: they are waited for once.
    keys: bool,
    /// What the shared store says of its token.
    answered: Option<Answered>,
}

impl Judge for House {
    type Brought = Brought;

    fn look(&self, call: &AuthzRequest<'_>, brought: Brought, arrival: &Arrival) -> Look<Brought> {
        let (published, blocks) = (self.live.load(), self.blocks.load());
        let now = self.clock.now();
        let (walk, asked) = self.walk(published.as_deref(), blocks.as_deref(), Ok(call), brought.answered, now);
        if let Some(answering) = asked.and_then(|claim| self.spent.ask(claim)) {
            let what = async move { Brought { keys: true, answered: Some(answering.await) } };
            return Look::Wait(Bench::Store, Box::pin(what));
        }
        match awaited(&walk).filter(|_| !brought.keys) {
            Some(landing) => Look::Wait(
                Bench::Keys,
                Box::pin(async move {
                    landing.await;
                    Brought { keys: true, answered: None }
                }),
            ),
            None => Look::Answer(self.conclude(published.as_deref(), walk, Some(call), (arrival, now))),
        }
    }

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, brought: Brought, arrival: &Arrival) -> Reply {
        let (published, blocks) = (self.live.load(), self.blocks.load());
        let now = self.clock.now();
        let (walk, _) = self.walk(published.as_deref(), blocks.as_deref(), call, brought.answered, now);
        self.conclude(published.as_deref(), walk, call.ok(), (arrival, now))
    }
}

impl House {
    /// Answers a finished walk, writes it down and counts it.
    fn conclude(
        &self,
        published: Option<&Published>,
        mut walk: Walk<'_, Signed>,
        request: Option<&AuthzRequest<'_>>,
        (arrival, time): (&Arrival, Time),
    ) -> Reply {
        let decision_id = DecisionId::new(time);
        let by_client = arrival.trace.is_none().then(|| request.and_then(client_trace)).flatten();
        let caller = arrival.trace.as_ref().or(by_client.as_ref());
        let begun = self.spans.as_ref().and_then(|spans| spans.begin(caller));
        let recorded = begun.as_ref().map(|begun| (begun.trace_id, begun.span_id));
        let occasion = Occasion {
            decision_id: decision_id.as_str(),
            table: published.map(|published| (published.generation, published.snapshot.digest.as_str())),
            forwardable: published.map_or(&[], |published| &published.snapshot.forwardable),
            style: self.style,
        };

        if let (Some(Reason::KeyUnknown), [_, _, ..]) = (walk.outcome.refusal(), walk.facts.candidates.as_slice()) {
            self.suspicion.notify_one();
        }
        let mut response = self.answer(&walk, request, occasion);
        let duration = arrival.at.elapsed();
        let call = Call {
            time,
            decision_id: decision_id.as_str(),
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            status: status(&walk, request),
            request,
            table: occasion.table.map(|(generation, sha256)| Table { generation, sha256 }),
            span: recorded.or_else(|| caller.map(|caller| (caller.trace_id, caller.span_id))),
        };
        // The line is taken only when the answer stands; where it cannot be, the answer may have to fall.
        if self.log.take(|to| line(to, &walk, call)).is_err() && self.when_full == WhenFull::Deny {
            walk.outcome = Outcome::Refused(Reason::LogUnavailable);
            response = self.answer(&walk, request, occasion);
        }
        if let (Some(spans), Some(begun)) = (&self.spans, begun) {
            let decision = Decision {
                time: self.clock.now(),
                duration_us: u64::try_from(arrival.at.elapsed().as_micros()).unwrap_or(u64::MAX),
                decision_id: decision_id.as_str(),
                status: status(&walk, request),
                table: occasion.table,
            };
            spans.end(begun, &walk, decision);
        }
        let made = Made { id: decision_id, at: time, took: duration, span: recorded };
        self.metrics.decided(published.map(|published| published.generation), &walk, &made);
        response
    }
}

/// The HTTP status of the answer to a request like this.
fn status(walk: &Walk<'_, Signed>, request: Option<&AuthzRequest<'_>>) -> u16 {
    match walk.outcome {
        Outcome::Refused(reason) => reason.class().http_status(request.is_some_and(AuthzRequest::is_grpc)),
        Outcome::Allowed(_) | Outcome::Open(_) | Outcome::Observed(_) => 200,
    }
}

/// The span that the client says it made its request in.
fn client_trace(request: &AuthzRequest<'_>) -> Option<TraceContext> {
    TraceContext::of(request.headers.all("traceparent"), request.headers.all("tracestate"))
}
