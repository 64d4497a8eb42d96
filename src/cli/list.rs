//! `list`: the relation as a table.

use std::time::Duration;

use clap::Args;

use super::can::unknown_issuer;
use super::nearest::unknown;
use super::output::{result, trouble};
use super::sheet::{Format, Sheet, span};
use super::trust::Trust;
use super::{NO, YES};
use crate::clock::Time;
use crate::inquiry::{Filter, Line, expiring, list};
use crate::table::{Snapshot, Steward};

/// List who may do what where, one line for each grant at each of its issuers.
///
/// With `--expiring` lists instead which issuers, resources and grants end or are due for a review within that time; what
/// is past already comes first.
///
/// Exit code: 0 listed, 1 nothing found, 2 could not run.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence list --trust trust.yaml --issuer github-acme -o csv")]
pub(super) struct List {
    #[command(flatten)]
    trust: Trust,
    /// Only this issuer, by its name in the table.
    #[arg(long, env = "CREDENCE_ISSUER", value_name = "NAME")]
    issuer: Option<String>,
    /// Only this resource, by its name in the table.
    #[arg(long, env = "CREDENCE_RESOURCE", value_name = "NAME")]
    resource: Option<String>,
    /// Only what this owner looks after: the grant, its issuer or its resource.
    #[arg(long, env = "CREDENCE_OWNER", value_name = "OWNER")]
    owner: Option<String>,
    /// Only what ends or is due for a review within this time: 12h, 30d, 2w.
    #[arg(long, env = "CREDENCE_EXPIRING", value_name = "TIME", value_parser = span)]
    expiring: Option<Duration>,
    /// How it is written.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Format::Text)]
    output: Format,
}

pub(super) fn run(list: &List) -> u8 {
    let loaded = match list.trust.load() {
        Ok(loaded) => loaded,
        Err(error) => return trouble(error),
    };
    if let Err(error) = list.names(&loaded.snapshot) {
        return trouble(error);
    }
    loaded.note_blocks();
    let filter = Filter { issuer: list.issuer.clone(), resource: list.resource.clone(), owner: list.owner.clone() };
    let sheet = match list.expiring {
        Some(within) => due(&loaded.snapshot, &filter, list.trust.now(), within),
        None => relation(&loaded.snapshot, &filter, list.trust.now()),
    };
    let code = if sheet.rows.is_empty() { NO } else { YES };
    if code == YES || list.output != Format::Text {
        result(&sheet.write(list.output));
    }
    code
}

impl List {
    /// That whatever is asked for by name exists: else nothing found would look like nothing granted.
    fn names(&self, snapshot: &Snapshot) -> Result<(), String> {
        let mut issuers = snapshot.issuers.iter().map(|issuer| issuer.name.as_str());
        if let Some(name) = self.issuer.as_ref().filter(|name| !issuers.any(|known| known == *name)) {
            return Err(unknown_issuer(snapshot, name));
        }
        let resources = || snapshot.resources.iter().map(|(_, resource)| resource.name.as_str());
        if let Some(name) = self.resource.as_ref().filter(|name| !resources().any(|known| known == *name)) {
            return Err(format!("{} of the table", unknown("resource", name, resources())));
        }
        let owners = || {
            let issuers = snapshot.issuers.iter().map(|issuer| snapshot.stewards.of_issuer(&issuer.name));
            let resources = snapshot.resources.iter().map(|(_, one)| snapshot.stewards.of_resource(&one.name));
            let grants = snapshot.grants.iter().map(|grant| snapshot.stewards.of_grant(&grant.name));
            issuers.chain(resources).chain(grants).filter_map(|steward| steward.owner.as_deref())
        };
        if let Some(name) = self.owner.as_ref().filter(|name| !owners().any(|known| known == *name)) {
            return Err(format!("{} in the table", unknown("owner", name, owners())));
        }
        Ok(())
    }
}

fn relation(snapshot: &Snapshot, filter: &Filter, now: Time) -> Sheet {
    let row = |line: Line<'_>| {
        let (steward, issuer) = (line.steward(snapshot), snapshot.stewards.of_issuer(&line.issuer.name));
        let resource = snapshot.stewards.of_resource(&line.resource.name);
        let owner = steward.owner.as_ref().or(issuer.owner.as_ref());
        // What a grant does not say of itself, the trust that it uses says for it.
        let purpose = steward.reason.as_ref().or(steward.description.as_ref()).or(issuer.description.as_ref());
        let reviews = [steward, issuer, resource].into_iter().filter_map(|one| one.review_by);
        vec![
            line.grant.name.to_string(),
            line.issuer.name.to_string(),
            line.iss(),
            snapshot.profiles.get(&line.issuer.name).map_or_else(String::new, |profile| profile.name.to_owned()),
            line.issuer.pins.iter().map(|pin| format!("{} {}", pin.key, pin.matcher)).collect::<Vec<_>>().join(", "),
            line.who(),
            line.resource.name.to_string(),
            line.place(),
            line.methods(),
            line.paths(),
            line.scopes(),
            line.state(now).as_str().to_owned(),
            date(line.resource.observing(now).map(|observe| observe.until)),
            owner.cloned().unwrap_or_default(),
            purpose.cloned().unwrap_or_default(),
            date(reviews.min_by(|one, two| one.seconds().total_cmp(&two.seconds()))),
            date(line.ends()),
            accepted(&[("", steward), ("issuer ", issuer), ("resource ", resource)]),
        ]
    };
    let head = vec![
        "grant",
        "issuer",
        "iss",
        "profile",
        "pins",
        "who",
        "resource",
        "place",
        "methods",
        "paths",
        "scopes",
        "mode",
        "observed until",
        "owner",
        "purpose",
        "review by",
        "ends",
        "accepted",
    ];
    Sheet { head, rows: list(snapshot, filter).into_iter().map(row).collect() }
}

/// Every warning that was accepted on the way, with its reason.
fn accepted(entries: &[(&str, &Steward)]) -> String {
    let told = entries
        .iter()
        .flat_map(|(of, steward)| steward.accepts.iter().map(move |one| format!("{of}{}: {}", one.code, one.reason)));
    told.collect::<Vec<_>>().join("; ")
}

fn due(snapshot: &Snapshot, filter: &Filter, now: Time, within: Duration) -> Sheet {
    let rows = expiring(snapshot, filter, now, within).into_iter().map(|due| {
        let past = if due.at <= now { "past" } else { "" };
        vec![
            due.at.to_end(),
            past.to_owned(),
            due.what.to_owned(),
            due.entry.to_owned(),
            due.name,
            due.steward.owner.clone().unwrap_or_default(),
            due.site.to_string(),
        ]
    });
    Sheet { head: vec!["when", "past", "what", "entry", "name", "owner", "site"], rows: rows.collect() }
}

/// An end as the table writes it, so that nobody takes the midnight after a date for another day.
fn date(time: Option<Time>) -> String {
    time.map(Time::to_end).unwrap_or_default()
}
