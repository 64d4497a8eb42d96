//! The smallest change of the table that would allow a refused call. It is tried before it is told: the changed table
//! must load, and the very same walk must then end in an allow.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::explain_no_change::Obstacle;
use super::explain_story::Story;
use crate::advice::{scalar, string};
use crate::claims::ClaimRule;
use crate::clock::Time;
use crate::decide::{Failed, Grant, SubjectRule};
use crate::json::{Json, is_exact};
use crate::keys::LiveKeys;
use crate::path::{Outcome, Rules, walk};
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::{Methods, PathPattern};
use crate::table::{Compiled, Permissions, SourceFile, Sources, compile, written};
use crate::trail::Recorder;

/// For so long an end is put off: long enough to ask those who set it.
const ONE_MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Where: a value to replace, or a line to put something before.
    pub(super) site: String,
    /// What stands there; `None` where something is added.
    pub(super) was: Option<String>,
    /// What to write.
    pub(super) becomes: String,
    /// Whom it lets in besides.
    pub(super) widens: String,
}

/// A table under change.
pub(super) struct Bench<'a> {
    pub(super) story: &'a Story<'a>,
    pub(super) sources: &'a Sources,
    permissions: &'a Permissions,
    request: &'a AuthzRequest<'a>,
    now: Time,
}

impl Change {
    /// The smallest change that would allow it, or why none is offered; `None` where the call is not refused.
    pub(super) fn smallest(
        story: &Story<'_>,
        permissions: &Permissions,
        request: &AuthzRequest<'_>,
        now: Time,
    ) -> Option<Result<Self, Obstacle>> {
        let bench = Bench { story, sources: story.sources, permissions, request, now };
        story.refusal().map(|reason| bench.smallest(reason))
    }

    pub(super) fn text(&self, token_side: bool) -> String {
        let head = if token_side {
            "or, if the table is what is wrong, the smallest change that would allow it"
        } else {
            "the smallest change that would allow it"
        };
        let what = match &self.was {
            Some(was) => format!("  [{}]\n  - {was}\n  + {}\n", self.site, self.becomes),
            None => format!("  before [{}]\n  + {}\n", self.site, self.becomes),
        };
        format!("\n{head}\n{what}  warning: {}\n", self.widens)
    }

    pub(super) fn json(&self) -> Value {
        json!({"site": self.site, "was": self.was, "becomes": self.becomes, "widens": self.widens})
    }
}

