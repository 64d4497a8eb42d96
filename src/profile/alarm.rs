//! Values that mean danger, in tokens that are otherwise what they should be.

use crate::json::Json;

/// A value of a claim, and what it means that a token has it.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    /// The claim: a name, or a JSON Pointer.
    pub claim: &'static str,
    /// Its values as text, booleans too; one that ends in `*` stands for all that begin so.
    pub values: &'static [&'static str],
    /// What it means, as the end of a sentence that begins with the value.
    pub danger: &'static str,
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
        self.values.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == *known,
        })
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
    fn an_alarm_is_about_a_claim_that_such_tokens_have() {
        for profile in Profile::ALL {
            for alarm in profile.alarms {
                assert!(profile.claims.iter().any(|(claim, _)| *claim == alarm.claim), "{} {alarm:?}", profile.name);
            }
        }
    }
}
