//! Methods, hosts, paths and open places.

use crate::resource::{Anonymous, HostPattern, Methods, OpenMethods, PathPattern};

/// Whether every method of `narrow` is one of `wide`. Never wrongly true.
pub fn methods_within(narrow: &Methods, wide: &Methods) -> bool {
    match (narrow, wide) {
        (Methods::Any, Methods::Any) => true,
        // There is no end of methods.
        (Methods::Any, Methods::These(_)) => false,
        (Methods::These(these), wide) => these.iter().all(|method| wide.contain(method)),
    }
}

/// Whether each of these paths lies within one of those. Never wrongly true; what only several together hold is not seen.
pub fn within_paths(narrow: &[PathPattern], wide: &[PathPattern]) -> bool {
    narrow.iter().all(|narrow| wide.iter().any(|wide| wide.covers(narrow)))
}

/// Whether some path matches one of each.
pub fn overlap_of_paths(ones: &[PathPattern], others: &[PathPattern]) -> bool {
    ones.iter().any(|one| others.iter().any(|other| one.intersects(other)))
}

/// Whether every authority of `narrow` is one of `wide`.
pub fn within_host(narrow: &HostPattern, wide: &HostPattern) -> bool {
    let host = match (narrow.wildcard, wide.wildcard) {
        (false, true) => is_below(&narrow.host, &wide.host),
        (narrow_star, wide_star) => narrow_star == wide_star && narrow.host == wide.host,
    };
    host && (wide.port.is_none() || wide.port == narrow.port)
}

/// Whether some authority matches both.
pub fn hosts_meet(one: &HostPattern, two: &HostPattern) -> bool {
    let host = match (one.wildcard, two.wildcard) {
        (false, true) => is_below(&one.host, &two.host),
        (true, false) => is_below(&two.host, &one.host),
        _ => one.host == two.host,
    };
    host && (one.port.is_none() || two.port.is_none() || one.port == two.port)
}

/// Whether the host is one label and this suffix.
fn is_below(host: &str, suffix: &str) -> bool {
    host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == suffix)
}

/// Whether whatever `narrow` opens is open by `wide` too. Never wrongly true.
pub fn opens(wide: &Anonymous, narrow: &Anonymous) -> bool {
    let methods = match (&narrow.methods, &wide.methods) {
        (OpenMethods::Preflight, OpenMethods::Preflight) => true,
        // A preflight request is an `OPTIONS` request.
        (OpenMethods::Preflight, OpenMethods::Methods(wide)) => wide.contain("OPTIONS"),
        (OpenMethods::Methods(narrow), OpenMethods::Methods(wide)) => methods_within(narrow, wide),
        (OpenMethods::Methods(_), OpenMethods::Preflight) => false,
    };
    methods && within_paths(&narrow.paths, &wide.paths)
}
