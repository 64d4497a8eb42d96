//! What is protected: audiences, open places, credentials, what is handed on.

use std::collections::{HashMap, HashSet};

use super::territory::same_place;
use super::{Change, Detail, Entry, Kind, kind};
use crate::clock::Time;
use crate::decide::{Grant, Mode};
use crate::relation::{ends_within, opens, overlap_of_paths};
use crate::resource::{Anonymous, CredentialPlace, Methods, Observe, OpenMethods, Resource, ResourceId};
use crate::table::Snapshot;

/// Resources of two tables that are the same: by name, else by place.
pub(super) struct Matched {
    /// Of the new table, by number: those of the old one.
    pub(super) old: HashMap<ResourceId, ResourceId>,
    /// Of the old table, by number: those of the new one.
    pub(super) new: HashMap<ResourceId, ResourceId>,
}

impl Matched {
    pub(super) fn of(old: &Snapshot, new: &Snapshot) -> Self {
        let names: HashMap<_, _> = old.resources.iter().map(|(id, resource)| (&resource.name, id)).collect();
        let mut pairs: Vec<(ResourceId, ResourceId)> =
            new.resources.iter().filter_map(|(id, resource)| Some((id, *names.get(&resource.name)?))).collect();
        let taken: HashSet<_> = pairs.iter().map(|(_, old)| *old).collect();
        let known: HashSet<_> = pairs.iter().map(|(new, _)| *new).collect();
        // By the first host, so that not everything is compared with everything.
        let first = |resource: &Resource| (resource.hosts.first().cloned(), resource.context.len());
        let mut free: HashMap<_, Vec<(ResourceId, &Resource)>> = HashMap::new();
        for (id, resource) in old.resources.iter().filter(|(id, _)| !taken.contains(id)) {
            free.entry(first(resource)).or_default().push((id, resource));
        }
        for (id, resource) in new.resources.iter().filter(|(id, _)| !known.contains(id)) {
            let Some(group) = free.get_mut(&first(resource)) else { continue };
            if let Some(at) = group.iter().position(|other| same_place(*other, (id, resource))) {
                pairs.push((id, group.remove(at).0));
            }
        }
        Self { old: pairs.iter().copied().collect(), new: pairs.into_iter().map(|(new, old)| (old, new)).collect() }
    }

    pub(super) fn changes(&self, old: &Snapshot, new: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut enforcing: HashMap<ResourceId, Vec<&Grant>> = HashMap::new();
        for grant in new.grants.iter().filter(|grant| grant.mode == Mode::Enforce) {
            enforcing.entry(grant.resource).or_default().push(grant);
        }
        for (id, after) in new.resources.iter() {
            match self.old.get(&id).and_then(|id| old.resources.get(*id)) {
                Some(before) => compare(before, after, enforcing.get(&id).map_or(&[], Vec::as_slice), &mut changes),
                None => added(after, &mut changes),
            }
        }
        for (_, gone) in old.resources.iter().filter(|(id, _)| !self.new.contains_key(id)) {
            changes.push(whole(
                Kind::Narrowed,
                gone,
                "is gone; what lay there is judged by what else is there".to_owned(),
            ));
        }
        changes
    }
}

fn whole(kind: Kind, resource: &Resource, text: String) -> Change {
    let (name, site) = (resource.name.to_string(), resource.site.clone());
    Change { kind, entry: Entry::Resource, name, text, details: Vec::new(), site }
}

/// What `observe` means to whoever reads a list of changes.
const OBSERVES: &str = "only observes, for longer: lets through what it refuses, without identity";

fn added(resource: &Resource, changes: &mut Vec<Change>) {
    changes.push(whole(Kind::Changed, resource, "is new; who may do what there, its grants tell".to_owned()));
    if resource.observe.is_some() {
        changes.push(whole(Kind::Widened, resource, OBSERVES.to_owned()));
    }
    for open in &resource.anonymous {
        changes.push(whole(Kind::Widened, resource, format!("is open to all for {}", place(open))));
    }
}

