//! The index that picks exactly one resource.

use super::conflict::{Conflict, conflicts};
use super::hosts::{Hosts, Paths, Ranked};
use super::scope::Scopes;
use super::{Authority, Place, RequestPath, Resource, ResourceId};
use crate::reason::Reason;
use crate::request::AuthzRequest;

/// All resources of a snapshot, found without looking at each.
#[derive(Debug, Default)]
pub struct ResourceIndex {
    resources: Vec<Resource>,
    /// Those with a `context` or a `route`.
    scopes: Scopes,
    /// Those without.
    hosts: Hosts,
}

impl ResourceIndex {
    /// Builds the index. Each resource's number is its position in the list.
    ///
    /// # Errors
    /// The pairs of resources that a request could pick with equal rank; of very many, the first.
    pub fn build(mut resources: Vec<Resource>) -> Result<Self, Vec<Conflict>> {
        let found = conflicts(&resources);
        if !found.is_empty() {
            return Err(found);
        }
        for (id, resource) in (0..).map(ResourceId).zip(&mut resources) {
            resource.id = id;
        }
        let scopes = Scopes::build(&resources);
        let mut hosts = Hosts::default();
        for (id, resource) in (0..).map(ResourceId).zip(&resources).filter(|(_, resource)| resource.pairs() == 0) {
            hosts.insert(id, resource);
        }
        Ok(Self { resources, scopes, hosts })
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
        let mut best = Best::default();
        let mut top = None;
        self.scopes.holding(request, &mut |scope| top = top.max(scope.rank(&authority)));
        match top {
            Some(_) => self.scopes.holding(request, &mut |scope| {
                if scope.rank(&authority) == top {
                    scope.trees(&authority).for_each(|paths| best.look(paths, &path));
                }
            }),
            None => self.hosts.trees(&authority).for_each(|paths| best.look(paths, &path)),
        }
        let id = best.only().ok_or(Reason::ResourceUnknown)?;
        let resource = self.get(id).ok_or(Reason::ResourceUnknown)?;
        Ok(Place { id, resource, path })
    }
}

/// The one with the most specific path, so far.
#[derive(Debug, Default)]
struct Best {
    first: Option<Ranked>,
    /// A request that names several routes could pick two with equal rank: then it picks none.
    tied: bool,
}

impl Best {
    fn look(&mut self, paths: &Paths, path: &RequestPath<'_>) {
        paths.matching(path, &mut |found| match &self.first {
            Some(first) if first.specificity > found.specificity => {}
            Some(first) if first.specificity == found.specificity => self.tied |= first.id != found.id,
            _ => *self = Self { first: Some(*found), tied: false },
        });
    }

    fn only(&self) -> Option<ResourceId> {
        self.first.filter(|_| !self.tied).map(|first| first.id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
    use super::super::*;
    use super::*;
    use crate::request::Route;

    fn resource(name: &str, hosts: &[&str], paths: &[&str]) -> Resource {
        Resource {
            hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
            paths: paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
            ..plain(name)
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
