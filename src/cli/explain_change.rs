//! The smallest change of the table that would allow a refused call. It is tried before it is told: the changed table
//! must load, and the very same walk must then end in an allow.

use std::sync::Arc;

use serde_json::{Value, json};

use super::explain_story::Story;
use crate::claims::{ClaimRule, Scalar};
use crate::clock::Time;
use crate::decide::{Failed, Grant, NearMiss, SubjectRule};
use crate::json::{Json, is_exact};
use crate::keys::LiveKeys;
use crate::path::{Outcome, Rules, walk};
use crate::reason::Reason;
use crate::request::AuthzRequest;
use crate::resource::Methods;
use crate::table::{Compiled, Permissions, SourceFile, Sources, compile, written};
use crate::trail::Recorder;

/// Fields of a grant that a grant of its own takes over as they are written.
const TAKEN_OVER: [&str; 11] = [
    "iss",
    "audience",
    "audienceFrom",
    "maxTokenAge",
    "starts",
    "expires",
    "reason",
    "forwardClaims",
    "reviewBy",
    "owner",
    "replay",
];

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Where: a value to replace, or a line to put something before.
    site: String,
    /// What stands there; `None` where something is added.
    was: Option<String>,
    /// What to write.
    becomes: String,
    /// Whom it lets in besides.
    widens: String,
}

/// A table under change.
struct Bench<'a> {
    story: &'a Story<'a>,
    sources: &'a Sources,
    permissions: &'a Permissions,
    request: &'a AuthzRequest<'a>,
    now: Time,
}

impl Change {
    /// The smallest change that would allow it; `None` where the token is what must change, or too much differs.
    pub(super) fn smallest(
        story: &Story<'_>,
        permissions: &Permissions,
        request: &AuthzRequest<'_>,
        now: Time,
    ) -> Option<Self> {
        if story.refusal() != Some(Reason::GrantNone) {
            return None;
        }
        let miss = story.walk.facts.near_misses.first()?;
        let bench = Bench { story, sources: story.sources, permissions, request, now };
        // Two more values in one grant would also let in every mixture of them; a grant of its own does not.
        let edit = match miss.failed.as_slice() {
            [only] => bench.edit(miss.grant, only),
            _ => None,
        };
        edit.or_else(|| bench.own_grant(miss))
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
    /// One more value where the grant names some.
    fn edit(&self, grant: &Grant, failed: &Failed<'_>) -> Option<Change> {
        let name = grant.name.as_str();
        let (path, more, whom): (Vec<&str>, String, String) = match failed {
            Failed::Subject => {
                let SubjectRule::Exact(_) = grant.subject.as_ref()? else { return None };
                let sub = self.story.payload?.get("sub")?.as_str()?;
                (vec!["subject"], quoted(sub), format!("sub {sub:?} of its issuers to everything that it allows"))
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
                (vec!["methods"], quoted(method), format!("everyone whom it lets in today also with {method}"))
            }
            Failed::Path => {
                let path = self.story.path;
                (vec!["paths"], quoted(path), format!("everyone whom it lets in today also to {path}"))
            }
            _ => return None,
        };
        let place = written(self.sources, &[&["grants", name], path.as_slice()].concat())?;
        let was = place.text()?.to_owned();
        let becomes = match was.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            Some(list) => format!("[{}, {more}]", list.trim_end().trim_end_matches(',')),
            None => format!("[{was}, {more}]"),
        };
        self.allows(place.file.name(), &place.replaced(&becomes)?).then(|| Change {
            site: place.site().to_string(),
            was: Some(was),
            becomes,
            widens: format!("grant {name} then lets in {whom}"),
        })
    }