fn compare(old: &Resource, new: &Resource, grants: &[&Grant], changes: &mut Vec<Change>) {
    // Written out, so that a new field of a resource must say here whether it widens.
    let Resource {
        id: _,
        name,
        site: _,
        audience,
        hosts: _,
        paths: _,
        context: _,
        route: _,
        anonymous: _,
        credential,
        forward_token,
        forward_overrides,
        encoded_slash_is_data,
        resource_metadata,
        expires,
        observe,
    } = new;
    if *name != old.name {
        changes.push(whole(Kind::Changed, new, format!("is the new name of resource {}", old.name)));
    }
    let mut tell = |kind: Option<Kind>, what: &str, text: &str, was: String, is: String| {
        let details = vec![Detail { field: what.to_owned(), old: Some(was), new: Some(is) }];
        changes.extend(kind.map(|kind| Change { details, ..whole(kind, new, text.to_owned()) }));
    };
    let differs = |differs: bool| differs.then_some(Kind::Widened);
    let switch = |was: bool, is: bool| kind(is && !was, was && !is);
    tell(
        differs(*audience != old.audience),
        "audience",
        "takes tokens that were made for another audience",
        old.audience.to_string(),
        audience.to_string(),
    );
    tell(
        differs(*credential != old.credential),
        "credential",
        "takes the token from another place",
        credential_text(&old.credential),
        credential_text(credential),
    );
    tell(
        switch(old.encoded_slash_is_data, *encoded_slash_is_data),
        "encodedSlash",
        if *encoded_slash_is_data { "takes paths with `%2F`" } else { "takes no more paths with `%2F`" },
        data(old.encoded_slash_is_data),
        data(*encoded_slash_is_data),
    );
    let leaves = |leaves| if leaves { "leaves it for the upstream" } else { "keeps it from the upstream" };
    tell(
        switch(old.forward_token, *forward_token),
        "forwardToken",
        leaves(*forward_token),
        old.forward_token.to_string(),
        forward_token.to_string(),
    );
    tell(
        switch(old.forward_overrides, *forward_overrides),
        "forwardOverrides",
        leaves(*forward_overrides),
        old.forward_overrides.to_string(),
        forward_overrides.to_string(),
    );
    let text = |url: &Option<String>| url.clone().unwrap_or_else(|| "none".to_owned());
    tell(
        (*resource_metadata != old.resource_metadata).then_some(Kind::Changed),
        "resourceMetadata",
        "names another place in its challenge",
        text(&old.resource_metadata),
        text(resource_metadata),
    );
    let longer = !ends_within(*expires, old.expires);
    tell(
        kind(longer, !ends_within(old.expires, *expires)),
        "expires",
        if longer { "ends later, and all that is granted there" } else { "ends earlier" },
        end(old.expires),
        end(*expires),
    );
    let (was, is) = (old.observed_until(), new.observed_until());
    let sooner = |one: Option<Time>, two: Option<Time>| match (one, two) {
        (None, two) => two.is_some(),
        (Some(one), Some(two)) => one.seconds() < two.seconds(),
        (Some(_), None) => false,
    };
    let observes = |observe: &Option<Observe>| {
        observe.as_ref().map_or_else(|| "no".to_owned(), |observe| format!("until {}", observe.until))
    };
    tell(
        kind(sooner(was, is), sooner(is, was)),
        "observe",
        if sooner(was, is) {
            OBSERVES
        } else {
            "refuses sooner what it refuses: its `observe` ends earlier, or is gone"
        },
        observes(&old.observe),
        observes(observe),
    );
    places(old, new, changes);
    open_places(old, new, grants, changes);
}

