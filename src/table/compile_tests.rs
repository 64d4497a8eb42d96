use std::time::Duration;

use super::super::SourceFile;
use super::*;
use crate::decide::SubjectRule;
use crate::keys::KeySource;
use crate::name::Algorithm;
use crate::resource::CredentialPlace;

const HEAD: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";

/// A directory of secrets is open to the table.
fn open() -> Permissions {
    Permissions { secrets_dir: Some("/run/secrets".into()) }
}

/// The issuers that a token with this `iss` may be of.
fn by_iss<'s>(snapshot: &'s Snapshot, iss: &str) -> Vec<&'s crate::trust::TrustedIssuer> {
    snapshot.issuers.named(crate::credential::ClaimedIssuer::Issuer(iss)).collect()
}

fn compiled(text: &str) -> (Compiled, Vec<KeyOrigin>) {
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let mut origins = Vec::new();
    let sources = Sources::from_files([SourceFile::new("/etc/credence/trust.yaml", format!("{HEAD}{text}"))]);
    let compiled = compile(&sources, &open(), now, |need| {
        origins.push(need.origin.clone());
        Arc::new(LiveKeys::unfetched(need.rules))
    });
    (compiled, origins)
}

fn good(text: &str) -> Snapshot {
    let (Compiled { snapshot, report }, _) = compiled(text);
    snapshot.unwrap_or_else(|| panic!("{}", report.render(false)))
}

/// What is found, but for who looks after the issuers: that is no matter of these tests.
fn codes(text: &str) -> Vec<&'static str> {
    let report = compiled(text).0.report;
    let found = report.sorted().into_iter().map(|finding| finding.code());
    found.filter(|code| !matches!(code, Code::CR301 | Code::CR302)).map(Code::as_str).collect()
}

const CI: &str = r#"
issuers:
  github-acme:
    profile: github-actions
    pin:
      claims: {repository_owner_id: "9919"}
    reviewBy: 2027-06-30
    owner: platform@acme.test
