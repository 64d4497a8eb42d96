//! What a grant says, field by field, for people.

use std::collections::HashMap;

use super::Detail;
use crate::decide::{AudienceFrom, Grant, Mode, Replay};
use crate::name::IssuerName;
use crate::resource::Methods;
use crate::table::Snapshot;

/// A table, and for how many exact issuers each of its entries stands.
pub(super) struct Told<'t> {
    snapshot: &'t Snapshot,
    exact: HashMap<&'t IssuerName, usize>,
}

impl<'t> Told<'t> {
    pub(super) fn of(snapshot: &'t Snapshot) -> Self {
        let mut exact: HashMap<_, usize> = HashMap::new();
        for issuer in snapshot.issuers.iter() {
            *exact.entry(&issuer.name).or_default() += 1;
        }
        Self { snapshot, exact }
    }

    fn issuers(&self, grant: &Grant) -> Vec<String> {
        let issuers = grant.issuers.iter().filter_map(|id| self.snapshot.issuers.get(*id));
        let told = issuers.map(|issuer| match self.exact.get(&issuer.name) {
            Some(1) | None => issuer.name.to_string(),
            Some(_) => format!("{} ({})", issuer.name, issuer.issuer),
        });
        told.collect()
    }
}

/// Every field that says something, in the order of the contract.
pub(super) fn of(grant: &Grant, table: &Told<'_>) -> Vec<(String, String)> {
    let snapshot = table.snapshot;
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut tell = |field: &str, text: String| fields.push((field.to_owned(), text));
    tell("issuer", sorted(table.issuers(grant)));
    let resource = snapshot.resources.get(grant.resource);
    tell("resource", resource.map(|resource| resource.name.to_string()).unwrap_or_default());
    if let Some(subject) = &grant.subject {
        tell("subject", subject.to_string());
    }
    for rule in &grant.claims {
        tell(&format!("claim {}", rule.key), rule.matcher.to_string());
    }
    if let Some(actor) = &grant.actor {
        tell("actor", actor.to_string());
    }
    let methods = match &grant.methods {
        Methods::Any => "any".to_owned(),
        Methods::These(these) => sorted(these.clone()),
    };
    tell("methods", methods);
    tell("paths", sorted(grant.paths.iter().map(ToString::to_string).collect()));
    if !grant.scopes.is_empty() {
        tell("scopes", sorted(grant.scopes.iter().map(ToString::to_string).collect()));
    }
    if resource.is_some_and(|resource| resource.audience != grant.audience) {
        tell("audience", grant.audience.to_string());
    }
    if grant.audience_from == AudienceFrom::ClientId {
        tell("audienceFrom", "client_id".to_owned());
    }
    if grant.replay == Replay::Once {
        tell("replay", "once".to_owned());
    }
    for (field, time) in [("starts", grant.times.starts), ("expires", grant.times.expires)] {
        if let Some(time) = time {
            tell(field, time.to_string());
        }
    }
    if let Some(age) = grant.times.max_token_age {
        tell("maxTokenAge", format!("{}s", age.as_secs()));
    }
    for (name, key) in &grant.forward_claims {
        tell(&format!("forwardClaims {name}"), key.to_string());
    }
    if grant.mode == Mode::Shadow {
        tell("mode", "shadow".to_owned());
    }
    fields
}

/// What differs between the fields of two grants; all of them where there is only one.
pub(super) fn differences(old: Option<Vec<(String, String)>>, new: Option<Vec<(String, String)>>) -> Vec<Detail> {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let find = |fields: &[(String, String)], name: &str| {
        fields.iter().find(|(field, _)| field == name).map(|(_, text)| text.clone())
    };
    let gone = old.iter().filter(|(field, _)| find(&new, field).is_none());
    new.iter()
        .chain(gone)
        .map(|(field, _)| Detail { field: field.clone(), old: find(&old, field), new: find(&new, field) })
        .filter(|detail| detail.old != detail.new)
        .collect()
}

fn sorted(mut texts: Vec<String>) -> String {
    texts.sort();
    texts.dedup();
    texts.join(" ")
}
