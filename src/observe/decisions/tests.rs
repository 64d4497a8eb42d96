use std::time::Duration;

use super::*;
use crate::clock::Time;
use crate::keys::LiveKeys;
use crate::observe::id::DecisionId;
use crate::path::Facts;
use crate::table::{Permissions, SourceFile, Sources, compile};

fn published(generation: u64, issuers: &[&str]) -> Published {
    published_with(generation, issuers, "")
}

fn published_with(generation: u64, issuers: &[&str], grants: &str) -> Published {
    let since = Time::from_seconds(1e9);
    let issuers: String = issuers.iter().map(|name| format!("  {name}: {{issuer: 'https://{name}.test'}}\n")).collect();
    let text = format!(
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n{issuers}resources:\n  api: {{audience: api, hosts: [api.test]}}\n  web: {{audience: web, hosts: [web.test]}}\n{grants}"
    );
    let sources = Sources::from_files(vec![SourceFile::new("trust.yaml".to_owned(), text)]);
    let compiled = compile(&sources, &Permissions::default(), since, |need| Arc::new(LiveKeys::unfetched(need.rules)));
    Published { generation, since, snapshot: compiled.snapshot.unwrap() }
}

/// A token of this issuer for the resource `web` that was refused before its signature stood.
fn refused<'s>(published: &'s Published, issuer: &str) -> Walk<'s, Signed> {
    let facts = Facts {
        issuer: published.snapshot.issuers.iter().find(|one| one.name.as_str() == issuer),
        resource: published.snapshot.resources.iter().map(|(_, one)| one).find(|one| one.name.as_str() == "web"),
        ..Facts::default()
    };
    Walk { outcome: Outcome::Refused(Reason::Expired), facts }
}

fn made() -> Made {
    let at = Time::from_seconds(1e9);
    Made { id: DecisionId::new(at), at, took: Duration::from_micros(5), span: None }
}

struct Counted(Registry, Decisions);

impl Counted {
    fn new() -> Self {
        let mut registry = Registry::default();
        let decisions = Decisions::register(&mut registry);
        Self(registry, decisions)
    }

    fn count(&self, published: &Published, issuer: &str) {
        self.1.decided(Some(published.generation), &refused(published, issuer), &made());
    }

    /// Series with a value, without those of times and the one that is there from the start.
    fn series(&self) -> BTreeSet<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0).unwrap();
        let counts = |line: &&str| !line.starts_with('#') && !line.contains("seconds") && *line != "calls_shed_total 0";
        text.lines().filter(counts).map(str::to_owned).collect()
    }
}

#[test]
fn a_series_appears_with_its_first_count_under_the_name_that_the_table_gives() {
    let (counted, first) = (Counted::new(), published(1, &["b", "a"]));
    counted.1.published(&first);
    assert!(counted.series().is_empty());
    for _ in 0..3 {
        counted.count(&first, "a");
    }
    counted.1.decided(None, &Walk { outcome: Outcome::Refused(Reason::NotReady), facts: Facts::default() }, &made());
    let wanted = [
        r#"decisions_total{decision="deny",reason="expired",issuer="unverified"} 3"#,
        r#"decisions_total{decision="deny",reason="not_ready",issuer="unverified"} 1"#,
        r#"resource_decisions_total{resource="web",decision="deny"} 3"#,
        r#"token_verifications_total{issuer="a",result="expired",cache="miss"} 3"#,
    ];
    assert_eq!(counted.series(), wanted.map(str::to_owned).into());
}

#[test]
fn counts_go_on_over_a_new_table_and_the_series_of_the_gone_do_not_come_back() {
    let (counted, first, second) = (Counted::new(), published(1, &["a", "gone"]), published(2, &["a", "new"]));
    let of = |issuer: &str| counted.series().into_iter().find(|line| line.contains(&format!("issuer=\"{issuer}\"")));
    let told = |issuer: &str, count: u8| {
        Some(format!(r#"token_verifications_total{{issuer="{issuer}",result="expired",cache="miss"}} {count}"#))
    };
    counted.1.published(&first);
    counted.count(&first, "a");
    counted.count(&first, "gone");
    counted.1.published(&second);
    assert_eq!((of("a"), of("gone")), (told("a", 1), None));
    // Numbers of one table are not those of another: a call in hand counts by name.
    counted.count(&first, "a");
    counted.count(&first, "gone");
    counted.count(&second, "a");
    counted.count(&second, "new");
    assert_eq!((of("a"), of("gone"), of("new")), (told("a", 3), told("gone", 1), told("new", 1)));
    counted.1.forget_the_gone();
    assert_eq!((of("a"), of("gone")), (told("a", 3), None));
    // Who comes back starts anew.
    counted.1.published(&published(3, &["gone"]));
    assert_eq!((of("a"), of("gone"), of("new")), (None, None, None));
    let third = published(3, &["gone"]);
    counted.count(&third, "gone");
    counted.1.forget_the_gone();
    assert_eq!(of("gone"), told("gone", 1));
}

#[test]
fn a_grant_that_nobody_used_is_told_as_long_as_there_are_not_too_many() {
    let with = |grants: usize| {
        let grants: String = (0..grants)
            .map(|n| format!("  g{n}: {{issuer: a, resource: api, subject: s{n}, methods: [GET], paths: any}}\n"))
            .collect();
        let counted = Counted::new();
        counted.1.published(&published_with(1, &["a"], &format!("grants:\n{grants}")));
        counted.series()
    };
    assert_eq!(with(1), [r#"grant_matches_total{grant="g0",mode="enforce"} 0"#.to_owned()].into());
    assert_eq!(with(GRANTS_AT_ZERO).len(), GRANTS_AT_ZERO);
    assert!(with(GRANTS_AT_ZERO + 1).is_empty());
}
