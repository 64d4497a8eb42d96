//! What the grants of one table allow that another table does not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::resources::{place, units};
use super::territory::{Region, Territory};
use crate::decide::{Grant, GrantId, Mode, SubjectRule};
use crate::relation::{Wider, admits, covers, ends_within, opens};
use crate::resource::{Methods, PathPattern, Resource, ResourceId};
use crate::table::Snapshot;
use crate::trust::IssuerId;

/// A grant is looked at piece by piece where it has at most so many of method, path and subject.
const MAX_PIECES: usize = 512;

/// One direction: what `to` allows, looked for in `from`.
pub(super) struct Side<'t> {
    pub(super) from: &'t Snapshot,
    pub(super) to: &'t Snapshot,
    /// Of `to`, by number: those of `from`.
    pub(super) issuers: &'t HashMap<IssuerId, IssuerId>,
    /// Of `to`, by number: those of `from`.
    pub(super) resources: &'t HashMap<ResourceId, ResourceId>,
}

/// What was not found.
#[derive(Debug, Default)]
pub(super) struct Gains {
    /// By grant: at which issuers, and in which places alone where it is not all of it.
    pub(super) grants: BTreeMap<GrantId, Gain>,
    /// Resources with places that are open to all there, and may not have been.
    pub(super) open: BTreeSet<(ResourceId, String)>,
}

/// What one grant allows that was not allowed.
#[derive(Debug, Default)]
pub(super) struct Gain {
    /// At which issuers it is more than it was, or new.
    pub(super) issuers: BTreeSet<IssuerId>,
    /// Places that it reaches now.
    pub(super) places: BTreeSet<String>,
}

impl<'t> Side<'t> {
    pub(super) fn gains(&self) -> Gains {
        let territory = Territory::of(self.from, self.to, self.resources);
        let mut gains = Gains::default();
        let mut regions: HashMap<ResourceId, Vec<Region<'t>>> = HashMap::new();
        for (id, resource) in self.to.resources.iter() {
            let found = territory.regions(id);
            self.opened(resource, &found, &territory, &mut gains);
            self.observed(resource, &found, &territory, &mut gains);
            regions.insert(id, found);
        }
        let mut before = Before { snapshot: self.from, pairs: HashMap::new() };
        for grant in self.to.grants.iter().filter(|grant| grant.mode == Mode::Enforce) {
            let Some(resource) = self.to.resources.get(grant.resource) else { continue };
            let mut gain = Gain::default();
            self.more(grant, resource, &mut before, &mut gain);
            for region in regions.get(&grant.resource).into_iter().flatten() {
                self.elsewhere(grant, resource, region, &territory, &mut before, &mut gain);
            }
            if !gain.issuers.is_empty() || !gain.places.is_empty() {
                gains.grants.insert(grant.id, gain);
            }
        }
        gains
    }

    /// Where the resource was there before: whether its grants allowed as much.
    fn more(&self, grant: &Grant, resource: &Resource, before: &mut Before<'t>, gain: &mut Gain) {
        let Some(id) = self.resources.get(&grant.resource) else { return };
        let Some(known) = self.from.resources.get(*id) else { return };
        // Another audience is told of the resource once, and not of each of its grants.
        let mut wanted = grant.clone();
        if wanted.audience == resource.audience {
            wanted.audience = known.audience.clone();
        }
        for issuer in &grant.issuers {
            let held = self.issuers.get(issuer).is_some_and(|issuer| before.hold(*issuer, *id, &wanted));
            if !held {
                gain.issuers.insert(*issuer);
            }
        }
    }

    /// Where requests may have reached something else before.
    fn elsewhere(
        &self,
        grant: &Grant,
        resource: &Resource,
        region: &Region<'t>,
        territory: &Territory<'t>,
        before: &mut Before<'t>,
        gain: &mut Gain,
    ) {
        for path in grant.paths.iter().filter(|path| region.paths().all(|other| other.intersects(path))) {
            // A request here matches each of these paths: it is enough that one of them was allowed.
            let paths = region.paths().chain(std::iter::once(path));
            let ways: Vec<_> = paths.map(|path| Grant { paths: vec![path.clone()], ..grant.clone() }).collect();
            let mut allowed = |owner: ResourceId| {
                let known = self.from.resources.get(owner).is_some_and(|known| self.as_strict(known, resource));
                known
                    && grant.issuers.iter().all(|issuer| {
                        let issuer = self.issuers.get(issuer);
                        issuer.is_some_and(|issuer| ways.iter().any(|way| before.hold(*issuer, owner, way)))
                    })
            };
            let held = territory.before(region, path).is_some_and(|owners| owners.into_iter().all(&mut allowed));
            if !held {
                gain.places.insert(region.told());
            }
        }
    }

