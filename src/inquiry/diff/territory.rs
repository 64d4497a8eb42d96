//! Which resource a request reaches, in one table and in another.
//!
//! A *spot* is one host of one resource under its conditions, with one of its paths. Where two tables have the same spots
//! with the same owners, every request reaches the same resource in both. Where they differ, it is looked for what a
//! request that reaches a resource by some spot could have reached before.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::relation::{hosts_meet, within_host};
use crate::resource::{HostPattern, PathPattern, Resource, ResourceId};
use crate::table::Snapshot;

/// Conditions and a host: what is decided before any path is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Door<'t> {
    context: Vec<(&'t str, &'t str)>,
    route: Option<(&'t str, Option<&'t str>)>,
    pub(super) host: Option<&'t HostPattern>,
}

impl Door<'_> {
    /// More pairs win, then the host.
    fn rank(&self) -> (usize, Option<(bool, bool)>) {
        let route = self.route.map_or(0, |(_, name)| 1 + usize::from(name.is_some()));
        (self.context.len() + route, self.host.map(HostPattern::specificity))
    }

    /// Whether one request may come through both.
    fn meets(&self, other: &Self) -> bool {
        let contradicts = |(key, value): &(&str, &str)| other.context.iter().any(|(k, v)| k == key && v != value);
        let hosts = match (self.host, other.host) {
            (Some(one), Some(two)) => hosts_meet(one, two),
            _ => true,
        };
        // A request may name several routes.
        hosts && !self.context.iter().any(contradicts)
    }

    /// Whether every request that comes through all of these comes through this one.
    fn holds(&self, narrow: &[&Self]) -> bool {
        let host = self
            .host
            .is_none_or(|wide| narrow.iter().filter_map(|door| door.host).any(|narrow| within_host(narrow, wide)));
        let route = self.route.is_none_or(|(namespace, name)| {
            let fits = |given: Option<&str>| name.is_none() || name == given;
            narrow.iter().filter_map(|door| door.route).any(|(other, given)| other == namespace && fits(given))
        });
        host && route && self.context.iter().all(|pair| narrow.iter().any(|door| door.context.contains(pair)))
    }
}

/// One host of one resource, with one of its paths.
#[derive(Debug, Clone)]
pub(super) struct Spot<'t> {
    pub(super) door: Door<'t>,
    pub(super) path: &'t PathPattern,
    pub(super) owner: ResourceId,
}

impl Spot<'_> {
    fn beats(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Greater
    }

    fn compare(&self, other: &Self) -> Ordering {
        let doors = self.door.rank().cmp(&other.door.rank());
        doors.then_with(|| self.path.specificity().cmp(&other.path.specificity()))
    }
}

/// A spot, or a whole door, that is not the same in both tables.
#[derive(Debug, Clone)]
struct Moved<'t> {
    door: Door<'t>,
    /// None: the door itself is new or gone, so all behind it counts.
    path: Option<&'t PathPattern>,
    /// Whether the second table has it.
    is_there: bool,
}

/// Spots by their host.
#[derive(Debug, Default)]
struct ByHost {
    exact: HashMap<String, Vec<usize>>,
    /// By what stands after the first label, for wildcards and for the hosts below them.
    wild: HashMap<String, Vec<usize>>,
    below: HashMap<String, Vec<usize>>,
    anywhere: Vec<usize>,
    count: usize,
}

impl ByHost {
    fn of<'a>(doors: impl Iterator<Item = &'a Door<'a>>) -> Self {
        let mut all = Self::default();
        for (number, door) in doors.enumerate() {
            all.count = number + 1;
            match door.host {
                None => all.anywhere.push(number),
                Some(host) if host.wildcard => all.wild.entry(host.host.clone()).or_default().push(number),
                Some(host) => {
                    all.exact.entry(host.host.clone()).or_default().push(number);
                    let parent = host.host.split_once('.').map_or("", |(_, parent)| parent);
                    all.below.entry(parent.to_owned()).or_default().push(number);
                }
            }
        }
        all
    }

    /// The numbers of those whose host may be one with this.
    fn near(&self, door: &Door<'_>) -> Vec<usize> {
        let lists = match door.host {
            None => return (0..self.count).collect(),
            Some(host) if host.wildcard => [self.wild.get(&host.host), self.below.get(&host.host)],
            Some(host) => {
                let parent = host.host.split_once('.').map_or("", |(_, parent)| parent);
                [self.exact.get(&host.host), self.wild.get(parent)]
            }
        };
        lists.into_iter().flatten().flatten().chain(&self.anywhere).copied().collect()
    }
}

