//! The judge behind the door: one walk a call, and what is left of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Settings;
use super::standing::Standing;
use super::till::Till;
use crate::admin::{IssuerState, Readiness, ReplayStoreState, Status, TableState};
use crate::answer::{self, Occasion, Style};
use crate::block::{Blocks, InForce};
use crate::clock::{Clock, Time};
use crate::flood::Floodgate;
use crate::grpc::Validity;
use crate::keys::{Landing, Signed};
use crate::memory::Memory;
use crate::name::KeyId;
use crate::observe::{
    Call, Counts, DecisionId, DecisionLog, FetchTimes, Format, LogLevel, Made, Metrics, ReloadKind, Table, WhenFull,
    line,
};
use crate::path::{Facts, Outcome, Rules, Walk, walk};
use crate::reason::Reason;
use crate::replay::{Answered, Claim};
use crate::request::AuthzRequest;
use crate::spans::{Decision, Spans};
use crate::table::{Live, Published, Report, Snapshot};
use crate::trace_context::TraceContext;
use crate::trail::Strict;
use crate::wire::{Arrival, Bench, Judge, Look, Reply};

/// What every call shares.
#[derive(Debug)]
pub struct House {
    live: Live<Published>,
    blocks: Standing,
    clock: Clock,
    style: Style,
    log: DecisionLog,
    when_full: WhenFull,
    metrics: Metrics,
    spans: Option<Spans>,
    log_level: Option<Arc<LogLevel>>,
    memory: Memory,
    floodgate: Floodgate,
    /// Kept over every reload.
    spent: Till,
    reload_error: Mutex<Option<String>>,
    /// Whether every `required` issuer has had keys once. It stays so: were keys that are lost later to end the
    /// readiness, one issuer's trouble would take every gateway away from all the others.
    settled: AtomicBool,
    /// What was told of keys that several issuers publish, so that the same is told once.
    told: Mutex<Vec<String>>,
    /// A call found the keys of namesakes worth comparing.
    suspicion: Arc<Notify>,
}

impl House {
    pub(super) fn new(
        settings: &Settings,
        log: DecisionLog,
        metrics: Metrics,
        spans: Option<Spans>,
        spent: Till,
    ) -> Self {
        Self {
            live: Live::empty(),
            blocks: Standing::default(),
            clock: settings.clock.clone(),
            style: settings.style,
            log,
            when_full: settings.when_full,
            metrics,
            spans,
            log_level: settings.log_level.clone(),
            memory: Memory::new(settings.token_memory),
            floodgate: Floodgate::new(settings.max_bad_signatures),
            spent,
            reload_error: Mutex::new(None),
            settled: AtomicBool::new(false),
            told: Mutex::default(),
            suspicion: Arc::default(),
        }
    }

    /// Puts a table in force. What was in force comes back: calls in hand may still hold it, and the last to let go of a
    /// large table pays for it.
    pub(super) fn publish(&self, snapshot: Snapshot, findings: &Report) -> (u64, Option<Arc<Published>>) {
        let since = self.clock.now();
        let before = self.live.load();
        self.spent.share_among(snapshot.grants.issuers_with_single_use(), since);
        let generation = self.live.publish(|generation| Published { generation, since, snapshot });
        *self.reload_error() = None;
        if let Some(published) = self.live.load() {
            self.metrics.published(&published, findings);
        }
        (generation, before)
    }

    /// Puts blocks in force; what was in force comes back.
    pub(super) fn publish_blocks(&self, blocks: Blocks) -> (u64, Option<Arc<InForce>>) {
        let since = self.clock.now();
        self.metrics.blocked(blocks.len(), since);
        self.blocks.publish(blocks, since)
    }

    /// New blocks were not taken; the old ones go on.
    pub(super) fn keep_old_blocks(&self, error: String) {
        self.metrics.reloaded(ReloadKind::Blocks, None);
        self.blocks.keep(error);
    }

    /// The blocks in force, if any were ever named.
    pub(super) fn blocks(&self) -> Option<Arc<InForce>> {
        self.blocks.load()
    }

    /// Tells of blocks that stop nobody by the table in force, once there is one.
    pub(super) fn tell_idle_blocks(&self) {
        if let Some(published) = self.live.load() {
            self.blocks.tell_idle(&published.snapshot);
        }
    }

    /// A new table was not taken; the old one goes on.
    pub(super) fn keep_old(&self, error: String) {
        self.metrics.reloaded(ReloadKind::Table, None);
        *self.reload_error() = Some(error);
    }

    /// The listener shows this certificate from now on.
    pub(super) fn took_certificate(&self, validity: &Validity) {
        self.metrics.certificate(validity.not_after);
        self.metrics.reloaded(ReloadKind::Tls, Some(self.now()));
    }

    /// New TLS files were not taken; the old ones go on.
    pub(super) fn kept_certificate(&self) {
        self.metrics.reloaded(ReloadKind::Tls, None);
    }

    pub(super) fn in_force(&self) -> Option<(u64, Time)> {
        self.live.load().map(|published| (published.generation, published.since))
    }