resources:
  deploy-api: {audience: https://deploy.acme.test, hosts: [deploy.acme.test]}
grants:
  payments-deploy:
    issuer: github-acme
    resource: deploy-api
    claims: {repository: acme/payments, repository_id: "512345678", ref: refs/heads/main, environment: production}
    methods: [POST, PUT]
    paths: [/v1/services/payments/**]
    scopes: [deploy:payments]
"#;

#[test]
fn the_table_of_the_first_page_means_what_it_says() {
    let snapshot = good(CI);
    let issuer = by_iss(&snapshot, "https://token.actions.githubusercontent.com")[0];
    assert_eq!(issuer.algorithms.as_slice(), [Algorithm::RS256]);
    assert_eq!(issuer.max_token_age.bound, Duration::from_secs(3600));
    assert!(!issuer.max_token_age.requires_issued_at);
    assert_eq!(issuer.clock_skew, Duration::from_secs(30));
    assert_eq!(issuer.site.to_string(), "/etc/credence/trust.yaml:5:3");
    let (id, resource) = snapshot.resources.iter().next().unwrap();
    assert_eq!(resource.credential, CredentialPlace::Authorization);
    assert!(!resource.forward_token && !resource.encoded_slash_is_data);
    let grants: Vec<_> = snapshot.grants.of(issuer.id, id).iter().collect();
    let [grant] = grants.as_slice() else { panic!("one grant") };
    assert_eq!(grant.audience.as_str(), "https://deploy.acme.test");
    assert_eq!((grant.claims.len(), grant.subject.is_none()), (4, true));
    assert_eq!(snapshot.digest.len(), 64);
}

#[test]
fn keys_come_from_discovery_without_one_terminating_slash_and_from_nowhere_else_unasked() {
    let (_, origins) = compiled(
        "issuers:\n  a: {issuer: https://a.test/x/}\n  b: {issuer: urn:b, jwksFile: b.json}\n  \
         c: {issuer: https://c.test, discoveryUrl: 'http://127.0.0.1:8/d', jwksHosts: [k.test, 'j.test:8']}\n  \
         d: {issuer: https://d.test, jwksUri: https://keys.d.test/set?v=1, caFile: ca/d.pem}\n",
    );
    let sources: Vec<_> = origins.iter().map(|origin| origin.source.clone()).collect();
    let discovery = |iss: &str, url: &str, hosts: &[&str]| KeySource::Discovery {
        issuer: Issuer::new(iss),
        url: url.into(),
        hosts: hosts.iter().map(|host| (*host).into()).collect(),
    };
    assert_eq!(sources[0], discovery("https://a.test/x/", "https://a.test/x/.well-known/openid-configuration", &[]));
    assert_eq!(sources[1], KeySource::File("/etc/credence/b.json".into()));
    assert_eq!(sources[2], discovery("https://c.test", "http://127.0.0.1:8/d", &["j.test:8", "k.test"]));
    assert_eq!(sources[3], KeySource::Url { url: "https://keys.d.test/set?v=1".into() });
    assert_eq!(origins[3].access.ca_file, Some("/etc/credence/ca/d.pem".into()));
}

#[test]
fn a_written_max_token_age_asks_for_iat_and_an_absent_typ_can_be_written() {
    let snapshot =
        good("issuers:\n  a: {issuer: https://a.test, maxTokenAge: 10m, tokenTypes: ['', application/AT+jwt]}\n");
    let issuer = by_iss(&snapshot, "https://a.test")[0];
    assert!(issuer.max_token_age.requires_issued_at);
    let types: Vec<_> = issuer.token_types.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(types, ["", "at+jwt"]);
}

#[test]
fn an_expired_grant_loads_so_that_its_callers_are_told_what_happened() {
    let text = CI.replace("scopes:", "expires: 2026-01-01\n    scopes:");
    assert_eq!(codes(&text), ["CR303"]);
    let snapshot = good(&text);
    let grant = snapshot.grants.iter().next().unwrap();
    assert_eq!(grant.times.expires, Time::from_rfc3339("2026-01-02T00:00:00Z"));
}

#[test]
fn a_grant_for_several_issuers_holds_at_each() {
    let snapshot = good(
        "issuers:\n  b: {issuer: https://b.test}\n  a: {issuer: https://a.test}\n\
         resources:\n  r: {audience: r, hosts: [r.test]}\n\
         grants:\n  g: {issuer: [b, a], resource: r, subject: [s, t], methods: any, paths: any}\n",
    );
    assert_eq!((snapshot.grants.len(), snapshot.grants.iter().count()), (1, 1));
    let grant = snapshot.grants.iter().next().unwrap();
    assert_eq!(grant.subject, Some(SubjectRule::Exact(vec!["s".into(), "t".into()])));
}

#[test]
fn nothing_is_asked_for_keys_while_anything_refuses_the_table() {
    let (compiled, origins) = compiled("issuers:\n  a: {issuer: https://a.test}\n  b: {issuer: https://a.test}\n");
    assert!(compiled.snapshot.is_none() && origins.is_empty());
}

#[test]
fn a_shared_issuer_of_an_enterprise_or_a_server_of_its_own_needs_no_pin() {
    for iss in ["https://token.actions.githubusercontent.com/acme", "https://ghes.acme.test/_services/token"] {
        good(&format!("issuers:\n  g: {{profile: github-actions, issuer: {iss}}}\n"));
    }
    assert_eq!(codes("issuers:\n  g: {profile: github-actions}\n"), ["CR101"]);
    for pin in ["'9919'", "['9919', '583231']"] {
        good(&format!("issuers:\n  g: {{profile: github-actions, pin: {{claims: {{repository_owner_id: {pin}}}}}}}\n"));
    }
    for pin in ["{glob: 99-*}", "{present: true}"] {
        let text = format!("issuers:\n  g: {{profile: github-actions, pin: {{claims: {{enterprise_id: {pin}}}}}}}\n");
        assert_eq!(codes(&text), ["CR101"], "{pin}");
    }
}

#[test]
fn a_number_can_never_pin_a_tenant_whose_id_is_a_string() {
    let text = "issuers:\n  g: {profile: github-actions, pin: {claims: {repository_owner_id: 9919}}}\n";
    assert_eq!(codes(text), ["CR107"]);
    assert_eq!(
        codes(&text.replace("repository_owner_id", "/repository_owner_id")),
        ["CR107"],
        "a pointer is no way around it"
    );
}

#[test]
fn descriptions_and_owners_do_not_change_the_meaning_and_scopes_do() {
    let digest = |text: &str| good(text).digest;
    let plain = digest(CI);
    assert_eq!(plain, digest(&CI.replace("platform@acme.test", "other@acme.test")));
    assert_eq!(plain, digest(&CI.replace("[POST, PUT]", "[PUT, POST, PUT]")));
    for (from, to) in [
        ("deploy:payments]", "deploy:all]"),
        ("\"9919\"", "\"9920\""),
        ("[POST, PUT]", "[POST]"),
        ("hosts: [deploy", "forwardToken: true, hosts: [deploy"),
        ("payments-deploy", "payments-deploys"),
        ("scopes:", "mode: shadow\n    scopes:"),
        ("refs/heads/main", "{glob: refs/heads/*}"),
        ("reviewBy: 2027-06-30", "expires: 2027-06-30"),
    ] {
        assert_ne!(plain, digest(&CI.replace(from, to)), "{to}");
    }
}

#[test]
fn one_torn_file_does_not_make_names_in_the_others_unknown() {
    let files = [
        SourceFile::new("a.yaml", format!("{HEAD}issuers:\n  a: [\n")),
        SourceFile::new(
            "b.yaml",
            format!("{HEAD}grants:\n  g: {{issuer: a, resource: r, subject: s, methods: any, paths: any}}\n"),
        ),
    ];
    let report = compile(&Sources::from_files(files), &open(), Time::from_seconds(0.0), |need| {
        Arc::new(LiveKeys::unfetched(need.rules))
    })
    .report;
    let codes: Vec<_> = report.sorted().iter().map(|finding| finding.code().as_str()).collect();
    assert_eq!(codes, ["CR005"]);
}

#[test]
fn a_hundred_thousand_mistakes_are_counted_and_not_kept() {
    let mut text = String::from("grants:\n");
    for number in 0..20_000 {
        text.push_str(&format!("  g{number}: {{colour: red, issuer: nobody}}\n"));
    }
    let report = compiled(&text).0.report;
    assert!(report.refuses() && report.render(false).len() < 100_000);
}

#[test]
fn every_contract_code_of_shape_and_refusal_without_other_profiles_is_given() {
    let issuer = "issuers:\n  a: {issuer: https://a.test, resources: [r]}\n";
    let resource =
        "resources:\n  r: {audience: r, hosts: [r.test], paths: [/v1/**]}\n  q: {audience: q, hosts: [q.test]}\n";
    let grant = |rest: &str| format!("{issuer}{resource}grants:\n  g: {{issuer: a, {rest}}}\n");
    let whole = |rest: &str| grant(&format!("resource: r, subject: s, methods: any, paths: any{rest}"));
    assert_eq!(codes(&whole("")), [""; 0]);
    for (code, text) in [
        ("CR001", whole(", Scope: [x]")),
        ("CR002", whole(", scopes: []")),
        ("CR003", grant("resource: x, subject: s, methods: any, paths: any")),
        ("CR004", whole(", mode: shadow, mode: enforce")),
        ("CR005", whole(", scopes: &a [x]")),
        ("CR102", "issuers:\n  a: {issuer: http://a.test}\n".into()),
        ("CR103", "issuers:\n  a: {issuer: https://a.test?x}\n".into()),
        ("CR104", "issuers:\n  a: {issuer: https://a.test}\n  b: {issuer: https://a.test}\n".into()),
        ("CR105", "issuers:\n  a: {issuer: 'https://*.test'}\n".into()),
        ("CR106", "issuers:\n  a: {owner: x}\n".into()),
        ("CR108", "issuers:\n  a: {issuer: https://accounts.google.com}\n".into()),
        ("CR110", "resources:\n  r: {hosts: [r.test]}\n".into()),
        ("CR120", grant("resource: r, methods: any, paths: any")),
        ("CR121", grant("resource: r, subject: any, claims: {a: b}, methods: [GET], paths: any")),
        ("CR122", grant("resource: q, subject: s, methods: any, paths: any")),
        ("CR122", grant("resource: r, subject: s, methods: any, paths: [/v2/**]")),
        ("CR122", whole(", starts: 2027-01-02, expires: 2027-01-01")),
        ("CR125", grant("resource: r, subject: {glob: '*'}, methods: any, paths: any")),
        ("CR130", grant("resource: r, subject: s, paths: any")),
        ("CR130", grant("resource: r, subject: s, methods: any")),
        ("CR131", grant("resource: r, subject: s, methods: any, paths: [/a*]")),
        ("CR132", "resources:\n  a: {audience: a, hosts: [r.test]}\n  b: {audience: b, hosts: [R.test]}\n".into()),
        ("CR133", whole(", audience: q, reason: x")),
    ] {
        assert_eq!(codes(&text), [code], "{text}");
    }
}
