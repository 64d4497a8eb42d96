//! Resources by host and port, then by path.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Authority, HostPattern, PathTree, Resource, ResourceId};

/// A resource with more hosts times paths than this is not written out under each host.
const MAX_WRITTEN_OUT: usize = 1024;

/// What a path leads to.
pub(super) type Paths = PathTree<Ranked>;

/// A resource, and how specific the path is by which it was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    pub(super) id: ResourceId,
    pub(super) specificity: (bool, usize),
}

/// Resources by the most specific host that matches; whatever lies at a less specific one is shut out.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<Box<str>, Ports>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Ports>,
}

#[derive(Debug, Default)]
struct Ports {
    any: Spot,
    these: BTreeMap<u16, Spot>,
}

/// Everything at one host pattern.
#[derive(Debug, Default)]
struct Spot {
    own: Option<Box<Paths>>,
    /// Of resources with many hosts and many paths.
    shared: Vec<Arc<Paths>>,
}

/// How specific a host is: see [`HostPattern::specificity`].
pub(super) type HostRank = (bool, bool);

impl Hosts {
    /// Adds a resource at each of its hosts.
    pub(super) fn insert(&mut self, id: ResourceId, resource: &Resource) {
        let shared = (resource.hosts.len() * resource.paths.len() > MAX_WRITTEN_OUT).then(|| {
            let mut paths = Paths::default();
            add(&mut paths, id, resource);
            Arc::new(paths)
        });
        for host in &resource.hosts {
            let spot = self.spot(host);
            match &shared {
                Some(paths) => spot.shared.push(Arc::clone(paths)),
                None => add(spot.own.get_or_insert_default(), id, resource),
            }
        }
    }

    fn spot(&mut self, host: &HostPattern) -> &mut Spot {
        let map = if host.wildcard { &mut self.wildcard } else { &mut self.exact };
        let ports = map.entry(host.host.as_str().into()).or_default();
        host.port.map_or(&mut ports.any, |port| ports.these.entry(port).or_default())
    }

    /// How specific the most specific host is that matches.
    pub(super) fn rank(&self, authority: &Authority<'_>) -> Option<HostRank> {
        self.best(authority).map(|(rank, _)| rank)
    }

    /// The paths there.
    pub(super) fn trees(&self, authority: &Authority<'_>) -> impl Iterator<Item = &Paths> {
        let spot = self.best(authority).map(|(_, spot)| spot);
        spot.into_iter().flat_map(|spot| spot.own.as_deref().into_iter().chain(spot.shared.iter().map(Arc::as_ref)))
    }

    fn best(&self, authority: &Authority<'_>) -> Option<(HostRank, &Spot)> {
        let exact = self.exact.get(&*authority.host).and_then(|ports| ports.best(authority.port));
        if let Some((port, spot)) = exact {
            return Some(((true, port), spot));
        }
        let (label, suffix) = authority.host.split_once('.')?;
        let ports = self.wildcard.get(suffix).filter(|_| !label.is_empty())?;
        ports.best(authority.port).map(|(port, spot)| ((false, port), spot))
    }
}

impl Ports {
    fn best(&self, port: Option<u16>) -> Option<(bool, &Spot)> {
        let with_port = port.and_then(|port| self.these.get(&port)).map(|spot| (true, spot));
        with_port.or_else(|| Some((false, &self.any)).filter(|(_, spot)| !spot.is_empty()))
    }
}

impl Spot {
    fn is_empty(&self) -> bool {
        self.own.is_none() && self.shared.is_empty()
    }
}

/// Adds a resource under each of its paths.
pub(super) fn add(paths: &mut Paths, id: ResourceId, resource: &Resource) {
    for pattern in &resource.paths {
        paths.insert(pattern, Ranked { id, specificity: pattern.specificity() });
    }
}