    /// A grant for this token at this place alone.
    fn own_grant(&self, miss: &NearMiss<'_>) -> Option<Change> {
        let (grant, issuer) = (miss.grant, self.story.walk.facts.vouching_issuer()?);
        let resource = self.story.walk.facts.resource?;
        let failed = |test: &dyn Fn(&Failed<'_>) -> bool| miss.failed.iter().any(test);
        if failed(&|failed| !matches!(failed, Failed::Subject | Failed::Claim(_) | Failed::Method | Failed::Path)) {
            return None;
        }
        let mut fields = vec![format!("issuer: {}", issuer.name), format!("resource: {}", resource.name)];
        if grant.subject.is_some() || grant.claims.is_empty() {
            fields.push(format!("subject: {}", quoted(self.story.payload?.get("sub")?.as_str()?)));
        }
        let mut claims = Vec::new();
        for rule in &grant.claims {
            let fails = failed(&|failed| matches!(failed, Failed::Claim(other) if other.key == rule.key));
            let value = match self.value(rule) {
                Some(value) => value,
                None if fails => return None,
                None => self.text_of(grant, &["claims", rule.key.as_str()])?,
            };
            claims.push(format!("{}: {value}", quoted(rule.key.as_str())));
        }
        if !claims.is_empty() {
            fields.push(format!("claims: {{{}}}", claims.join(", ")));
        }
        fields.push(format!("methods: [{}]", self.story.method));
        fields.push(format!("paths: [{}]", quoted(self.story.path)));
        if !grant.scopes.is_empty() {
            let scopes: Vec<_> = grant.scopes.iter().map(|scope| quoted(scope.as_str())).collect();
            fields.push(format!("scopes: [{}]", scopes.join(", ")));
        }
        for field in TAKEN_OVER {
            if let Some(text) = self.text_of(grant, &[field]) {
                fields.push(format!("{field}: {text}"));
            }
        }
        let taken = |name: &str| self.story.snapshot.grants.iter().any(|grant| grant.name.as_str() == name);
        let name = (2..100).map(|number| format!("{}-{number}", grant.name)).find(|name| !taken(name))?;
        let becomes = format!("{name}: {{{}}}", fields.join(", "));
        let file = self.sources.files().iter().find(|file| **file.name() == *grant.site.file)?;
        let mut lines: Vec<_> = file.text().split_inclusive('\n').map(str::to_owned).collect();
        let at = grant.site.line.checked_sub(1)?;
        let added = format!("{}{becomes}\n", " ".repeat(grant.site.column.checked_sub(1)?));
        (at <= lines.len()).then(|| lines.insert(at, added))?;
        let scopes = grant.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let scopes = if scopes.is_empty() { String::new() } else { format!(", with scopes {scopes}") };
        self.allows(file.name(), &lines.concat()).then(|| Change {
            site: grant.site.to_string(),
            was: None,
            becomes,
            widens: format!(
                "this lets in every token of issuer {} that fits it, {} at {}{scopes}; look at each value before you write it",
                issuer.name, self.story.method, self.story.path
            ),
        })
    }

    fn text_of(&self, grant: &Grant, path: &[&str]) -> Option<String> {
        let place = written(self.sources, &[&["grants", grant.name.as_str()], path].concat())?;
        place.text().filter(|text| !text.contains('\n')).map(str::to_owned)
    }

    /// What the token has there, as it would be written.
    fn value(&self, rule: &ClaimRule) -> Option<String> {
        match rule.key.find(self.story.payload?)? {
            Json::String(text) if !text.is_empty() => Some(quoted(text)),
            Json::Number(number) if is_exact(*number) => Some(Scalar::Number(*number).to_string()),
            Json::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Whether the table with this text for one of its files loads, and allows the call.
    fn allows(&self, name: &str, text: &str) -> bool {
        let files = self.sources.files().iter().map(|file| {
            let text = if **file.name() == *name { text } else { file.text() };
            SourceFile::new(file.name().clone(), text)
        });
        let Compiled { snapshot: Some(snapshot), .. } =
            compile(&Sources::from_files(files), self.permissions, self.now, |need| {
                Arc::new(LiveKeys::unfetched(need.rules))
            })
        else {
            return false;
        };
        let signer = self.story.walk.facts.vouching_issuer().map(|issuer| issuer.name.as_str());
        let mut recorder = Recorder::signed_by(signer);
        let rules = Rules { table: &snapshot, blocks: self.story.blocks };
        let walked = walk(rules, self.request, self.now, &mut recorder);
        matches!(walked.outcome, Outcome::Allowed(_)) && recorder.first_failure().is_none()
    }
}

/// A string as YAML reads it, whatever it holds: JSON's form.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}