impl Bench<'_> {
    fn smallest(&self, reason: Reason) -> Result<Change, Obstacle> {
        // A grant that only watches fits already: one beside it would stay when it is no longer needed.
        if let Some(change) = self.story.walk.facts.shadow.iter().find_map(|grant| self.enforce(grant)) {
            return Ok(change);
        }
        let misses = &self.story.walk.facts.near_misses;
        // The grant that lacks what the reason names, which another one that is as near need not lack.
        let lacking = |lacks: &dyn Fn(&Failed<'_>) -> bool| misses.iter().find(|miss| miss.failed.iter().all(lacks));
        let miss = match reason {
            _ if misses.is_empty() => return Err(Obstacle::Reason(reason)),
            Reason::GrantNone => misses.first(),
            Reason::ActorNotAllowed => lacking(&|failed| matches!(failed, Failed::Actor)),
            Reason::GrantExpired => lacking(&|failed| matches!(failed, Failed::Expires)).or_else(|| {
                lacking(&|failed| matches!(failed, Failed::Starts | Failed::Expires | Failed::MaxTokenAge))
            }),
            _ => return Err(Obstacle::Reason(reason)),
        };
        let miss = miss.ok_or(Obstacle::NoneAlone(reason))?;
        // Two more values in one grant would also let in every mixture of them; a grant of its own does not.
        let edit = match miss.failed.as_slice() {
            [only] => self.edit(miss.grant, only),
            _ => None,
        };
        edit.map_or_else(|| self.own_grant(miss), Ok)
    }

    /// One more value where the grant names some.
    fn edit(&self, grant: &Grant, failed: &Failed<'_>) -> Option<Change> {
        if let Failed::Expires = failed {
            return self.new_end(grant);
        }
        let name = grant.name.as_str();
        let (path, more, whom): (Vec<&str>, String, String) = match failed {
            Failed::Subject => {
                let SubjectRule::Exact(_) = grant.subject.as_ref()? else { return None };
                let sub = self.story.payload?.get("sub")?.as_str()?;
                (vec!["subject"], string(sub), format!("sub {sub:?} of its issuers to everything that it allows"))
            }
            Failed::Claim(rule) => {
                rule.matcher.exact()?;
                let value = self.value(rule)?;
                let whom = format!("every token whose claim {} is {value}, and that fits it otherwise", rule.key);
                (vec!["claims", rule.key.as_str()], value, whom)
            }
            Failed::Method => {
                let Methods::These(_) = grant.methods else { return None };
                let method = self.story.method;
                (vec!["methods"], string(method), format!("everyone whom it lets in today also with {method}"))
            }
            Failed::Path => {
                let path = PathPattern::exactly(self.story.path).ok()?;
                let path = path.as_str();
                (vec!["paths"], string(path), format!("everyone whom it lets in today also to {path}"))
            }
            _ => return None,
        };
        let place = written(self.sources, &[&["grants", name], path.as_slice()].concat())?;
        let was = place.text()?.to_owned();
        let becomes = match was.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            Some(list) => format!("[{}, {more}]", list.trim_end().trim_end_matches(',')),
            None => format!("[{was}, {more}]"),
        };
        self.allows(place.file.name(), &place.replaced(&becomes)?).is_ok().then(|| Change {
            site: place.site().to_string(),
            was: Some(was),
            becomes,
            widens: format!("grant {name} then lets in {whom}"),
        })
    }

    /// A grant that only watches allows.
    fn enforce(&self, grant: &Grant) -> Option<Change> {
        let place = written(self.sources, &["grants", grant.name.as_str(), "mode"])?;
        let becomes = "enforce".to_owned();
        self.allows(place.file.name(), &place.replaced(&becomes)?).is_ok().then(|| Change {
            site: place.site().to_string(),
            was: place.text().map(str::to_owned),
            becomes,
            widens: format!(
                "grant {} then lets in everyone who fits it, and not this caller alone; `shadow` in the decision log shows \
                 whom it would have let in so far",
                grant.name
            ),
        })
    }

    /// Another date where the grant, or its resource, has ended.
    fn new_end(&self, grant: &Grant) -> Option<Change> {
        let resource = self.story.walk.facts.resource?;
        let ended = |end: Option<Time>| end.is_some_and(|end| self.now >= end);
        let (section, name) = match (ended(grant.times.expires), ended(resource.expires)) {
            (true, false) => ("grants", grant.name.as_str()),
            (false, true) => ("resources", resource.name.as_str()),
            // Two ends are two decisions.
            _ => return None,
        };
        let place = written(self.sources, &[section, name, "expires"])?;
        let was = place.text()?.to_owned();
        let becomes = self.now.after(ONE_MONTH).to_string().get(..10)?.to_owned();
        let what = if section == "grants" { "grant" } else { "every grant for resource" };
        self.allows(place.file.name(), &place.replaced(&becomes)?).is_ok().then(|| Change {
            site: place.site().to_string(),
            widens: format!(
                "{what} {name} then lets in again whom it let in until {was}, up to {becomes}; ask whoever set the end why"
            ),
            was: Some(was),
            becomes,
        })
    }

    pub(super) fn text_of(&self, grant: &Grant, path: &[&str]) -> Option<String> {
        let place = written(self.sources, &[&["grants", grant.name.as_str()], path].concat())?;
        place.text().filter(|text| !text.contains('\n')).map(str::to_owned)
    }

    /// What the token has there, as it would be written.
    fn value(&self, rule: &ClaimRule) -> Option<String> {
        match rule.key.find(self.story.payload?)? {
            Json::String(text) if text.is_empty() => None,
            Json::Number(number) if !is_exact(*number) => None,
            value @ (Json::String(_) | Json::Number(_) | Json::Bool(_)) => Some(scalar(value)),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// Whether the table with this text for one of its files loads, and allows the call.
    pub(super) fn allows(&self, name: &str, text: &str) -> Result<(), Tried> {
        let files = self.sources.files().iter().map(|file| {
            let text = if **file.name() == *name { text } else { file.text() };
            SourceFile::new(file.name().clone(), text)
        });
        let Compiled { snapshot: Some(snapshot), .. } =
            compile(&Sources::from_files(files), self.permissions, self.now, |need| {
                Arc::new(LiveKeys::unfetched(need.rules))
            })
        else {
            return Err(Tried::DoesNotLoad);
        };
        let signer = self.story.walk.facts.vouching_issuer().map(|issuer| issuer.name.as_str());
        let mut recorder = Recorder::signed_by(signer);
        let rules = Rules { table: &snapshot, blocks: self.story.blocks };
        let walked = walk(rules, self.request, self.now, &mut recorder);
        match (&walked.outcome, recorder.first_failure()) {
            (Outcome::Allowed(_), None) => Ok(()),
            (outcome, failure) => Err(Tried::Refused(failure.or(outcome.refusal()))),
        }
    }
}

/// What is wrong with a change that was tried.
pub(super) enum Tried {
    DoesNotLoad,
    Refused(Option<Reason>),
}