/// Hosts, paths and conditions: what they let through, the grants tell.
fn places(old: &Resource, new: &Resource, changes: &mut Vec<Change>) {
    if same_place((old.id, old), (new.id, new)) {
        return;
    }
    let texts = |resource: &Resource| {
        let list = |texts: Vec<String>| texts.join(" ");
        let mut context: Vec<_> = resource.context.iter().map(|(key, value)| format!("{key}={value}")).collect();
        context.sort();
        [
            ("hosts", list(resource.hosts.iter().map(ToString::to_string).collect())),
            ("paths", list(resource.paths.iter().map(ToString::to_string).collect())),
            ("context", list(context)),
            (
                "route",
                resource
                    .route
                    .as_ref()
                    .map(|route| format!("{}/{}", route.namespace, route.name.as_deref().unwrap_or("*")))
                    .unwrap_or_default(),
            ),
        ]
    };
    let details = texts(old).into_iter().zip(texts(new)).filter(|(was, is)| was != is);
    let details = details.map(|((field, was), (_, is))| {
        let told = |text: String| Some(if text.is_empty() { "none".to_owned() } else { text });
        Detail { field: field.to_owned(), old: told(was), new: told(is) }
    });
    let text = "is another place; what that lets through, the grants tell".to_owned();
    changes.push(Change { details: details.collect(), ..whole(Kind::Changed, new, text) });
}

fn open_places(old: &Resource, new: &Resource, grants: &[&Grant], changes: &mut Vec<Change>) {
    for open in units(new).filter(|open| !units(old).any(|wide| opens(&wide, open))) {
        changes.push(whole(Kind::Widened, new, format!("is open to all for {}", place(&open))));
    }
    for shut in units(old).filter(|shut| !units(new).any(|wide| opens(&wide, shut))) {
        changes.push(whole(Kind::Narrowed, new, format!("is no longer open to all for {}", place(&shut))));
        let methods = match &shut.methods {
            OpenMethods::Methods(methods) => methods.clone(),
            OpenMethods::Preflight => Methods::These(vec!["OPTIONS".to_owned()]),
        };
        let named = grants
            .iter()
            .filter(|grant| grant.methods.intersect(&methods) && overlap_of_paths(&grant.paths, &shut.paths));
        let names: Vec<_> = named.map(|grant| grant.name.as_str()).take(5).collect();
        if !names.is_empty() {
            let text = format!(
                "hands on identity and scopes for {}, where anyone came without: grants {}",
                place(&shut),
                names.join(", ")
            );
            changes.push(whole(Kind::Widened, new, text));
        }
    }
}

/// The open places, one path and one method each, so that it does not matter how they are written together.
pub(super) fn units(resource: &Resource) -> impl Iterator<Item = Anonymous> {
    resource.anonymous.iter().flat_map(|open| {
        let methods: Vec<_> = match &open.methods {
            OpenMethods::Methods(Methods::These(these)) => {
                these.iter().map(|one| OpenMethods::Methods(Methods::These(vec![one.clone()]))).collect()
            }
            other => vec![other.clone()],
        };
        open.paths.iter().flat_map(move |path| {
            let one = |methods: &OpenMethods| Anonymous {
                methods: methods.clone(),
                paths: vec![path.clone()],
                ..open.clone()
            };
            methods.iter().map(one).collect::<Vec<_>>()
        })
    })
}

pub(super) fn place(open: &Anonymous) -> String {
    let methods = match &open.methods {
        OpenMethods::Methods(methods) => methods.to_string(),
        OpenMethods::Preflight => "preflight".to_owned(),
    };
    format!("{methods} {}", open.paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

fn credential_text(place: &CredentialPlace) -> String {
    match place {
        CredentialPlace::Authorization => "Authorization: Bearer".to_owned(),
        CredentialPlace::Header(name) => format!("header {name}"),
        CredentialPlace::Cookie(name) => format!("cookie {name}"),
    }
}

fn data(is: bool) -> String {
    if is { "segment" } else { "refused" }.to_owned()
}

fn end(end: Option<Time>) -> String {
    end.map_or_else(|| "no end".to_owned(), Time::to_end)
}
