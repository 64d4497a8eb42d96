//! The index that picks exactly one resource.

use std::collections::HashMap;

use super::{Authority, HostPattern, Place, RequestPath, Resource, ResourceId};
use crate::reason::Reason;
use crate::request::AuthzRequest;

/// All resources of a snapshot, found without looking at each.
#[derive(Debug, Default)]
pub struct ResourceIndex {
    resources: Vec<Resource>,
    /// By one of its `context` or `route` conditions: those resources that have any.
    by_condition: HashMap<Condition, Vec<ResourceId>>,
    /// By exact host, then by the name behind `*.`: those resources that have no such condition.
    by_host: HashMap<String, Vec<ResourceId>>,
    by_suffix: HashMap<String, Vec<ResourceId>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    Context(String, String),
    RouteNamespace(String),
}

/// Two resources that one request could pick with equal rank: such a table does not load (CR132).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The one that was first in the list.
    pub first: ResourceId,
    /// The other.
    pub second: ResourceId,
}

impl ResourceIndex {
    /// Builds the index. Each resource's number is its position in the list.
    ///
    /// # Errors
    /// Every pair of resources that a request could pick with equal rank.
    pub fn build(mut resources: Vec<Resource>) -> Result<Self, Vec<Conflict>> {
        let mut index = Self::default();
        for (id, resource) in (0..).map(ResourceId).zip(&mut resources) {
            resource.id = id;
            if let Some(condition) = resource.first_condition() {
                index.by_condition.entry(condition).or_default().push(id);
                continue;
            }
            for host in &resource.hosts {
                let map = if host.wildcard { &mut index.by_suffix } else { &mut index.by_host };
                let ids = map.entry(host.host.clone()).or_default();
                if ids.last() != Some(&id) {
                    ids.push(id);
                }
            }
        }
        index.resources = resources;
        let conflicts = index.conflicts();
        if conflicts.is_empty() { Ok(index) } else { Err(conflicts) }
    }

    /// The resource with this number.
    pub fn get(&self, id: ResourceId) -> Option<&Resource> {
        self.resources.get(usize::try_from(id.0).ok()?)
    }

    /// Every resource with its number.
    pub fn iter(&self) -> impl Iterator<Item = (ResourceId, &Resource)> {
        (0..).map(ResourceId).zip(&self.resources)
    }

    /// Picks the one resource where the request goes: equal `context` and `route` first (more pairs win), then the
    /// host (exact before wildcard, with its port before without), then the path (exact before pattern, then the
    /// longest literal start). Each rank is decided before the next is looked at, as Envoy picks a virtual host.
    ///
    /// # Errors
    /// [`Reason::ResourceUnknown`]: no resource there, or a host that two readers could read differently.
    pub fn find<'s, 'r>(&'s self, request: &AuthzRequest<'r>, path: RequestPath<'r>) -> Result<Place<'s, 'r>, Reason> {
        let authority = Authority::read(request.host).ok_or(Reason::ResourceUnknown)?;
        let conditioned = self.conditioned(request, &authority);
        let candidates = if conditioned.is_empty() { self.hosted(&authority) } else { conditioned };
        let mut tied = false;
        let mut best: Option<((bool, usize), ResourceId, &Resource)> = None;
        for (id, resource) in top_rank(candidates, |(_, resource)| resource.host_rank(&authority)) {
            for pattern in resource.paths.iter().filter(|pattern| pattern.matches(&path)) {
                match &best {
                    Some((rank, ..)) if *rank > pattern.specificity() => {}
                    // A request that names several routes could pick two with equal rank: then it picks none.
                    Some((rank, other, _)) if *rank == pattern.specificity() && *other != id => tied = true,
                    _ => {
                        tied &= best.is_some_and(|(rank, ..)| rank == pattern.specificity());
                        best = Some((pattern.specificity(), id, resource));
                    }
                }
            }
        }
        best.filter(|_| !tied).map(|(_, id, resource)| Place { id, resource, path }).ok_or(Reason::ResourceUnknown)
    }

    /// Resources whose `context`, `route` and `hosts` all fit, of those the ones with the most pairs.
    fn conditioned(&self, request: &AuthzRequest<'_>, authority: &Authority<'_>) -> Vec<(ResourceId, &Resource)> {
        if self.by_condition.is_empty() {
            return Vec::new();
        }
        let context = request.context.iter().map(|(key, value)| Condition::Context((*key).into(), (*value).into()));
        let routes = request.routes.iter().map(|route| Condition::RouteNamespace(route.namespace.into()));
        let mut ids: Vec<_> =
            context.chain(routes).filter_map(|key| self.by_condition.get(&key)).flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let fitting = ids.into_iter().filter_map(|id| Some((id, self.get(id)?))).filter(|(_, resource)| {
            resource.conditions_hold(request) && (resource.hosts.is_empty() || resource.host_rank(authority).is_some())
        });
        top_rank(fitting.collect(), |(_, resource)| resource.pairs())
    }

