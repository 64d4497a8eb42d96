//! Pairs of resources that one request could pick with equal rank.
//!
//! Comparing all with all would take long where there are thousands, so only those are compared that share what two
//! must share to collide: the values of every `context` key and route that both name, a host, and the literal start
//! of a path.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{HostPattern, PathTree, Resource, ResourceId};

/// More are not looked for: they would not be told either.
const MAX_CONFLICTS: usize = 10_000;
/// A resource with more hosts times paths than this is compared with all that share a host.
const MAX_WRITTEN_OUT: usize = 1024;

/// Two resources that one request could pick with equal rank: such a table does not load (CR132).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The one that was first in the list.
    pub first: ResourceId,
    /// The other.
    pub second: ResourceId,
}

/// A condition by its name; two resources that name one with different values never meet in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key<'r> {
    Context(&'r str),
    Namespace,
    RouteName,
}

/// What two resources must share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shared<'r> {
    values: Vec<&'r str>,
    host: Option<&'r HostPattern>,
}

/// Those that share it.
#[derive(Debug, Default)]
struct Group<'r> {
    paths: PathTree<Entry<'r>>,
    /// Those with many paths and many hosts.
    large: Vec<Entry<'r>>,
}

/// Every conflict, sorted; of very many, the first that are found.
pub(super) fn conflicts(resources: &[Resource]) -> Vec<Conflict> {
    // Resources that name the same conditions, whatever their values.
    let mut kinds: BTreeMap<Vec<Key<'_>>, Vec<Entry<'_>>> = BTreeMap::new();
    for (id, resource) in (0..).map(ResourceId).zip(resources) {
        let entry = Entry { id, resource };
        kinds.entry(entry.conditions().map(|(key, _)| key).collect()).or_default().push(entry);
    }
    let mut found = BTreeSet::new();
    for (keys, ones) in &kinds {
        for (others_keys, others) in kinds.iter().filter(|(others_keys, _)| others_keys.len() == keys.len()) {
            let common: Vec<_> = keys.iter().filter(|key| others_keys.contains(key)).copied().collect();
            between(&common, ones, others, &mut found);
        }
    }
    found.into_iter().collect()
}

/// Those between any of `ones` and any of `others`, but for large ones with small others: the other way round they are
/// found too.
fn between<'r>(common: &[Key<'r>], ones: &[Entry<'r>], others: &[Entry<'r>], found: &mut BTreeSet<Conflict>) {
    let mut known: HashMap<Shared<'r>, Group<'r>> = HashMap::new();
    for entry in others {
        for shared in entry.shared(common) {
            let group = known.entry(shared).or_default();
            if entry.is_large() {
                group.large.push(*entry);
            } else {
                entry.resource.paths.iter().for_each(|path| group.paths.insert(path, *entry));
            }
        }
    }
    for one in ones {
        let mut meets = |other: &Entry<'r>| {
            let conflict = Conflict { first: one.id.min(other.id), second: one.id.max(other.id) };
            let news = one.id != other.id && found.len() < MAX_CONFLICTS && !found.contains(&conflict);
            if news && one.resource.collides_with(other.resource) {
                found.insert(conflict);
            }
        };
        for group in one.shared(common).iter().filter_map(|shared| known.get(shared)) {
            group.large.iter().for_each(&mut meets);
            if !one.is_large() {
                one.resource.paths.iter().for_each(|path| group.paths.rivals(path, &mut meets));
            }
        }
        if found.len() >= MAX_CONFLICTS {
            return;
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry<'r> {
    id: ResourceId,
    resource: &'r Resource,
}

impl<'r> Entry<'r> {
    /// What must be equal, sorted.
    fn conditions(self) -> impl Iterator<Item = (Key<'r>, &'r str)> {
        let context = self.resource.context.iter().map(|(key, value)| (Key::Context(key), value.as_str()));
        let route = self.resource.route.as_ref();
        let namespace = route.map(|route| (Key::Namespace, route.namespace.as_str()));
        let name = route.and_then(|route| Some((Key::RouteName, route.name.as_deref()?)));
        let mut all: Vec<_> = context.chain(namespace).chain(name).collect();
        all.sort_unstable();
        all.into_iter()
    }

    fn is_large(self) -> bool {
        self.resource.hosts.len() * self.resource.paths.len() > MAX_WRITTEN_OUT
    }

    /// What another must have too, at each of the hosts.
    fn shared(self, common: &[Key<'r>]) -> Vec<Shared<'r>> {
        let conditions = self.conditions().filter(|(key, _)| common.contains(key));
        let values: Vec<_> = conditions.map(|(_, value)| value).collect();
        let hosts = self.resource.hosts.iter().map(Some);
        let hosts = hosts.chain(self.resource.hosts.is_empty().then_some(None));
        hosts.map(|host| Shared { values: values.clone(), host }).collect()
    }
}

impl Resource {
    /// Whether one request could pick both with equal rank.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        let pairs = self.pairs() == other.pairs();
        let contradicts = self.context.iter().any(|(key, value)| {
            other.context.iter().any(|(other_key, other_value)| key == other_key && value != other_value)
        });
        let hosts = (self.hosts.is_empty() && other.hosts.is_empty())
            || self.hosts.iter().any(|host| other.hosts.contains(host));
        let paths = self
            .paths
            .iter()
            .any(|one| other.paths.iter().any(|two| one.specificity() == two.specificity() && one.intersects(two)));
        pairs && !contradicts && hosts && paths && !self.routes_differ(other)
    }

    /// A request names the route it took, so two resources with different routes are not picked together; with
    /// several routes in one request they could be, but Envoy Gateway sends one.
    fn routes_differ(&self, other: &Self) -> bool {
        let (Some(one), Some(two)) = (&self.route, &other.route) else { return false };
        let names_differ = one.name.is_some() && two.name.is_some() && one.name != two.name;
        one.namespace != two.namespace || names_differ
    }
}
