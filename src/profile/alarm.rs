//! Values that mean danger, in tokens that are otherwise what they should be.

use crate::claims::Glob;
use crate::json::Json;

/// A value of a claim, and what it means that a token has it.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    /// The claim: a name, or a JSON Pointer.
    pub claim: &'static str,
    /// Its values as text, booleans too; one that ends in `*` stands for all that begin so.
    pub values: &'static [&'static str],
    /// Whole values for those that end in `*`, as tokens have them.
    pub such_as: &'static [&'static str],
    /// What it means, as the end of a sentence that begins with the value.
    pub danger: &'static str,
    /// What to match instead, for a grant that lets such a value in.
    pub instead: &'static str,
}

/// A value of an alarm that a pattern admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted<'g> {
    /// The value; a pattern that admits nothing else stands for its own.
    pub value: &'g str,
    /// Whether the pattern admits no other values.
    pub always: bool,
}

impl Alarm {
    /// Whether this value of the claim is one of them.
    pub fn sounds(&self, value: &Json) -> bool {
        let text = match value {
            Json::String(text) => text,
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            _ => return false,
        };
        self.sounds_for(text)
    }

    /// As [`Alarm::sounds`], for a value as text.
    pub fn sounds_for(&self, text: &str) -> bool {
        self.values.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == *known,
        })
    }

    /// One of its values that a pattern admits.
    pub fn admitted_by<'g>(&'g self, glob: &'g Glob) -> Option<Admitted<'g>> {
        // What every match begins with.
        let start = glob.literal_start();
        if self.values.iter().any(|known| known.strip_suffix('*').is_some_and(|known| start.starts_with(known))) {
            return Some(Admitted { value: glob.as_str(), always: true });
        }
        let value = self.values.iter().chain(self.such_as).find(|value| glob.matches(value))?;
        Some(Admitted { value, always: false })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    #[test]
    fn an_alarm_sounds_for_its_values_alone() {
        let sounds = |profile: &str, claim: &str, value: Json| {
            let profile = Profile::find(profile).unwrap();
            profile.alarms.iter().any(|alarm| alarm.claim == claim && alarm.sounds(&value))
        };
        let text = |text: &'static str| Json::String(text.into());
        assert!(sounds("circleci", "oidc.circleci.com/ssh-rerun", Json::Bool(true)));
        assert!(!sounds("circleci", "oidc.circleci.com/ssh-rerun", Json::Bool(false)));
        for (event, danger) in [("pull_request", true), ("pull_request_target", true), ("push", false)] {
            assert_eq!(sounds("github-actions", "event_name", text(event)), danger, "{event}");
        }
        assert!(sounds("github-actions", "ref", text("refs/pull/3/merge")));
        assert!(!sounds("github-actions", "ref", text("refs/heads/main")));
        assert!(sounds("gitlab", "ref_protected", text("false")) && !sounds("gitlab", "ref_protected", text("true")));
    }

    #[test]
    fn a_pattern_that_admits_such_a_value_is_known() {
        let alarms = Profile::find("github-actions").unwrap().alarms;
        for (claim, pattern, always) in [
            ("ref", "refs/**", Some(false)),
            ("ref", "refs/pull/*/merge", Some(true)),
            ("ref", "refs/pull/**", Some(true)),
            ("ref", "refs/heads/**", None),
            ("ref", "refs/*", None),
            ("event_name", "pull_*", Some(false)),
            ("event_name", "workflow_*", Some(false)),
            ("event_name", "release-*", None),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            let found = alarms.iter().filter(|alarm| alarm.claim == claim).find_map(|alarm| alarm.admitted_by(&glob));
            assert_eq!(found.map(|found| found.always), always, "{claim} {pattern}");
        }
    }

    #[test]
    fn what_a_beginning_stands_for_is_written_out_too() {
        for alarm in Profile::ALL.iter().flat_map(|profile| profile.alarms) {
            for start in alarm.values.iter().filter_map(|value| value.strip_suffix('*')) {
                assert!(alarm.such_as.iter().any(|value| value.starts_with(start)), "{alarm:?}");
            }
            assert!(alarm.such_as.iter().all(|value| alarm.sounds_for(value)), "{alarm:?}");
        }
    }

    #[test]
    fn an_alarm_is_about_a_claim_that_such_tokens_have() {
        for profile in Profile::ALL {
            for alarm in profile.alarms {
                assert!(profile.claims.iter().any(|(claim, _)| *claim == alarm.claim), "{} {alarm:?}", profile.name);
            }
        }
    }
}