    fn hosted(&self, authority: &Authority<'_>) -> Vec<(ResourceId, &Resource)> {
        let suffix = authority.host.split_once('.').map(|(_, suffix)| suffix);
        let exact = self.by_host.get(&*authority.host);
        let wildcard = suffix.and_then(|suffix| self.by_suffix.get(suffix));
        let ids = exact.into_iter().chain(wildcard).flatten();
        ids.filter_map(|id| Some((*id, self.get(*id)?)))
            .filter(|(_, resource)| resource.host_rank(authority).is_some())
            .collect()
    }

    fn conflicts(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        let groups = self.by_host.values().chain(self.by_suffix.values());
        for group in groups {
            self.conflicts_among(group, &mut found);
        }
        let mut conditioned: Vec<_> = self.by_condition.values().flatten().copied().collect();
        conditioned.sort_unstable();
        self.conflicts_among(&conditioned, &mut found);
        found.sort_by_key(|conflict| (conflict.first, conflict.second));
        found.dedup();
        found
    }

    fn conflicts_among(&self, group: &[ResourceId], found: &mut Vec<Conflict>) {
        for (position, first) in group.iter().enumerate() {
            for second in group.iter().skip(position + 1) {
                let (Some(one), Some(two)) = (self.get(*first), self.get(*second)) else { continue };
                if one.collides_with(two) {
                    found.push(Conflict { first: *first, second: *second });
                }
            }
        }
    }
}

/// Those of the candidates whose rank is highest.
fn top_rank<T, R: Ord>(candidates: Vec<T>, rank: impl Fn(&T) -> R) -> Vec<T> {
    let Some(best) = candidates.iter().map(&rank).max() else { return candidates };
    candidates.into_iter().filter(|candidate| rank(candidate) == best).collect()
}

impl Resource {
    /// Number of `context` and `route` pairs that must be equal.
    fn pairs(&self) -> usize {
        self.context.len() + self.route.as_ref().map_or(0, |route| 1 + usize::from(route.name.is_some()))
    }

    fn first_condition(&self) -> Option<Condition> {
        let context = self.context.first().map(|(key, value)| Condition::Context(key.clone(), value.clone()));
        context.or_else(|| self.route.as_ref().map(|route| Condition::RouteNamespace(route.namespace.clone())))
    }

    fn conditions_hold(&self, request: &AuthzRequest<'_>) -> bool {
        let context = self.context.iter().all(|(key, value)| request.context.contains(&(key.as_str(), value.as_str())));
        let route = self.route.as_ref().is_none_or(|wanted| {
            let fits = |name: &str| wanted.name.as_ref().is_none_or(|wanted| wanted == name);
            request.routes.iter().any(|route| route.namespace == wanted.namespace && fits(route.name))
        });
        context && route
    }

    /// The rank of the best of its hosts that matches.
    fn host_rank(&self, authority: &Authority<'_>) -> Option<(bool, bool)> {
        let matching = self.hosts.iter().filter(|host| host.matches(authority));
        matching.map(HostPattern::specificity).max()
    }

