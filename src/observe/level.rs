//! What the program's own log tells, which can be changed while it runs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::reload::Handle;
use tracing_subscriber::{EnvFilter, Registry};

use crate::clock::Time;

/// The longest text that is taken, in bytes.
const MAX_TEXT: usize = 256;

/// Level or directives of the log, as they are and as they were at the start.
pub struct LogLevel {
    handle: Handle<EnvFilter, Registry>,
    start: String,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    level: Level,
    /// Counts the changes.
    turn: u64,
}

/// What the log tells, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Level or directives.
    pub text: String,
    /// When a change ends; `None` of the level of the start.
    pub until: Option<Time>,
}

/// One change: what [`LogLevel::end`] takes back, unless there was another one since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(u64);

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogLevel({:?})", self.now().text)
    }
}

impl LogLevel {
    /// Of a filter that was made of this text.
    pub fn new(handle: Handle<EnvFilter, Registry>, start: String) -> Self {
        let now = Mutex::new(Now { level: Level { text: start.clone(), until: None }, turn: 0 });
        Self { handle, start, now }
    }

    /// The filter for `error`, `warn`, `info`, `debug`, `trace`, `off`, or directives `TARGET=LEVEL`, separated by commas. A lone
    /// word that is no level would silence everything without a word, and is refused.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn filter(text: &str) -> Result<EnvFilter, String> {
        let is_level = |text: &str| matches!(text, "off" | "error" | "warn" | "info" | "debug" | "trace");
        let is_target = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
        };
        let is_directive = |text: &str| {
            is_level(text) || text.split_once('=').is_some_and(|(target, level)| is_target(target) && is_level(level))
        };
        if text.len() > MAX_TEXT {
            return Err(format!("more than {MAX_TEXT} bytes"));
        }
        if let Some(wrong) = text.split(',').find(|directive| !is_directive(directive)) {
            return Err(format!("{wrong:?} is neither error, warn, info, debug, trace or off, nor TARGET=LEVEL"));
        }
        EnvFilter::try_new(text).map_err(|error| error.to_string())
    }

    /// What it is now.
    pub fn now(&self) -> Level {
        self.lock().level.clone()
    }

    /// What it was at the start (`--log-level`).
    pub fn start(&self) -> &str {
        &self.start
    }

    /// Changes it, and has it told where it is heard: before, unless the log is silent now, so that nobody silences it unseen.
    /// When it ends is only told: [`LogLevel::end`] ends it.
    ///
    /// # Errors
    /// A sentence for people: nothing was changed.
    pub fn set(&self, text: &str, until: Time, tell: impl Fn()) -> Result<Turn, String> {
        let filter = Self::filter(text)?;
        let heard = tracing::enabled!(tracing::Level::WARN);
        if heard {
            tell();
        }
        let mut now = self.lock();
        self.handle.reload(filter).map_err(|error| error.to_string())?;
        *now = Now { level: Level { text: text.to_owned(), until: Some(until) }, turn: now.turn + 1 };
        let turn = Turn(now.turn);
        drop(now);
        if !heard {
            tell();
        }
        Ok(turn)
    }

    /// Ends a change: the log tells what it told at the start. Says whether it did, which it does not after another change.
    pub fn end(&self, turn: Turn) -> bool {
        let mut now = self.lock();
        let Ok(filter) = Self::filter(&self.start) else { return false };
        if now.turn != turn.0 || self.handle.reload(filter).is_err() {
            return false;
        }
        *now = Now { level: Level { text: self.start.clone(), until: None }, turn: now.turn + 1 };
        true
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused_and_not_taken_for_a_target() {
        for good in ["info", "debug", "warn,credence=debug", "off", "credence::fetch=trace"] {
            assert!(LogLevel::filter(good).is_ok(), "{good}");
        }
        let long = "info,".repeat(60) + "info";
        for bad in
            ["verbose", "INFO", "", "credence", "info,loud", "info\n", "=debug", "a[b{c=d}]=debug", "a-b=info", &long]
        {
            assert!(LogLevel::filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_ends_but_not_when_there_was_another_one() {
        // The handle is good for as long as the layer is there.
        let (_layer, handle) = tracing_subscriber::reload::Layer::new(LogLevel::filter("info").unwrap());
        let level = LogLevel::new(handle, "info".into());
        let until = |seconds: i32| Time::from_seconds(seconds.into());
        let is = |text: &str, until: Option<Time>| level.now() == Level { text: text.to_owned(), until };
        assert!(is("info", None));
        let first = level.set("debug", until(1), || ()).unwrap();
        let second = level.set("trace", until(2), || ()).unwrap();
        assert!(!level.end(first) && is("trace", Some(until(2))));
        assert!(
            level.set("loud", until(3), || ()).is_err() && is("trace", Some(until(2))),
            "a bad one changes nothing"
        );
        assert!(level.end(second) && is("info", None) && level.start() == "info");
        assert!(!level.end(second));
    }
}
