//! One expected relation, line by line: what the table asks for, what the token and the request have, and the verdict.

use serde_json::{Value, json};

use super::explain_story::Story;
use super::explain_terms::Age;
use crate::claims::ClaimRule;
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
        let resource = story.walk.facts.resource;
        let fails = |test: &dyn Fn(&Failed<'_>) -> bool| miss.failed.iter().any(test);
        let site = |field: &str| sites.of(grant, field);
        let shared = |field: &str| sites.of_resource(resource.map_or("", |resource| resource.name.as_str()), field);
        let mut lines = Vec::new();
        let mut line = |condition: Failed<'_>, given: String, fails: bool, site: Option<String>| {
            let expected = condition.wanted(grant, resource);
            // A claim is told as one, so that it is not taken for a field of its name.
            let what = match condition {
                Failed::Claim(rule) => format!("claim {}", rule.key),
                field => field.to_string(),
            };
            lines.push(Self { what, expected, given, holds: !fails, site });
        };
        let claim = if grant.audience_from == AudienceFrom::Audience { "aud" } else { "client_id" };
        let differs = fails(&|failed| matches!(failed, Failed::Audience));
        line(Failed::Audience, story.claim(claim), differs, site("audience").or_else(|| shared("audience")));
        if grant.subject.is_some() {
            let differs = fails(&|failed| matches!(failed, Failed::Subject));
            line(Failed::Subject, story.claim("sub"), differs, site("subject"));
        }
        for rule in &grant.claims {
            let differs = fails(&|failed| matches!(failed, Failed::Claim(other) if other.key == rule.key));
            line(Failed::Claim(rule), story.claim_at(&rule.key), differs, Some(rule.site.to_string()));
        }
        let differs = fails(&|failed| matches!(failed, Failed::Actor));
        if differs || grant.actor.is_some() {
            line(Failed::Actor, story.claim("act"), differs, site("actor"));
        }
        let differs = fails(&|failed| matches!(failed, Failed::Method));
        line(Failed::Method, story.method.to_owned(), differs, site("methods"));
        let differs = fails(&|failed| matches!(failed, Failed::Path));
        line(Failed::Path, story.path.to_owned(), differs, site("paths"));
        if fails(&|failed| matches!(failed, Failed::Starts)) {
            line(Failed::Starts, "before".to_owned(), true, site("starts"));
        }
        if fails(&|failed| matches!(failed, Failed::Expires)) {
            // Of the two ends the one that came first is told, and where that is written.
            let own = grant.times.expires.is_some() && grant.times.expires == grant.ends(resource);
            let site = if own { site("expires") } else { shared("expires") };
            line(Failed::Expires, "after".to_owned(), true, site);
        }
        if grant.times.max_token_age.is_some() {
            let differs = fails(&|failed| matches!(failed, Failed::MaxTokenAge));
            line(Failed::MaxTokenAge, Age::of(story).to_string(), differs, site("maxTokenAge"));
        }
        for failed in &miss.failed {
            let given = match failed {
                Failed::Replay(Reason::JtiMissing) => story.claim("jti"),
                Failed::Replay(_) => format!("jti {}, iat {}", story.claim("jti"), story.claim("iat")),
                _ => continue,
            };
            line(failed.clone(), given, true, site("replay"));
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

/// The place of something that is written, as it is told.
pub(super) fn told(site: &Site) -> String {
    format!("  [{site}]")
}
