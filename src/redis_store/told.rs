//! What was told of a store: each thing once, and of many parts as of one.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::session::Session;
use super::trouble::Trouble;
use super::{StoreState, Time};

/// How the store is, as far as it was told.
#[derive(Debug)]
pub(super) struct Told {
    parts: Vec<OfPart>,
    /// What is to be said once all parts answer.
    pending: Option<News>,
    /// When it was last told that some begin anew: a node has several parts, which notice one after the other.
    anew: Option<Instant>,
    warning: Option<String>,
}

/// So long nothing more is said of parts that begin anew.
const SETTLING: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Default)]
struct OfPart {
    trouble: Option<Trouble>,
    /// Since when uses were known by the last session.
    since: Option<f64>,
}

/// In the order of their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    First,
    Again,
    Anew,
}

impl Told {
    pub(super) fn of(parts: usize) -> Self {
        Self { parts: vec![OfPart::default(); parts], pending: None, anew: None, warning: None }
    }

    /// There is a session for this part; what that changes is told when none is missing.
    pub(super) fn begin(&mut self, part: usize, session: &Session) {
        let Some(own) = self.parts.get_mut(part) else { return };
        let news = match (own.since, own.trouble.take()) {
            (Some(before), _) if before < session.since => Some(News::Anew),
            (None, _) => Some(News::First),
            (Some(_), Some(_)) => Some(News::Again),
            (Some(_), None) => None,
        };
        own.since = Some(session.since);
        self.pending = self.pending.max(news);
        if self.warning != session.warning {
            if let Some(warning) = &session.warning {
                tracing::warn!("the replay store {warning}");
            }
            self.warning.clone_from(&session.warning);
        }
        if self.parts.iter().all(|part| part.since.is_some() && part.trouble.is_none()) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Some(since) = self.since() else { return };
        match self.pending.take() {
            Some(News::Anew) => {
                let one = self.parts.len() == 1;
                if one || self.anew.is_none_or(|before| before.elapsed() >= SETTLING) {
                    let share = self.share();
                    tracing::warn!(
                        %since,
                        "the replay store was flushed, restarted, failed over or has evicted keys: grants with `replay: once` \
                         take no token that was issued before{share}"
                    );
                }
                self.anew = Some(Instant::now());
            }
            Some(News::First) => tracing::info!(%since, "the replay store answers, and knows every use since"),
            Some(News::Again) => tracing::info!(%since, "the replay store answers again"),
            None => {}
        }
    }

    /// There is none; told once for each kind of trouble.
    pub(super) fn end(&mut self, part: usize, trouble: Trouble) {
        let known =
            self.parts.iter().filter_map(|part| part.trouble.as_ref()).any(|before| before.kind == trouble.kind);
        if !known {
            let share = self.share();
            tracing::error!(
                "the replay store {}: grants with `replay: once` refuse (replay_unavailable) until it is well{share}; it is \
                 tried every second",
                trouble.text
            );
        }
        if let Some(own) = self.parts.get_mut(part) {
            own.trouble = Some(trouble);
        }
    }

    /// For a reader; `up`: whether no part is missing.
    pub(super) fn state(&self, up: bool) -> StoreState {
        let trouble = self.parts.iter().find_map(|part| part.trouble.as_ref());
        let mut text = trouble.filter(|_| !up).map(|trouble| trouble.text.clone());
        if let (Some(text), true) = (&mut text, self.parts.len() > 1) {
            let down = self.parts.iter().filter(|part| part.trouble.is_some()).count();
            // Writing to a String cannot fail.
            let _ = write!(text, " ({down} of {} parts refuse)", self.parts.len());
        }
        StoreState { up, trouble: text, warning: self.warning.clone(), since: self.since() }
    }

    /// Since when all parts know every use.
    fn since(&self) -> Option<Time> {
        self.parts.iter().filter_map(|part| part.since).reduce(f64::max).map(Time::from_seconds)
    }

    /// What the operator of a cluster should know besides.
    fn share(&self) -> String {
        match self.parts.len() {
            1 => String::new(),
            parts => format!(", of those that fall to the node in question (one or more of {parts} parts)"),
        }
    }
}
