//! One expected relation, line by line: what the table asks for, what the token and the request have, and the verdict.

use serde_json::{Value, json};

use super::explain_story::Story;
use crate::claims::ClaimRule;
use crate::clock::Time;
use crate::decide::{AudienceFrom, Failed, Grant, NearMiss};
use crate::name::Site;
use crate::reason::Reason;
use crate::table::{Sources, written};

/// One condition.
pub(super) struct Line {
    /// Its name, for people.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) given: String,
    pub(super) holds: bool,
    pub(super) site: Option<String>,
}

/// Where the conditions of a grant are written.
pub(super) struct Sites<'a>(pub(super) Option<&'a Sources>);

impl Sites<'_> {
    fn of(&self, grant: &Grant, field: &str) -> Option<String> {
        Some(written(self.0?, &["grants", grant.name.as_str(), field])?.site().to_string())
    }

    fn of_resource(&self, resource: &str, field: &str) -> Option<String> {
        Some(written(self.0?, &["resources", resource, field])?.site().to_string())
    }
}

impl Line {
    fn of_rule(story: &Story<'_>, rule: &ClaimRule, holds: bool) -> Self {
        Self {
            what: format!("claim {}", rule.key),
            expected: rule.matcher.to_string(),
            given: story.claim_at(&rule.key),
            holds,
            site: Some(rule.site.to_string()),
        }
    }

    /// The conditions on every token of the issuer that vouched.
    pub(super) fn pins(story: &Story<'_>) -> Vec<Self> {
        let Some(issuer) = story.walk.facts.vouching_issuer() else { return Vec::new() };
        let holds = |rule: &ClaimRule| story.payload.is_some_and(|payload| rule.matcher.holds(rule.key.find(payload)));
        issuer
            .pins
            .iter()
            .map(|rule| {
                let line = Self::of_rule(story, rule, holds(rule));
                Self { what: format!("pin {}", rule.key), ..line }
            })
            .collect()
    }

    /// Every condition of a grant that came near, in the order of its fields.
    pub(super) fn all(story: &Story<'_>, miss: &NearMiss<'_>, sites: &Sites<'_>) -> Vec<Self> {
        let grant = miss.grant;
        let failed = |test: &dyn Fn(&Failed<'_>) -> bool| miss.failed.iter().any(test);
        let site = |field: &str| sites.of(grant, field);
        let resource = story.walk.facts.resource.map_or("", |resource| resource.name.as_str());
        let mut lines = Vec::new();
        let mut line = |what: &str, expected: String, given: String, fails: bool, site: Option<String>| {
            lines.push(Self { what: what.to_owned(), expected, given, holds: !fails, site });
        };
        let (claim, among) = match grant.audience_from {
            AudienceFrom::Audience => ("aud", " among aud"),
            AudienceFrom::ClientId => ("client_id", " as client_id"),
        };
        line(
            "audience",
            format!("{:?}{among}", grant.audience.as_str()),
            story.claim(claim),
            failed(&|failed| matches!(failed, Failed::Audience)),
            site("audience").or_else(|| sites.of_resource(resource, "audience")),
        );
        if let Some(subject) = &grant.subject {
            let fails = failed(&|failed| matches!(failed, Failed::Subject));
            line("subject", subject.to_string(), story.claim("sub"), fails, site("subject"));
        }
        for rule in &grant.claims {
            let fails = failed(&|failed| matches!(failed, Failed::Claim(other) if other.key == rule.key));
            let told = Self::of_rule(story, rule, !fails);
            line(&told.what, told.expected, told.given, fails, told.site);
        }
        let fails = failed(&|failed| matches!(failed, Failed::Actor));
        match &grant.actor {
            Some(actor) => line("actor", actor.to_string(), story.claim("act"), fails, site("actor")),
            None if fails => line("actor", "absent".to_owned(), story.claim("act"), true, None),
            None => {}
        }
        let fails = failed(&|failed| matches!(failed, Failed::Method));
        line("methods", grant.methods.to_string(), story.method.to_owned(), fails, site("methods"));
        let paths = grant.paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let fails = failed(&|failed| matches!(failed, Failed::Path));
        line("paths", paths, story.path.to_owned(), fails, site("paths"));
        if failed(&|failed| matches!(failed, Failed::Starts)) {
            line("starts", format!("from {}", date(grant.times.starts)), "before".to_owned(), true, site("starts"));
        }
        if failed(&|failed| matches!(failed, Failed::Expires)) {
            let ended = grant.times.expires.or_else(|| story.walk.facts.resource.and_then(|resource| resource.expires));
            let site = site("expires").or_else(|| sites.of_resource(resource, "expires"));
            line("expires", format!("before {}", date(ended)), "after".to_owned(), true, site);
        }
        if let Some(bound) = grant.times.max_token_age {
            let fails = failed(&|failed| matches!(failed, Failed::MaxTokenAge));
            let given = format!("iat {}", story.claim("iat"));
            line("maxTokenAge", format!("at most {} s old", bound.as_secs()), given, fails, site("maxTokenAge"));
        }
        for reason in miss.failed.iter().filter_map(|failed| match failed {
            Failed::Replay(reason) => Some(*reason),
            _ => None,
        }) {
            let (wanted, given) = match reason {
                Reason::JtiMissing => ("a `jti`", story.claim("jti")),
                _ => ("a first use", format!("jti {}, iat {}", story.claim("jti"), story.claim("iat"))),
            };
            line("replay", wanted.to_owned(), given, true, site("replay"));
        }
        lines
    }

    pub(super) fn text(&self) -> String {
        let site = self.site.as_ref().map(|site| format!("  [{site}]")).unwrap_or_default();
        let (mark, must) = if self.holds { ("ok", "is") } else { ("DIFFERS", "must be") };
        if self.holds {
            return format!("  {mark:<8} {}: {} {must} {}{site}\n", self.what, self.given, self.expected);
        }
        format!("  {mark:<8} {}: {must} {}, is {}{site}\n", self.what, self.expected, self.given)
    }

    pub(super) fn json(&self) -> Value {
        json!({"condition": self.what, "wanted": self.expected, "given": self.given, "ok": self.holds, "site": self.site})
    }
}

fn date(time: Option<Time>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// The place of something that is written, as it is told.
pub(super) fn told(site: &Site) -> String {
    format!("  [{site}]")
}
