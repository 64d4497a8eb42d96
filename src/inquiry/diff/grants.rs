//! Who may do what where.

use std::collections::{BTreeSet, HashMap};

use super::gains::{Gain, Gains, Side};
use super::{Change, Detail, Entry, Kind, fields, issuers, kind, resources};
use crate::decide::{Grant, Mode};
use crate::name::GrantName;
use crate::relation::{Wider, covers};
use crate::resource::ResourceId;
use crate::table::Snapshot;
use crate::trust::IssuerId;

pub(super) fn changes(
    old: &Snapshot,
    new: &Snapshot,
    issuers: &issuers::Matched<'_>,
    resources: &resources::Matched,
) -> Vec<Change> {
    let to = Side { from: old, to: new, issuers: &issuers.old, resources: &resources.old };
    let back = Side { from: new, to: old, issuers: &issuers.new, resources: &resources.new };
    let (gains, losses) = (to.gains(), back.gains());
    let told = (fields::Told::of(old), fields::Told::of(new));
    let comparison = Comparison { old, new, to: &to, gains: &gains, losses: &losses, told };
    let mut changes = comparison.grants();
    for (kind, snapshot, found) in [(Kind::Widened, new, &gains), (Kind::Narrowed, old, &losses)] {
        for (id, text) in &found.open {
            let Some(resource) = snapshot.resources.get(*id) else { continue };
            let text =
                if kind == Kind::Widened { text.clone() } else { text.replacen("is open", "is no longer open", 1) };
            let (name, site) = (resource.name.to_string(), resource.site.clone());
            changes.push(Change { kind, entry: Entry::Resource, name, text, details: Vec::new(), site });
        }
    }
    changes
}

struct Comparison<'c> {
    old: &'c Snapshot,
    new: &'c Snapshot,
    to: &'c Side<'c>,
    gains: &'c Gains,
    losses: &'c Gains,
    told: (fields::Told<'c>, fields::Told<'c>),
}