    /// Whether a resource of before let nothing through that the one of now does not, grants aside. What the two of them
    /// differ in is told of the resource where it is the same one.
    fn as_strict(&self, known: &Resource, now: &Resource) -> bool {
        let same = self.resources.get(&now.id) == Some(&known.id);
        same || (known.credential == now.credential
            && known.anonymous.is_empty()
            && known.observe.is_none()
            && (known.encoded_slash_is_data || !now.encoded_slash_is_data)
            && (known.forward_token || !now.forward_token)
            && (known.forward_overrides || !now.forward_overrides)
            && ends_within(now.expires, known.expires))
    }

    /// Places that are open where requests may have reached something else before.
    fn opened(&self, now: &Resource, regions: &[Region<'t>], territory: &Territory<'t>, gains: &mut Gains) {
        if regions.is_empty() {
            return;
        }
        for open in units(now) {
            let touched =
                |region: &&Region<'_>| open.paths.iter().any(|path| region.paths().all(|other| other.intersects(path)));
            let was_open = |owner: ResourceId| {
                self.from.resources.get(owner).is_some_and(|known| {
                    ends_within(now.expires, known.expires)
                        && (known.encoded_slash_is_data || !now.encoded_slash_is_data)
                        && units(known).any(|wide| opens(&wide, &open))
                })
            };
            for region in regions.iter().filter(touched) {
                let held = open
                    .paths
                    .iter()
                    .all(|path| territory.before(region, path).is_some_and(|owners| owners.into_iter().all(was_open)));
                if !held {
                    let text = format!("is open to all for {} at {}", place(&open), region.told());
                    gains.open.insert((now.id, text));
                }
            }
        }
    }
}

impl<'t> Side<'t> {
    /// Places where refusals are only observed now, and where requests may have reached something else before.
    fn observed(&self, now: &Resource, regions: &[Region<'t>], territory: &Territory<'t>, gains: &mut Gains) {
        let Some(until) = now.observed_until() else { return };
        let was_observed = |owner: ResourceId| {
            self.from.resources.get(owner).is_some_and(|known| {
                known.observed_until().is_some_and(|end| end.seconds() >= until.seconds())
                    && (known.encoded_slash_is_data || !now.encoded_slash_is_data)
            })
        };
        for region in regions {
            let mut paths = region.paths();
            let before = paths.next().and_then(|path| territory.before(region, path));
            if !before.is_some_and(|owners| owners.into_iter().all(was_observed)) {
                gains.open.insert((now.id, format!("only observes at {}: anyone gets through there", region.told())));
            }
        }
    }
}

/// The enforcing grants of the first table, by issuer and resource.
struct Before<'t> {
    snapshot: &'t Snapshot,
    pairs: HashMap<(IssuerId, ResourceId), Wider<'t>>,
}

impl<'t> Before<'t> {
    /// Whether grants of this pair allowed all that this grant allows, scopes and forwarded claims included; also where
    /// only several together did.
    fn hold(&mut self, issuer: IssuerId, resource: ResourceId, wanted: &Grant) -> bool {
        let snapshot = self.snapshot;
        let wider = self.pairs.entry((issuer, resource)).or_insert_with(|| {
            let grants = snapshot.grants.of(issuer, resource).iter();
            Wider::new(grants.filter(|grant| grant.mode == Mode::Enforce))
        });
        holds(wider, wanted) || {
            let pieces = pieces(wanted);
            pieces.len() > 1 && pieces.iter().all(|piece| holds(wider, piece))
        }
    }
}

/// Whether those that fit wherever this one fits hand on all that it hands on.
fn holds(wider: &Wider<'_>, wanted: &Grant) -> bool {
    let candidates = wider.candidates(wanted);
    if candidates.iter().any(|known| covers(known, wanted)) {
        return true;
    }
    let fitting: Vec<_> = candidates.into_iter().filter(|known| admits(known, wanted)).collect();
    !fitting.is_empty()
        && wanted.scopes.iter().all(|scope| fitting.iter().any(|known| known.scopes.contains(scope)))
        && wanted.forward_claims.iter().all(|claim| fitting.iter().any(|known| known.forward_claims.contains(claim)))
}

/// A grant as several with one method, one path and one subject each; none where there would be very many.
fn pieces(grant: &Grant) -> Vec<Grant> {
    let methods: Vec<Methods> = match &grant.methods {
        Methods::Any => vec![Methods::Any],
        Methods::These(these) => these.iter().map(|one| Methods::These(vec![one.clone()])).collect(),
    };
    let subjects: Vec<Option<SubjectRule>> = match &grant.subject {
        Some(SubjectRule::Exact(all)) => all.iter().map(|one| Some(SubjectRule::Exact(vec![one.clone()]))).collect(),
        other => vec![other.clone()],
    };
    if methods.len() * subjects.len() * grant.paths.len() > MAX_PIECES {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    for methods in &methods {
        for subject in &subjects {
            let piece = |path: &PathPattern| Grant {
                methods: methods.clone(),
                subject: subject.clone(),
                paths: vec![path.clone()],
                ..grant.clone()
            };
            pieces.extend(grant.paths.iter().map(piece));
        }
    }
    pieces
}
