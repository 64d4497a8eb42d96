//! Where calls get through without identity (CR403): places open to all that lie over what a grant is for, where nobody
//! is asked for a token, and resources that only observe, where refusals do not count yet.

use std::collections::BTreeMap;

use super::super::super::Code;
use super::super::super::draft::{AnonymousDraft, At, GrantDraft, ResourceDraft};
use super::super::Bench;
use crate::resource::{Methods, PathPattern};

impl Bench<'_> {
    /// Each open place of a resource that lies over one of its grants, told once.
    pub(super) fn open_places_of(&mut self, resource: &ResourceDraft, grants: &[&GrantDraft]) {
        let mut open = OpenPlaces::default();
        let placed = resource.anonymous.items().iter().filter_map(|at| Some((at, at.value.methods.as_ref()?)));
        for (number, (at, methods)) in placed.enumerate() {
            for path in &at.value.paths {
                open.by_start.entry(start(path)).or_default().push(Open { number, at, methods, path });
            }
        }
        for grant in grants {
            let (Some(methods), Some(paths)) = (grant.methods.value(), grant.paths.value()) else { continue };
            for path in paths {
                for found in open.take(path, methods) {
                    self.open_over(resource, grant, &found, path);
                }
            }
        }
    }

    /// A resource that only observes, told whatever else it says.
    pub(super) fn observing(&mut self, resource: &ResourceDraft) {
        let Some(At { value: observe, place }) = resource.observe.given() else { return };
        let name = &resource.name.value;
        let (message, label) = if observe.until <= self.now {
            let message = format!("`observe` of resource \"{name}\" has ended: refusals count again");
            (message, "no longer observed".to_owned())
        } else {
            let message = format!("resource \"{name}\" lets through what it refuses, without identity");
            (message, format!("until {}: only observed", observe.until))
        };
        let keeps = resource.forward_token.value() != Some(&true);
        let help = if observe.until <= self.now {
            "take `observe` out"
        } else if keeps {
            "take `observe` out as soon as the log shows no refusal that surprises; allowed calls lose their token already, so if the upstream still reads it add `forwardToken: true`"
        } else {
            "take `observe` out as soon as the log shows no refusal that surprises"
        };
        self.warn(&resource.common, Code::CR403, place, message, label, help);
    }

    fn open_over(&mut self, resource: &ResourceDraft, grant: &GrantDraft, open: &Open<'_>, path: &PathPattern) {
        let message = format!(
            "resource \"{}\" is open to all at {}, over {path} of grant \"{}\"",
            resource.name.value, open.path, grant.name.value
        );
        let label = "nobody is asked for a token here";
        let help = "narrow `paths` or `methods` of the open place; or of the grant, if the place is meant to be open";
        self.warn(&resource.common, Code::CR403, &open.at.place, message, label, help);
    }
}

/// A path that is open.
#[derive(Clone, Copy)]
struct Open<'c> {
    /// Of which item of `anonymous`.
    number: usize,
    at: &'c At<AnonymousDraft>,
    methods: &'c Methods,
    path: &'c PathPattern,
}

/// What is open, by the segments before the first star: only where one such start begins another can two paths meet.
#[derive(Default)]
struct OpenPlaces<'c> {
    by_start: BTreeMap<Vec<&'c str>, Vec<Open<'c>>>,
}

impl<'c> OpenPlaces<'c> {
    /// Takes out what a grant's path lies under.
    fn take(&mut self, path: &PathPattern, methods: &Methods) -> Vec<Open<'c>> {
        let own = start(path);
        let above = |length: usize| own.iter().take(length).copied().collect();
        let mut near: Vec<Vec<&str>> = (0..own.len()).map(above).collect();
        if path.is_exact() {
            near.push(own);
        } else {
            let below = self.by_start.range(own.clone()..).take_while(|(key, _)| key.starts_with(&own));
            let below: Vec<Vec<&str>> = below.map(|(key, _)| key.clone()).collect();
            near.extend(below);
        }
        let meets = |open: &Open<'_>| open.path.intersects(path) && open.methods.intersect(methods);
        let mut found: Vec<Open<'c>> = Vec::new();
        for key in near {
            found.extend(self.by_start.get(key.as_slice()).into_iter().flatten().filter(|open| meets(open)));
        }
        found.sort_by_key(|open| open.number);
        found.dedup_by_key(|open| open.number);
        for one in &found {
            for path in &one.at.value.paths {
                if let Some(list) = self.by_start.get_mut(start(path).as_slice()) {
                    list.retain(|open| open.number != one.number);
                }
            }
        }
        found
    }
}

/// The segments before the first star.
fn start(path: &PathPattern) -> Vec<&str> {
    path.as_str().split('/').skip(1).take_while(|segment| !segment.contains('*')).collect()
}