impl Comparison<'_> {
    fn grants(&self) -> Vec<Change> {
        let before: HashMap<&GrantName, &Grant> = self.old.grants.iter().map(|grant| (&grant.name, grant)).collect();
        let after: BTreeSet<&GrantName> = self.new.grants.iter().map(|grant| &grant.name).collect();
        let mut gone: Vec<&Grant> = self.old.grants.iter().filter(|grant| !after.contains(&grant.name)).collect();
        let renamed = self.renamed(&gone, &before);
        let known: BTreeSet<_> = renamed.values().map(|grant| &grant.name).collect();
        gone.retain(|grant| !known.contains(&grant.name));
        let mut changes = Vec::new();
        for grant in self.new.grants.iter() {
            if let Some(known) = before.get(&grant.name) {
                changes.extend(self.both(known, grant));
            } else if let Some(known) = renamed.get(&grant.name) {
                changes.push(change(
                    Kind::Changed,
                    grant,
                    format!("is the new name of grant {}", known.name),
                    Vec::new(),
                ));
                changes.extend(self.both(known, grant));
            } else {
                changes.push(self.come(grant));
            }
        }
        changes.extend(gone.into_iter().map(|grant| self.gone(grant)));
        changes
    }

    /// Grants of the new table that mean what one of the old table meant whose name is gone.
    fn renamed<'g>(
        &'g self,
        gone: &[&'g Grant],
        before: &HashMap<&GrantName, &Grant>,
    ) -> HashMap<&'g GrantName, &'g Grant> {
        let mut by_resource: HashMap<ResourceId, Vec<&Grant>> = HashMap::new();
        for grant in gone {
            by_resource.entry(grant.resource).or_default().push(grant);
        }
        let free: HashMap<_, _> = by_resource.into_iter().map(|(id, grants)| (id, Wider::new(grants))).collect();
        let mut taken: BTreeSet<&GrantName> = BTreeSet::new();
        let mut renamed = HashMap::new();
        for grant in self.new.grants.iter().filter(|grant| !before.contains_key(&grant.name)) {
            let Some(wider) = self.to.resources.get(&grant.resource).and_then(|id| free.get(id)) else { continue };
            let candidates = wider.candidates(grant);
            let same = candidates.into_iter().find(|known| !taken.contains(&known.name) && self.same(known, grant));
            if let Some(known) = same {
                taken.insert(&known.name);
                renamed.insert(&grant.name, known);
            }
        }
        renamed
    }

    /// Whether both mean the same by themselves.
    fn same(&self, old: &Grant, new: &Grant) -> bool {
        let mut known = new.clone();
        let audience = |snapshot: &Snapshot, grant: &Grant| {
            snapshot.resources.get(grant.resource).map(|resource| resource.audience.clone())
        };
        if audience(self.new, new).as_ref() == Some(&new.audience)
            && audience(self.old, old).as_ref() == Some(&old.audience)
        {
            known.audience = old.audience.clone();
        }
        let issuers = |ids: &mut dyn Iterator<Item = Option<IssuerId>>| ids.collect::<Option<BTreeSet<_>>>();
        old.mode == new.mode
            && self.to.resources.get(&new.resource) == Some(&old.resource)
            && issuers(&mut new.issuers.iter().map(|id| self.to.issuers.get(id).copied()))
                == issuers(&mut old.issuers.iter().map(|id| Some(*id)))
            && covers(old, &known)
            && covers(&known, old)
    }

    fn both(&self, old: &Grant, new: &Grant) -> Option<Change> {
        let (gain, loss) = (self.gains.grants.get(&new.id), self.losses.grants.get(&old.id));
        let found = kind(gain.is_some(), loss.is_some());
        let details = || fields::differences(Some(fields::of(old, &self.told.0)), Some(fields::of(new, &self.told.1)));
        let Some(kind) = found else {
            let text = match (old.mode, new.mode) {
                _ if self.same(old, new) => return None,
                (Mode::Shadow, Mode::Shadow) => "watches something else",
                (Mode::Shadow, Mode::Enforce) => "is enforced, and allows nothing that others did not",
                _ => "is written differently; with the other grants nobody gains or loses by it",
            };
            return Some(change(Kind::Changed, new, text.to_owned(), details()));
        };
        let mut details = details();
        let places = |gain: Option<&Gain>| {
            let places: Vec<_> = gain.into_iter().flat_map(|gain| gain.places.iter().cloned()).collect();
            (!places.is_empty()).then(|| places.join(" "))
        };
        let (gained, lost) = (places(gain), places(loss));
        if gained.is_some() || lost.is_some() {
            details.push(Detail { field: "reaches".to_owned(), old: lost, new: gained });
        }
        let text = match (gain.is_some(), loss.is_some()) {
            (true, true) => "allows what was not allowed, and no longer all that was",
            (true, false) => "allows what was not allowed",
            _ => "no longer allows all that it did",
        };
        Some(change(kind, new, text.to_owned(), details))
    }

    fn come(&self, grant: &Grant) -> Change {
        let details = fields::differences(None, Some(fields::of(grant, &self.told.1)));
        let (kind, text) = match (grant.mode, self.gains.grants.contains_key(&grant.id)) {
            (Mode::Shadow, _) => (Kind::Changed, "is new, in shadow mode: it allows nothing"),
            (Mode::Enforce, true) => (Kind::Widened, "is new"),
            (Mode::Enforce, false) => (Kind::Changed, "is new, and allows nothing that others did not"),
        };
        change(kind, grant, text.to_owned(), details)
    }

    fn gone(&self, grant: &Grant) -> Change {
        let details = fields::differences(Some(fields::of(grant, &self.told.0)), None);
        let (kind, text) = match (grant.mode, self.losses.grants.contains_key(&grant.id)) {
            (Mode::Shadow, _) => (Kind::Changed, "is gone; it was in shadow mode and allowed nothing"),
            (Mode::Enforce, true) => (Kind::Narrowed, "is gone"),
            (Mode::Enforce, false) => (Kind::Changed, "is gone; others allow all that it did"),
        };
        change(kind, grant, text.to_owned(), details)
    }
}

fn change(kind: Kind, grant: &Grant, text: String, details: Vec<Detail>) -> Change {
    Change { kind, entry: Entry::Grant, name: grant.name.to_string(), text, details, site: grant.site.clone() }
}
