//! Resources that a request reaches only by what its proxy says: `context` and `route`.

use std::collections::HashMap;

use super::hosts::{HostRank, Hosts, Paths, add};
use super::{Authority, Resource, ResourceId, RouteMatch};
use crate::request::AuthzRequest;

/// All sets of conditions, found by one condition of each.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    list: Vec<Scope>,
    /// Key, then value.
    by_context: HashMap<String, HashMap<String, Vec<usize>>>,
    /// Namespace, then name.
    by_route: HashMap<String, Routes>,
}

#[derive(Debug, Default)]
struct Routes {
    any: Vec<usize>,
    named: HashMap<String, Vec<usize>>,
}

/// Resources with the same conditions.
#[derive(Debug)]
pub(super) struct Scope {
    context: Vec<(String, String)>,
    route: Option<RouteMatch>,
    pairs: usize,
    hosts: Hosts,
    /// Those without hosts.
    anywhere: Option<Paths>,
}

/// What a request must say to be in a scope: its context, sorted, and its route.
type Conditions = (Vec<(String, String)>, Option<RouteMatch>);

/// More equal pairs win, then the host.
pub(super) type Rank = (usize, Option<HostRank>);

/// One condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Condition<'a> {
    Context(&'a str, &'a str),
    Route(&'a str, Option<&'a str>),
}

impl Scopes {
    /// Takes every resource that has a condition.
    pub(super) fn build(resources: &[Resource]) -> Self {
        let mut known: HashMap<Conditions, usize> = HashMap::new();
        let mut list: Vec<Scope> = Vec::new();
        for (id, resource) in (0..).map(ResourceId).zip(resources).filter(|(_, resource)| resource.pairs() > 0) {
            let mut context = resource.context.clone();
            context.sort();
            let number = *known.entry((context.clone(), resource.route.clone())).or_insert_with(|| {
                list.push(Scope::new(context, resource.route.clone(), resource.pairs()));
                list.len() - 1
            });
            if let Some(scope) = list.get_mut(number) {
                scope.insert(id, resource);
            }
        }
        let mut scopes = Self::default();
        let mut counts: HashMap<Condition<'_>, usize> = HashMap::new();
        for condition in list.iter().flat_map(Scope::conditions) {
            *counts.entry(condition).or_default() += 1;
        }
        for (number, scope) in list.iter().enumerate() {
            // The rarest, so that few others are looked at beside it.
            let rarest = scope.conditions().min_by_key(|condition| counts.get(condition).copied());
            if let Some(ids) = rarest.map(|condition| scopes.entry(condition)) {
                ids.push(number);
            }
        }
        scopes.list = list;
        scopes
    }

    fn entry(&mut self, condition: Condition<'_>) -> &mut Vec<usize> {
        match condition {
            Condition::Context(key, value) => {
                self.by_context.entry(key.to_owned()).or_default().entry(value.to_owned()).or_default()
            }
            Condition::Route(namespace, None) => &mut self.by_route.entry(namespace.to_owned()).or_default().any,
            Condition::Route(namespace, Some(name)) => {
                let routes = self.by_route.entry(namespace.to_owned()).or_default();
                routes.named.entry(name.to_owned()).or_default()
            }
        }
    }

    /// Shows `each` every set of conditions that holds; one perhaps twice, where the request says something twice.
    pub(super) fn holding<'s>(&'s self, request: &AuthzRequest<'_>, each: &mut dyn FnMut(&'s Scope)) {
        if self.list.is_empty() {
            return;
        }
        let context = request.context.iter().filter_map(|(key, value)| self.by_context.get(*key)?.get(*value));
        let routes = request.routes.iter().filter_map(|route| Some((route, self.by_route.get(route.namespace)?)));
        let routes = routes.flat_map(|(route, routes)| [Some(&routes.any), routes.named.get(route.name)]).flatten();
        let scopes = context.chain(routes).flatten().filter_map(|number| self.list.get(*number));
        scopes.filter(|scope| scope.holds(request)).for_each(each);
    }
}

impl Scope {
    fn new(context: Vec<(String, String)>, route: Option<RouteMatch>, pairs: usize) -> Self {
        Self { context, route, pairs, hosts: Hosts::default(), anywhere: None }
    }

    fn insert(&mut self, id: ResourceId, resource: &Resource) {
        if resource.hosts.is_empty() {
            add(self.anywhere.get_or_insert_default(), id, resource);
        } else {
            self.hosts.insert(id, resource);
        }
    }

    fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        let context = self.context.iter().map(|(key, value)| Condition::Context(key, value));
        let route = self.route.as_ref().map(|route| Condition::Route(&route.namespace, route.name.as_deref()));
        context.chain(route)
    }

    fn holds(&self, request: &AuthzRequest<'_>) -> bool {
        let context = self.context.iter().all(|(key, value)| request.context.contains(&(key.as_str(), value.as_str())));
        let route = self.route.as_ref().is_none_or(|wanted| {
            let fits = |name: &str| wanted.name.as_ref().is_none_or(|wanted| wanted == name);
            request.routes.iter().any(|route| route.namespace == wanted.namespace && fits(route.name))
        });
        context && route
    }

    /// `None` where nothing of it has this host.
    pub(super) fn rank(&self, authority: &Authority<'_>) -> Option<Rank> {
        let host = self.hosts.rank(authority);
        (host.is_some() || self.anywhere.is_some()).then_some((self.pairs, host))
    }

    /// The paths at the rank that it has.
    pub(super) fn trees(&self, authority: &Authority<'_>) -> impl Iterator<Item = &Paths> {
        let anywhere = self.anywhere.as_ref().filter(|_| self.hosts.rank(authority).is_none());
        self.hosts.trees(authority).chain(anywhere)
    }
}

impl Resource {
    /// Number of `context` and `route` pairs that must be equal.
    pub(super) fn pairs(&self) -> usize {
        self.context.len() + self.route.as_ref().map_or(0, |route| 1 + usize::from(route.name.is_some()))
    }
}