    pub(super) fn fetch_times(&self) -> FetchTimes {
        self.metrics.fetch_times()
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Names of the `required` issuers that readiness still waits for.
    fn awaited_issuers(&self, published: Option<&Published>) -> Vec<String> {
        let Some(published) = published.filter(|_| !self.settled.load(Ordering::Relaxed)) else { return Vec::new() };
        // Of one that has ended no token counts, whatever keys it has: nothing is to be waited for.
        let now = self.now();
        let in_force = published.snapshot.issuers.iter().filter(|issuer| issuer.expires.is_none_or(|end| now < end));
        let required = in_force.filter(|issuer| issuer.required);
        let mut names: Vec<_> =
            required.filter(|issuer| !issuer.keys.is_ready()).map(|issuer| issuer.name.to_string()).collect();
        names.dedup();
        self.settled.store(names.is_empty(), Ordering::Relaxed);
        names
    }

    /// Whether calls can be decided, and every `required` issuer has had keys.
    pub(super) fn is_ready(&self) -> bool {
        let published = self.live.load();
        published.is_some() && self.awaited_issuers(published.as_deref()).is_empty()
    }

    /// Told when a call has made it worth while to compare the keys of namesakes.
    pub(super) fn suspicion(&self) -> Arc<Notify> {
        Arc::clone(&self.suspicion)
    }

    /// Keys that several issuers publish; what is new of it is told in the log. Takes a while: not for a call.
    pub(super) fn compare_keys(&self) -> Vec<String> {
        let published = self.live.load();
        published.as_deref().map_or_else(Vec::new, |published| self.shared_keys(published))
    }

    fn shared_keys(&self, published: &Published) -> Vec<String> {
        let now = published.snapshot.issuers.shared_keys();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for sentence in now.iter().filter(|sentence| !told.contains(sentence)) {
            tracing::error!(
                "{sentence}: give each cluster a signing key of its own, or pin each one's keys (pin.keys)"
            );
        }
        told.clone_from(&now);
        now
    }

    fn reload_error(&self) -> MutexGuard<'_, Option<String>> {
        self.reload_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
            status: match walk.outcome {
                Outcome::Refused(reason) => reason.class().http_status(request.is_some_and(AuthzRequest::is_grpc)),
                Outcome::Allowed(_) | Outcome::Open(_) | Outcome::Observed(_) => 200,
            },
            request,
            table: occasion.table.map(|(generation, sha256)| Table { generation, sha256 }),
            span: match (&begun, caller) {
                (Some(begun), _) => Some((begun.trace_id, begun.span_id)),
                (None, Some(caller)) => Some((caller.trace_id, caller.span_id)),
                (None, None) => None,
            },
        };
        let mut status = call.status;
        // The line is taken only when the answer stands; where it cannot be, the answer may have to fall.
        if self.log.take(|to| line(to, &walk, call)).is_err() && self.when_full == WhenFull::Deny {
            walk.outcome = Outcome::Refused(Reason::LogUnavailable);
            status = Reason::LogUnavailable.class().http_status(false);
            response = self.answer(&walk, request, occasion);
        }
        if let (Some(spans), Some(begun)) = (&self.spans, begun) {
            let decision = Decision {
                time: self.clock.now(),
                duration_us: u64::try_from(arrival.at.elapsed().as_micros()).unwrap_or(u64::MAX),
                decision_id: decision_id.as_str(),
                status,
                table: occasion.table,
            };
            spans.end(begun, &walk, decision);
        }
        let made = Made { id: decision_id, at: time, took: duration };
        self.metrics.decided(published.map(|published| published.generation), &walk, &made);
        response
    }
}

impl House {
    /// Sends the spans that wait, until `deadline`.
    pub(super) async fn flush_spans(&self, deadline: Instant) {
        if let Some(spans) = &self.spans {
            spans.flush(deadline).await;
        }
    }
}

/// The span that the client says it made its request in.
fn client_trace(request: &AuthzRequest<'_>) -> Option<TraceContext> {
    TraceContext::of(request.headers.all("traceparent"), request.headers.all("tracestate"))
}

impl Status for House {
    fn log_level(&self) -> Option<&Arc<LogLevel>> {
        self.log_level.as_ref()
    }

    fn readiness(&self) -> Readiness {
        let now = self.clock.now();
        let published = self.live.load();
        let table = published.as_ref().map(|published| TableState {
            generation: published.generation,
            sha256: published.snapshot.digest.clone(),
            loaded_at: published.since.to_rfc3339(),
        });
        let (blocks, last_blocks_error) = self.blocks.state();
        let mut issuers: Vec<_> = published
            .iter()
            .flat_map(|published| published.snapshot.issuers.iter())
            .map(|issuer| {
                let status = issuer.keys.status();
                IssuerState {
                    name: issuer.name.to_string(),
                    iss: issuer.issuer.to_string(),
                    realm: issuer.realm.as_ref().map(ToString::to_string),
                    required: issuer.required,
                    keys: status.usable,
                    ignored: status.ignored,
                    not_pinned: status.not_pinned,
                    fetched_at: status.last_success.map(Time::to_rfc3339),
                    age_seconds: status.last_success.map(|fetched| now.since(fetched).max(0.0).floor()),
                    last_error: status.last_error,
                    next_refresh: status.next_refresh.map(Time::to_rfc3339),
                }
            })
            .collect();
        issuers.sort_by(|one, two| (&one.name, &one.iss).cmp(&(&two.name, &two.iss)));
        let awaited = self.awaited_issuers(published.as_deref());
        let ready = table.is_some() && awaited.is_empty();
        let shared_keys = published.as_deref().map_or_else(Vec::new, |published| self.shared_keys(published));
        let replay_store = self.spent.state().map(|state| ReplayStoreState {
            up: state.up,
            trouble: state.trouble,
            warning: state.warning,
            since: state.since.map(Time::to_rfc3339),
        });
        Readiness {
            ready,
            awaited,
            shared_keys,
            table,
            last_reload_error: self.reload_error().clone(),
            blocks,
            last_blocks_error,
            replay_store,
            issuers,
        }
    }

    fn metrics(&self, format: Format) -> Vec<u8> {
        let published = self.live.load();
        let counts = Counts {
            dropped: self.log.dropped(),
            spent: self.spent.entries(self.clock.now()),
            store_up: self.spent.state().map(|state| state.up),
        };
        self.metrics.expose(published.as_deref().map(|published| &published.snapshot), counts, format)
    }
}