/// The spots of two tables, and where they differ.
#[derive(Debug)]
pub(super) struct Territory<'t> {
    from: Vec<Spot<'t>>,
    from_by_host: ByHost,
    /// Spots of the second table, by resource.
    to: HashMap<ResourceId, Vec<Spot<'t>>>,
    to_spots: HashSet<(Door<'t>, &'t PathPattern)>,
    to_doors: HashSet<Door<'t>>,
    moved: Vec<Moved<'t>>,
    moved_by_host: ByHost,
}

/// A part of a resource of the second table in which requests may have reached something else before.
#[derive(Debug)]
pub(super) struct Region<'t> {
    /// By which spot the resource is reached.
    spot: Spot<'t>,
    /// What has changed there.
    door: Door<'t>,
    path: Option<&'t PathPattern>,
}

impl<'t> Territory<'t> {
    /// `owners` are the resources of the second table as the first one knows them.
    pub(super) fn of(from: &'t Snapshot, to: &'t Snapshot, owners: &HashMap<ResourceId, ResourceId>) -> Self {
        let before: Vec<Spot<'t>> = from.resources.iter().flat_map(|(id, resource)| spots(id, resource)).collect();
        let after: Vec<Spot<'t>> = to.resources.iter().flat_map(|(id, resource)| spots(id, resource)).collect();
        let known: HashMap<(&Door<'_>, &PathPattern), ResourceId> =
            before.iter().map(|spot| ((&spot.door, spot.path), spot.owner)).collect();
        let now: HashMap<(&Door<'_>, &PathPattern), Option<ResourceId>> =
            after.iter().map(|spot| ((&spot.door, spot.path), owners.get(&spot.owner).copied())).collect();
        let doors_before: HashSet<&Door<'_>> = before.iter().map(|spot| &spot.door).collect();
        let doors_after: HashSet<&Door<'_>> = after.iter().map(|spot| &spot.door).collect();
        let mut moved = Vec::new();
        let mut tell = |spot: &Spot<'t>, is_there: bool| {
            let stays = doors_before.contains(&spot.door) && doors_after.contains(&spot.door);
            moved.push(Moved { door: spot.door.clone(), path: stays.then_some(spot.path), is_there });
        };
        for spot in &after {
            if known.get(&(&spot.door, spot.path)).copied() != owners.get(&spot.owner).copied()
                || !owners.contains_key(&spot.owner)
            {
                tell(spot, true);
            }
        }
        for spot in before.iter().filter(|spot| !now.contains_key(&(&spot.door, spot.path))) {
            tell(spot, false);
        }
        let to_spots = after.iter().map(|spot| (spot.door.clone(), spot.path)).collect();
        let to_doors = after.iter().map(|spot| spot.door.clone()).collect();
        let mut by_resource: HashMap<ResourceId, Vec<Spot<'t>>> = HashMap::new();
        for spot in after {
            by_resource.entry(spot.owner).or_default().push(spot);
        }
        Self {
            from_by_host: ByHost::of(before.iter().map(|spot| &spot.door)),
            moved_by_host: ByHost::of(moved.iter().map(|piece| &piece.door)),
            from: before,
            to: by_resource,
            to_spots,
            to_doors,
            moved,
        }
    }

    /// Where requests that reach this resource of the second table may have reached something else in the first.
    pub(super) fn regions(&self, resource: ResourceId) -> Vec<Region<'t>> {
        let mut regions = Vec::new();
        for spot in self.to.get(&resource).into_iter().flatten() {
            let near = self.moved_by_host.near(&spot.door);
            for piece in near.into_iter().filter_map(|number| self.moved.get(number)) {
                let met = piece.door.meets(&spot.door) && piece.path.is_none_or(|path| path.intersects(spot.path));
                if met && !piece.beats(spot) {
                    regions.push(Region { spot: spot.clone(), door: piece.door.clone(), path: piece.path });
                }
            }
        }
        regions
    }

