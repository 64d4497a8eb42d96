//! The judge behind the door: one walk a call, and what is left of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use super::Settings;
use crate::admin::{IssuerState, Readiness, Status, TableState};
use crate::answer::{self, Occasion, Style};
use crate::clock::{Clock, Time};
use crate::keys::{Landing, Signed};
use crate::observe::{Call, DecisionLog, FetchTimes, Metrics, ReloadKind, Table, WhenFull, line};
use crate::path::{Facts, Outcome, Walk, walk};
use crate::proto::envoy::service::auth::v3::CheckResponse;
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::table::{Live, Published, Snapshot};
use crate::trail::Strict;
use crate::wire::{Judge, Look};

/// What every call shares.
#[derive(Debug)]
pub struct House {
    live: Live<Published>,
    clock: Clock,
    style: Style,
    log: DecisionLog,
    when_full: WhenFull,
    metrics: Metrics,
    reload_error: Mutex<Option<String>>,
}

impl House {
    pub(super) fn new(settings: &Settings, log: DecisionLog) -> Self {
        Self {
            live: Live::empty(),
            clock: settings.clock.clone(),
            style: settings.style,
            log,
            when_full: settings.when_full,
            metrics: Metrics::default(),
            reload_error: Mutex::new(None),
        }
    }

    /// Puts a table in force.
    pub(super) fn publish(&self, snapshot: Snapshot) -> u64 {
        let since = self.clock.now();
        let generation = self.live.publish(|generation| Published { generation, since, snapshot });
        if let Some(published) = self.live.load() {
            self.metrics.published(&published);
        }
        *self.reload_error() = None;
        generation
    }

    /// A new table was not taken; the old one goes on.
    pub(super) fn keep_old(&self, error: String) {
        self.metrics.reloaded(ReloadKind::Table, None);
        *self.reload_error() = Some(error);
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

    fn reload_error(&self) -> MutexGuard<'_, Option<String>> {
        self.reload_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The walk of one call; a log that cannot be written overrides it where the operator says so.
    fn walk<'s>(
        &self,
        published: Option<&'s Published>,
        call: Result<&AuthzRequest<'_>, Reason>,
        now: Time,
    ) -> Walk<'s, Signed> {
        let finished = match (published, call) {
            (_, Err(Reason::Internal)) => refused(Reason::Internal),
            (None, _) => refused(Reason::NotReady),
            (Some(_), Err(reason)) => refused(reason),
            (Some(published), Ok(request)) => walk(&published.snapshot, request, now, &mut Strict),
        };
        if self.when_full == WhenFull::Deny && self.log.is_failing() {
            return Walk { outcome: Outcome::Refused(Reason::LogUnavailable), ..finished };
        }
        finished
    }

    fn answer(
        &self,
        walk: &Walk<'_, Signed>,
        request: Option<&AuthzRequest<'_>>,
        occasion: Occasion<'_>,
    ) -> CheckResponse {
        match (&walk.outcome, request) {
            (Outcome::Allowed(permit), Some(request)) => answer::allow(permit, request, occasion),
            (Outcome::Open(opened), Some(request)) => answer::open(*opened, request, occasion),
            (Outcome::Refused(reason), request) => answer::refuse(*reason, &walk.facts, request, occasion),
            // A yes without a question cannot come about; if it did, it would be a fault of ours.
            (Outcome::Allowed(_) | Outcome::Open(_), None) => {
                answer::refuse(Reason::Internal, &walk.facts, None, occasion)
            }
        }
    }
}

fn refused<'s>(reason: Reason) -> Walk<'s, Signed> {
    Walk { outcome: Outcome::Refused(reason), facts: Facts::default() }
}

/// What a caller may wait for: keys that its token names, or that are on their way for the first time.
fn awaited(walk: &Walk<'_, Signed>) -> Option<Landing> {
    let Outcome::Refused(Reason::KeyUnknown | Reason::KeysUnavailable) = walk.outcome else { return None };
    let (issuer, claimed) = (walk.facts.issuer?, walk.facts.claimed.as_ref()?);
    issuer.keys.more(claimed.kid.as_deref())
}

impl Judge for House {
    fn look(&self, call: &AuthzRequest<'_>, arrival: Instant) -> Look {
        let published = self.live.load();
        let walk = self.walk(published.as_deref(), Ok(call), self.clock.now());
        match awaited(&walk) {
            Some(landing) => Look::Wait(landing),
            None => Look::Answer(self.conclude(published.as_deref(), walk, Some(call), arrival)),
        }
    }

    fn judge(&self, call: Result<&AuthzRequest<'_>, Reason>, arrival: Instant) -> CheckResponse {
        let published = self.live.load();
        let walk = self.walk(published.as_deref(), call, self.clock.now());
        self.conclude(published.as_deref(), walk, call.ok(), arrival)
    }
}

impl House {
    /// Answers a finished walk, writes it down and counts it.
    fn conclude(
        &self,
        published: Option<&Published>,
        mut walk: Walk<'_, Signed>,
        request: Option<&AuthzRequest<'_>>,
        arrival: Instant,
    ) -> CheckResponse {
        let decision_id = Uuid::now_v7().hyphenated().to_string();
        let occasion = Occasion {
            decision_id: &decision_id,
            table: published.map(|published| (published.generation, published.snapshot.digest.as_str())),
            forwardable: published.map_or(&[], |published| &published.snapshot.forwardable),
            style: self.style,
        };

        let mut response = self.answer(&walk, request, occasion);
        let duration = arrival.elapsed();
        let record = line(
            &walk,
            Call {
                time: self.clock.now(),
                decision_id: &decision_id,
                duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                status: match walk.outcome {
                    Outcome::Refused(reason) => reason.class().http_status(request.is_some_and(AuthzRequest::is_grpc)),
                    Outcome::Allowed(_) | Outcome::Open(_) => 200,
                },
                request,
                table: occasion.table.map(|(generation, sha256)| Table { generation, sha256 }),
            },
        );
        // The line is taken only when the answer stands; where it cannot be, the answer may have to fall.
        if self.log.take(record).is_err() && self.when_full == WhenFull::Deny {
            walk.outcome = Outcome::Refused(Reason::LogUnavailable);
            response = self.answer(&walk, request, occasion);
        }
        self.metrics.decided(&walk, duration);
        response
    }
}

impl Status for House {
    fn readiness(&self) -> Readiness {
        let now = self.clock.now();
        let published = self.live.load();
        let table = published.as_ref().map(|published| TableState {
            generation: published.generation,
            sha256: published.snapshot.digest.clone(),
            loaded_at: published.since.to_rfc3339(),
        });
        let mut issuers: Vec<_> = published
            .iter()
            .flat_map(|published| published.snapshot.issuers.iter())
            .map(|issuer| {
                let status = issuer.keys.status();
                IssuerState {
                    name: issuer.name.to_string(),
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
        issuers.sort_by(|one, two| one.name.cmp(&two.name));
        Readiness { ready: table.is_some(), table, last_reload_error: self.reload_error().clone(), issuers }
    }

    fn metrics(&self) -> String {
        let published = self.live.load();
        self.metrics.expose(published.as_deref().map(|published| &published.snapshot), self.log.dropped())
    }
}
