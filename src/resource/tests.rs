//! The index picks exactly what looking at every resource would, and finds every conflict.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::testing::plain;
use super::*;
use crate::request::Route;

const HOSTS: [&str; 8] = ["a.x", "b.x", "a.x:80", "*.x", "*.x:80", "*.y", "c.y", "x"];
const PATHS: [&str; 12] =
    ["/**", "/a", "/b", "/a/**", "/a/*", "/*", "/*/b", "/a/b", "/a/*/c", "/%40a", "/@a", "/a/*/**"];
const CALLED: [&str; 9] = ["/", "/a", "/b", "/a/", "/a/b", "/a/b/c", "/x/b", "/@a", "/%40a"];
const CALLED_HOSTS: [&str; 7] = ["a.x", "A.x:80", "b.x:81", "c.y", "d.y:80", "x", "z.z"];
const CONTEXT: [(&str, &str); 5] = [("k", "1"), ("k", "2"), ("l", "1"), ("l", "2"), ("m", "1")];
const ROUTES: [(&str, &str); 4] = [("n", "r"), ("n", "s"), ("o", "r"), ("o", "")];

fn some<T: Clone + std::fmt::Debug + 'static>(of: &'static [T], most: usize) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(prop::sample::select(of), 0..=most)
}

fn resource() -> impl Strategy<Value = Resource> {
    let conditions = prop_oneof![3 => Just((Vec::new(), None)), 2 => (some(&CONTEXT, 2), prop::option::of(0..4usize))];
    (conditions, some(&HOSTS, 3), some(&PATHS, 2), prop::sample::select(&PATHS[..])).prop_map(
        |((mut context, route), mut hosts, mut paths, path)| {
            context.sort_unstable();
            context.dedup_by_key(|(key, _)| *key);
            if context.is_empty() && route.is_none() && hosts.is_empty() {
                hosts.push("a.x");
            }
            paths.push(path);
            let route = route.map(|number| RouteMatch {
                namespace: ROUTES[number].0.into(),
                name: Some(ROUTES[number].1.to_owned()).filter(|name| !name.is_empty()),
            });
            Resource {
                hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
                paths: paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
                context: context.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
                route,
                ..plain("r")
            }
        },
    )
}

fn by_rank<R: Ord>(resources: Vec<(usize, &Resource)>, rank: impl Fn(&Resource) -> R) -> Vec<(usize, &Resource)> {
    let best = resources.iter().map(|(_, resource)| rank(resource)).max();
    resources.into_iter().filter(|(_, resource)| Some(rank(resource)) == best).collect()
}

/// The rule as the contract says it.
fn pick(resources: &[Resource], request: &AuthzRequest<'_>, path: &RequestPath<'_>) -> Option<usize> {
    let authority = Authority::read(request.host)?;
    let holds = |resource: &Resource| {
        let context = resource.context.iter().all(|(key, value)| request.context.contains(&(key, value)));
        let route = resource.route.as_ref().is_none_or(|wanted| {
            let named = |route: &Route<'_>| wanted.name.as_ref().is_none_or(|name| name == route.name);
            request.routes.iter().any(|route| route.namespace == wanted.namespace && named(route))
        });
        context && route
    };
    let host = |resource: &Resource| {
        let matching = resource.hosts.iter().filter(|host| host.matches(&authority));
        matching.map(HostPattern::specificity).max()
    };
    let fits = |resource: &Resource| holds(resource) && (resource.hosts.is_empty() || host(resource).is_some());
    let fitting = resources.iter().enumerate().filter(|(_, resource)| fits(resource)).collect();
    let first = by_rank(by_rank(fitting, Resource::pairs), host);
    let path = |resource: &Resource| {
        resource.paths.iter().filter(|pattern| pattern.matches(path)).map(PathPattern::specificity).max()
    };
    match by_rank(first, path).as_slice() {
        [(number, one)] if path(one).is_some() => Some(*number),
        _ => None,
    }
}

/// Those of the resources that load together.
fn together(resources: Vec<Resource>) -> Vec<Resource> {
    let mut kept: Vec<Resource> = Vec::new();
    for resource in resources {
        if !kept.iter().any(|other| other.collides_with(&resource)) {
            kept.push(resource);
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_index_picks_what_looking_at_every_resource_would(
        resources in prop::collection::vec(resource(), 0..30),
        calls in prop::collection::vec(
            (prop::sample::select(&CALLED_HOSTS[..]), prop::sample::select(&CALLED[..]), some(&CONTEXT, 3), some(&ROUTES, 2)),
            20,
        ),
    ) {
        let resources = together(resources);
        let index = ResourceIndex::build(resources.clone()).unwrap();
        for (host, target, context, routes) in calls {
            let routes = routes.into_iter().map(|(namespace, name)| Route { namespace, name }).collect();
            let request = AuthzRequest { method: "GET", host, target, context, routes, ..AuthzRequest::default() };
            let path = RequestPath::read(target).unwrap();
            let found = index.find(&request, path).ok().map(|place| usize::try_from(place.id.0).unwrap());
            prop_assert_eq!(found, pick(&resources, &request, &path), "{:?}", request);
        }
    }

    #[test]
    fn every_conflict_is_found_and_no_other(resources in prop::collection::vec(resource(), 0..30)) {
        let mut expected = Vec::new();
        for (second, two) in (0..).zip(&resources) {
            for (first, _) in (0..second).zip(&resources).filter(|(_, one)| one.collides_with(two)) {
                expected.push(Conflict { first: ResourceId(first), second: ResourceId(second) });
            }
        }
        expected.sort_unstable();
        prop_assert_eq!(ResourceIndex::build(resources).err().unwrap_or_default(), expected);
    }
}

#[test]
fn a_resource_with_many_hosts_and_many_paths_is_found_like_any_other() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let plain = resource().new_tree(&mut runner).unwrap().current();
    let hosts =
        |numbers: std::ops::Range<u32>| numbers.map(|n| HostPattern::parse(&format!("h{n}.x")).unwrap()).collect();
    let paths =
        |numbers: std::ops::Range<u32>| numbers.map(|n| PathPattern::parse(&format!("/p{n}/**")).unwrap()).collect();
    let at = |hosts, paths| Resource { context: Vec::new(), route: None, hosts, paths, ..plain.clone() };
    let list =
        vec![at(hosts(0..200), paths(0..100)), at(hosts(150..151), paths(100..101)), at(hosts(0..90), paths(100..200))];
    let index = ResourceIndex::build(list.clone()).unwrap();
    for (host, target, expected) in [
        ("h7.x", "/p7/y", Some(0)),
        ("h150.x", "/p100", Some(1)),
        ("h7.x", "/p150", Some(2)),
        ("h199.x", "/p100", None),
    ] {
        let request = AuthzRequest { host, target, ..AuthzRequest::default() };
        let found = index.find(&request, RequestPath::read(target).unwrap());
        assert_eq!(found.ok().map(|place| place.id.0), expected, "{host}{target}");
    }
    let clash = |hosts, paths| ResourceIndex::build([list.clone(), vec![at(hosts, paths)]].concat()).unwrap_err();
    let with = |first| Conflict { first: ResourceId(first), second: ResourceId(3) };
    assert_eq!(clash(hosts(199..200), paths(99..100)), [with(0)]);
    assert_eq!(clash(hosts(80..300), paths(99..101)), [with(0), with(1), with(2)]);
}
