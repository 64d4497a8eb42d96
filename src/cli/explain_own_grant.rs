//! A grant of its own for a refused call, beside the nearest one: as tight as that, and for this token at this place alone.

use super::explain_change::{Bench, Change, Tried};
use super::explain_no_change::Obstacle;
use crate::advice::{GrantFields, condition, string};
use crate::decide::{Failed, Grant, NearMiss};
use crate::json::Json;
use crate::resource::PathPattern;
use crate::table::SourceFile;
use crate::trust::{Acting, Principal};

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

impl Bench<'_> {
    /// A grant for this token at this place alone.
    pub(super) fn own_grant(&self, miss: &NearMiss<'_>) -> Result<Change, Obstacle> {
        let (grant, name) = (miss.grant, || miss.grant.name.to_string());
        let fields = self.own_fields(miss)?;
        let taken = |name: &str| self.story.snapshot.grants.iter().any(|grant| grant.name.as_str() == name);
        let free = (2..100).map(|number| format!("{}-{number}", grant.name)).find(|name| !taken(name));
        let free = free.ok_or(Obstacle::Unwritable("every name that begins like the nearest grant's is taken"))?;
        let becomes = format!("{free}: {}", fields.braced());
        let (file, text) = self.with_line(grant, &becomes).ok_or(Obstacle::Unwritable(
            "the nearest grant does not stand on a line that another could stand before",
        ))?;
        let widens = self.widens(miss);
        match self.allows(file.name(), &text) {
            Ok(()) => Ok(Change { site: grant.site.to_string(), was: None, becomes, widens }),
            Err(Tried::DoesNotLoad) => Err(Obstacle::DoesNotLoad { grant: name(), site: grant.site.to_string() }),
            Err(Tried::Refused(reason)) => Err(Obstacle::StillRefused { grant: name(), reason }),
        }
    }

    /// What that grant asks for: nothing less than the nearest does.
    fn own_fields(&self, miss: &NearMiss<'_>) -> Result<GrantFields, Obstacle> {
        let grant = miss.grant;
        let another_grant_helps = |failed: &Failed<'_>| {
            matches!(failed, Failed::Subject | Failed::Claim(_) | Failed::Actor | Failed::Method | Failed::Path)
        };
        if let Some(bound) = miss.failed.iter().find(|failed| !another_grant_helps(failed)) {
            return Err(Obstacle::Bound { grant: grant.name.to_string(), field: bound.to_string() });
        }
        let unread = Obstacle::Unwritable("the token and its place are not known well enough");
        let facts = &self.story.walk.facts;
        let (Some(issuer), Some(resource), Some(payload)) =
            (facts.vouching_issuer(), facts.resource, self.story.payload)
        else {
            return Err(unread);
        };
        let mut fields = GrantFields::new(issuer.name.as_str(), resource.name.as_str());
        if grant.subject.is_some() || grant.claims.is_empty() {
            fields.subject(payload.get("sub").and_then(Json::as_str).ok_or(unread)?);
        }
        let mut claims = Vec::new();
        for rule in &grant.claims {
            let fails = miss.failed.iter().any(|failed| matches!(failed, Failed::Claim(one) if one.key == rule.key));
            let wanted = rule.key.find(payload).and_then(condition);
            // A condition that holds without a value, such as that there be none, is taken over as it is written.
            let written = || self.text_of(grant, &["claims", rule.key.as_str()]).filter(|_| !fails);
            let wanted = wanted.or_else(written).ok_or_else(|| Obstacle::Claim {
                grant: grant.name.to_string(),
                claim: rule.key.as_str().to_owned(),
            })?;
            claims.push((rule.key.as_str(), wanted));
        }
        fields.claims(claims);
        if let Some(acting) = self.acting() {
            fields.actor(acting.pair().1, acting.depth());
        }
        let path = PathPattern::exactly(self.story.path);
        let path = path.map_err(|_| Obstacle::Unwritable("the path is none that a table can write"))?;
        fields.place(self.story.method, &path);
        if !grant.scopes.is_empty() {
            let scopes: Vec<_> = grant.scopes.iter().map(|scope| string(scope.as_str())).collect();
            fields.put("scopes", format_args!("[{}]", scopes.join(", ")));
        }
        for field in TAKEN_OVER {
            if let Some(text) = self.text_of(grant, &[field]) {
                fields.put(field, text);
            }
        }
        Ok(fields)
    }

    fn acting(&self) -> Option<Acting<'_>> {
        self.story.walk.facts.verified.as_ref().and_then(Principal::acting)
    }

    /// The file of a grant, and its text with this line before the grant.
    fn with_line(&self, grant: &Grant, line: &str) -> Option<(&SourceFile, String)> {
        let file = self.sources.files().iter().find(|file| **file.name() == *grant.site.file)?;
        let mut lines: Vec<_> = file.text().split_inclusive('\n').map(str::to_owned).collect();
        let at = grant.site.line.checked_sub(1)?;
        let added = format!("{}{line}\n", " ".repeat(grant.site.column.checked_sub(1)?));
        (at <= lines.len()).then(|| lines.insert(at, added))?;
        Some((file, lines.concat()))
    }

    /// Whom a grant of its own lets in besides.
    fn widens(&self, miss: &NearMiss<'_>) -> String {
        let scopes = miss.grant.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let scopes = if scopes.is_empty() { String::new() } else { format!(", with scopes {scopes}") };
        format!(
            "this lets in every token of issuer {} that fits it, {} at {}{scopes}{}; look at each value before you write it",
            self.story.walk.facts.vouching_issuer().map_or("", |issuer| issuer.name.as_str()),
            self.story.method,
            self.story.path,
            danger_of_actor(miss, self.acting().as_ref())
        )
    }
}

/// What it means that somebody acts, or that nobody has to, where that is new.
fn danger_of_actor(miss: &NearMiss<'_>, acting: Option<&Acting<'_>>) -> String {
    if !miss.failed.iter().any(|failed| matches!(failed, Failed::Actor)) {
        return String::new();
    }
    match acting {
        Some(acting) => format!(
            ". {:?} then acts for its subjects, and only {} says that it may: nobody else has vouched for that",
            acting.pair().1,
            acting.asserted_by()
        ),
        None => format!(". Grant {} asks for somebody who acts; this asks for nobody", miss.grant.name),
    }
}