    /// The resources of the first table that a request in this region may have reached, as far as it goes to one of these
    /// paths; `None` where it may have reached none.
    pub(super) fn before(&self, region: &Region<'t>, path: &PathPattern) -> Option<Vec<ResourceId>> {
        let doors = [&region.spot.door, &region.door];
        let paths: Vec<_> = region.paths().chain(std::iter::once(path)).collect();
        let near = self.from_by_host.near(&region.spot.door);
        let near = near.into_iter().filter_map(|number| self.from.get(number));
        let met: Vec<_> = near.filter(|spot| doors.iter().all(|door| spot.door.meets(door))).collect();
        let covers = |spot: &&&Spot<'_>| spot.door.holds(&doors) && paths.iter().any(|path| spot.path.covers(path));
        let floor = met.iter().filter(covers).max_by(|one, two| one.compare(two))?;
        // Another door that comes first, and is not still there to come first.
        let shut_out = |spot: &&&Spot<'_>| {
            let still = self.to_doors.contains(&spot.door) && spot.door.rank() > region.spot.door.rank();
            spot.door.rank() > floor.door.rank() && !still
        };
        if met.iter().any(|spot| shut_out(&spot)) {
            return None;
        }
        let reached = met.iter().filter(|spot| {
            let still = self.to_spots.contains(&(spot.door.clone(), spot.path)) && spot.beats(&region.spot);
            paths.iter().all(|path| spot.path.intersects(path)) && spot.compare(floor) != Ordering::Less && !still
        });
        let reached: Vec<_> = reached.collect();
        // A request with several routes that finds two of equal rank reaches none.
        let ties =
            |one: &&&&Spot<'_>| reached.iter().any(|two| two.owner != one.owner && two.compare(one) == Ordering::Equal);
        if reached.iter().any(|spot| ties(&spot)) {
            return None;
        }
        let mut owners: Vec<_> = reached.into_iter().map(|spot| spot.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        Some(owners)
    }
}

impl Moved<'_> {
    /// Whether requests that come here reach what is here now, and not the other spot.
    fn beats(&self, spot: &Spot<'_>) -> bool {
        if !self.is_there {
            return false;
        }
        match self.door.rank().cmp(&spot.door.rank()) {
            Ordering::Greater => true,
            Ordering::Equal => self.path.is_some_and(|path| path.specificity() > spot.path.specificity()),
            Ordering::Less => false,
        }
    }
}

impl<'t> Region<'t> {
    /// What every path of a request in it matches.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'t PathPattern> {
        std::iter::once(self.spot.path).chain(self.path)
    }

    /// The host and path of the region, for people.
    pub(super) fn told(&self) -> String {
        let hosts = [self.spot.door.host, self.door.host];
        let exact = hosts.into_iter().flatten().max_by_key(|host| host.specificity());
        let host = exact.map_or_else(String::new, ToString::to_string);
        let path = match self.path {
            Some(path) if self.spot.path.covers(path) => path,
            _ => self.spot.path,
        };
        format!("{host}{path}")
    }
}

/// Every spot of a resource.
fn spots(id: ResourceId, resource: &Resource) -> impl Iterator<Item = Spot<'_>> {
    let mut context: Vec<_> = resource.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    context.sort_unstable();
    let route = resource.route.as_ref().map(|route| (route.namespace.as_str(), route.name.as_deref()));
    let hosts = resource.hosts.iter().map(Some).chain(resource.hosts.is_empty().then_some(None));
    hosts.flat_map(move |host| {
        let door = Door { context: context.clone(), route, host };
        resource.paths.iter().map(move |path| Spot { door: door.clone(), path, owner: id })
    })
}

/// Whether two resources of two tables are the same place.
pub(super) fn same_place(one: (ResourceId, &Resource), two: (ResourceId, &Resource)) -> bool {
    let set = |(id, resource)| -> HashSet<(Door<'_>, String)> {
        spots(id, resource).map(|spot| (spot.door, spot.path.to_string())).collect()
    };
    set(one) == set(two)
}