    /// Whether one request could pick both with equal rank.
    fn collides_with(&self, other: &Self) -> bool {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::*;
    use super::*;
    use crate::name::{Audience, ResourceName, Site};
    use crate::request::Route;

    fn resource(name: &str, hosts: &[&str], paths: &[&str]) -> Resource {
        Resource {
            id: ResourceId(0),
            name: ResourceName::new(name),
            site: Site { file: Arc::from("t"), line: 1, column: 1 },
            audience: Audience::new(name),
            hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
            paths: paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
            context: Vec::new(),
            route: None,
            anonymous: Vec::new(),
            credential: CredentialPlace::Authorization,
            forward_token: false,
            forward_overrides: false,
            encoded_slash_is_data: false,
            resource_metadata: None,
            expires: None,
        }
    }

    fn pick(index: &ResourceIndex, request: &AuthzRequest<'_>) -> Result<String, Reason> {
        let path = RequestPath::read(request.target).unwrap();
        index.find(request, path).map(|place| place.resource.name.to_string())
    }

    fn request<'a>(host: &'a str, path: &'a str) -> AuthzRequest<'a> {
        AuthzRequest { method: "GET", host, target: path, ..AuthzRequest::default() }
    }

    #[test]
    fn exact_host_beats_wildcard_and_shuts_it_out() {
        let list = vec![resource("exact", &["a.x.test"], &["/v1/**"]), resource("star", &["*.x.test"], &["/**"])];
        let index = ResourceIndex::build(list).unwrap();
        assert_eq!(pick(&index, &request("a.x.test", "/v1/y")), Ok("exact".into()));
        assert_eq!(pick(&index, &request("a.x.test", "/v2")), Err(Reason::ResourceUnknown));
        assert_eq!(pick(&index, &request("b.x.test", "/v2")), Ok("star".into()));
    }

    #[test]
    fn a_host_with_its_port_beats_one_without() {
        let list = vec![resource("any", &["a.test"], &["/**"]), resource("tls", &["a.test:8443"], &["/**"])];
        let index = ResourceIndex::build(list).unwrap();
        assert_eq!(pick(&index, &request("A.test:8443", "/")), Ok("tls".into()));
        assert_eq!(pick(&index, &request("a.test:80", "/")), Ok("any".into()));
        assert_eq!(pick(&index, &request("a.test", "/")), Ok("any".into()));
    }

    #[test]
    fn the_most_literal_path_wins_whatever_the_order() {
        let list = vec![
            resource("all", &["a.test"], &["/**"]),
            resource("deep", &["a.test"], &["/a/b/**"]),
            resource("exact", &["a.test"], &["/a/b/c"]),
            resource("star", &["a.test"], &["/a/*"]),
        ];
        let mut reversed = list.clone();
        reversed.reverse();
        for list in [list, reversed] {
            let index = ResourceIndex::build(list).unwrap();
            for (path, name) in
                [("/", "all"), ("/a/x", "star"), ("/a/b", "deep"), ("/a/b/x", "deep"), ("/a/b/c", "exact")]
            {
                assert_eq!(pick(&index, &request("a.test", path)), Ok(name.into()), "{path}");
            }
        }
    }

    #[test]
    fn context_wins_over_host_and_more_pairs_win_over_fewer() {
        let mut one = resource("one", &[], &["/one/**"]);
        one.context = vec![("tenant".into(), "a".into())];
        let mut two = resource("two", &[], &["/**"]);
        two.context = vec![("stage".into(), "prod".into()), ("tenant".into(), "a".into())];
        let index = ResourceIndex::build(vec![resource("host", &["a.test"], &["/**"]), one, two]).unwrap();
        let mut call = request("a.test", "/one/x");
        assert_eq!(pick(&index, &call), Ok("host".into()));
        call.context = vec![("tenant", "a")];
        assert_eq!(pick(&index, &call), Ok("one".into()));
        call.target = "/else";
        assert_eq!(pick(&index, &call), Err(Reason::ResourceUnknown));
        call.context = vec![("stage", "prod"), ("tenant", "a")];
        assert_eq!(pick(&index, &call), Ok("two".into()));
        call.context = vec![("tenant", "b")];
        assert_eq!(pick(&index, &call), Ok("host".into()));
    }

    #[test]
    fn a_route_picks_by_namespace_and_name() {
        let mut shop = resource("shop", &[], &["/**"]);
        shop.route = Some(RouteMatch { namespace: "shop".into(), name: None });
        let mut cart = resource("cart", &["a.test"], &["/**"]);
        cart.route = Some(RouteMatch { namespace: "shop".into(), name: Some("cart".into()) });
        let mut desk = resource("desk", &[], &["/**"]);
        desk.route = Some(RouteMatch { namespace: "desk".into(), name: None });
        let index = ResourceIndex::build(vec![shop, cart, desk]).unwrap();
        let mut call = request("a.test", "/");
        call.routes = vec![Route { namespace: "shop", name: "cart" }];
        assert_eq!(pick(&index, &call), Ok("cart".into()));
        call.host = "b.test";
        assert_eq!(pick(&index, &call), Ok("shop".into()));
        call.routes = vec![Route { namespace: "shop", name: "cart" }, Route { namespace: "desk", name: "cart" }];
        assert_eq!(pick(&index, &call), Err(Reason::ResourceUnknown), "two routes that tie pick none");
        call.routes = vec![Route { namespace: "other", name: "cart" }];
        assert_eq!(pick(&index, &call), Err(Reason::ResourceUnknown));
    }

    #[test]
    fn two_that_one_request_could_pick_do_not_load() {
        let clash = |one, two| ResourceIndex::build(vec![one, two]).is_err();
        assert!(clash(resource("a", &["x.test"], &["/**"]), resource("b", &["X.test"], &["/**"])));
        assert!(clash(resource("a", &["x.test"], &["/a/*/b"]), resource("b", &["x.test"], &["/a/**"])));
        assert!(!clash(resource("a", &["x.test"], &["/a/*/b"]), resource("b", &["x.test"], &["/a/*/c"])));
        assert!(!clash(resource("a", &["x.test"], &["/a"]), resource("b", &["x.test"], &["/a/**"])));
        assert!(!clash(resource("a", &["x.test"], &["/**"]), resource("b", &["x.test:1"], &["/**"])));
        let with = |name, key: &str, value: &str| {
            let mut resource = resource(name, &[], &["/**"]);
            resource.context = vec![(key.into(), value.into())];
            resource
        };
        assert!(clash(with("a", "k", "v"), with("b", "l", "v")));
        assert!(!clash(with("a", "k", "v"), with("b", "k", "w")));
    }
}
