//! How far a pattern for a GitHub `sub` or `ref` reaches: a star stops at `/`, `:` and `@`, where those of other systems
//! go on.

use super::Reach;

/// What a pattern fits, where that is not what it seems to fit.
pub(super) fn reach(claim: &str, pattern: &str) -> Option<Reach> {
    match claim {
        "ref" => of_ref(pattern).map(|help| never(FITS_NO_REF, format!("write {help}"))),
        "sub" => of_subject(pattern.strip_prefix("repo:")?),
        _ => None,
    }
}

const FITS_NO_REF: &str = "fits no ref: one is `refs/heads/BRANCH`, `refs/tags/TAG` or `refs/pull/NUMBER/merge`";

fn never(fits: &'static str, help: String) -> Reach {
    Reach { never: true, fits, help }
}

fn but(fits: &'static str, help: String) -> Option<Reach> {
    Some(Reach { never: false, fits, help })
}

/// What follows `repo:`.
fn of_subject(rest: &str) -> Option<Reach> {
    let (whose, tail) = rest.split_once(':').map_or((rest, None), |(whose, tail)| (whose, Some(tail)));
    let (owner, repository) = whose.split_once('/')?;
    if repository == "**" {
        return None;
    }
    if owner.contains('@') && repository.contains('*') && !repository.contains('@') {
        let help = format!(
            "write `{{glob: \"repo:{owner}/*@*{}\"}}`",
            tail.map_or_else(String::new, |tail| format!(":{tail}"))
        );
        return Some(never("fits no repository: where the owner has an id, a repository is `NAME@ID`", help));
    }
    let written = |end: &str| {
        let whole = format!("repo:{whose}:{end}");
        if whole.contains('*') { format!("`{{glob: \"{whole}\"}}`") } else { format!("`{whole}`") }
    };
    let instead = || {
        format!(
            "for one branch write {}, for an environment {}; {} is every run, those of pull requests too",
            written("ref:refs/heads/main"),
            written("environment:production"),
            written("**")
        )
    };
    match tail {
        None => but("fits no `sub` that GitHub makes by itself: what run it is follows after one more `:`", instead()),
        Some("*") => but("fits `…:pull_request`, and no branch, tag or environment", instead()),
        Some(tail) => {
            let help = of_ref(tail.strip_prefix("ref:")?)?;
            Some(never(FITS_NO_REF, format!("after `ref:` write {help}")))
        }
    }
}

/// What to write instead of a pattern that no ref has.
fn of_ref(pattern: &str) -> Option<&'static str> {
    let whole = ["refs/heads/", "refs/tags/", "refs/pull/"];
    if matches!(pattern, "**" | "refs/**")
        || !pattern.contains('*')
        || whole.iter().any(|kind| pattern.starts_with(kind))
    {
        return None;
    }
    Some(
        "a ref in full: `refs/heads/main`, `refs/heads/release/*` (a star stops at `/`), or `refs/heads/**` for every branch",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Glob;

    /// What GitHub writes for a run of each kind, in both live forms.
    const RUNS: [&str; 8] = [
        "repo:acme/payments:ref:refs/heads/main",
        "repo:acme/payments:ref:refs/tags/v1",
        "repo:acme/payments:environment:production",
        "repo:acme/payments:pull_request",
        "repo:acme@9919/payments@5:ref:refs/heads/main",
        "repo:acme@9919/payments@5:ref:refs/tags/v1",
        "repo:acme@9919/payments@5:environment:production",
        "repo:acme@9919/payments@5:pull_request",
    ];

    #[test]
    fn what_is_said_of_a_pattern_is_what_it_fits() {
        for (pattern, fits) in [
            ("repo:acme/payments:*", "pull_request"),
            ("repo:acme@9919/payments@5:*", "pull_request"),
            ("repo:acme/*", "no `sub`"),
            ("repo:acme@9919/*@*", "no `sub`"),
            ("repo:acme@9919/*:**", "NAME@ID"),
            ("repo:acme/payments:ref:*", "no ref"),
            ("repo:acme/payments:ref:refs/*", "no ref"),
            ("repo:acme/payments:ref:release/*", "no ref"),
        ] {
            let found = reach("sub", pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert!(found.fits.contains(fits), "{pattern}: {found:?}");
            let glob = Glob::parse(pattern).unwrap();
            let matched: Vec<_> = RUNS.into_iter().filter(|sub| glob.matches(sub)).collect();
            assert!(matched.iter().all(|sub| fits == "pull_request" && sub.ends_with(":pull_request")), "{matched:?}");
            assert_eq!(matched.len(), usize::from(fits == "pull_request"), "{pattern}");
        }
        for pattern in ["main-*", "refs/*", "heads/*"] {
            assert!(reach("ref", pattern).is_some_and(|found| found.never), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_fits_what_it_says_is_left_alone() {
        for pattern in [
            "repo:acme/payments:**",
            "repo:acme/**",
            "repo:acme/*:environment:production",
            "repo:acme@9919/*@*:ref:refs/heads/main",
            "repo:acme/payments:ref:refs/heads/release-*",
            "repo:acme/payments:ref:refs/heads/**",
            "repo:acme/payments:environment:*",
            "repository_owner:acme:environment:*",
        ] {
            assert_eq!(reach("sub", pattern), None, "{pattern}");
        }
        for pattern in ["refs/**", "refs/heads/*", "refs/pull/*/merge"] {
            assert_eq!(reach("ref", pattern), None, "{pattern}");
        }
    }

    #[test]
    fn what_is_to_be_written_instead_fits_the_run_that_it_names() {
        let help = |pattern| reach("sub", pattern).unwrap().help;
        let one = help("repo:acme/payments:*");
        assert!(one.contains("`repo:acme/payments:ref:refs/heads/main`"), "{one}");
        let all = help("repo:acme/*");
        assert!(all.contains("`{glob: \"repo:acme/*:environment:production\"}`"), "{all}");
        assert!(
            Glob::parse("repo:acme/*:environment:production").unwrap().matches("repo:acme/x:environment:production")
        );
        let ids = help("repo:acme@9919/*:environment:production");
        assert!(ids.contains("repo:acme@9919/*@*:environment:production"), "{ids}");
        assert!(Glob::parse("repo:acme@9919/*@*:**").unwrap().matches(RUNS[4]));
    }
}
