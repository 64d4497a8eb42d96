use super::super::SourceFile;
use super::*;
use crate::credential::ClaimedIssuer;
use crate::keys::{Access, ClientCertificate, KeyFormat, KeySource, ServerIdentity};
use crate::name::TrustDomain;
use crate::trust::TrustedIssuer;

const HEAD: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";
const TENANTS: [&str; 2] = ["82229342-1101-4ab6-817b-70c0747630f3", "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"];

/// What somebody was asked to fetch, and for which exact issuer.
type Need = (String, String, KeyOrigin);

fn compiled(text: &str) -> (Compiled, Vec<Need>) {
    let mut needs = Vec::new();
    let sources = Sources::from_files([SourceFile::new("/etc/credence/trust.yaml", format!("{HEAD}{text}"))]);
    let open = Permissions { secrets_dir: Some("/etc/credence/secrets".into()) };
    let compiled = compile(&sources, &open, Time::from_seconds(0.0), |need| {
        needs.push((need.name.to_string(), need.issuer.to_string(), need.origin.clone()));
        Arc::new(LiveKeys::unfetched(need.rules))
    });
    (compiled, needs)
}

fn good(text: &str) -> (Snapshot, Vec<Need>) {
    let (Compiled { snapshot, report }, needs) = compiled(text);
    (snapshot.unwrap_or_else(|| panic!("{}", report.render(false))), needs)
}

/// What is found, but for who looks after the issuers: that is no matter of these tests.
fn codes(text: &str) -> Vec<&'static str> {
    let report = compiled(text).0.report;
    let found = report.sorted().into_iter().map(|finding| finding.code());
    found.filter(|code| !matches!(code, Code::CR301 | Code::CR302)).map(Code::as_str).collect()
}

fn entra(rest: &str) -> String {
    let [one, two] = TENANTS;
    format!(
        "issuers:\n  e: {{profile: entra, with: {{tenants: [{two}, {one}]}}}}\n\
         resources:\n  r: {{audience: r, hosts: [r.test]}}\n\
         grants:\n  g: {{issuer: e, {rest}, resource: r, methods: [GET], paths: any}}\n"
    )
}

#[test]
fn an_entry_for_several_tenants_has_an_issuer_with_its_own_keys_and_tenant_for_each() {
    let (snapshot, needs) = good(&entra("claims: {idtyp: app, roles: {contains: x}}"));
    let urls: Vec<_> =
        needs.iter().map(|(name, iss, origin)| (name.as_str(), iss.clone(), origin.source.clone())).collect();
    let wanted = |tenant: &str| {
        let iss = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let url = format!("{iss}/.well-known/openid-configuration");
        let hosts = vec!["login.microsoftonline.com".into(), "login.windows.net".into()];
        ("e", iss.clone(), KeySource::Discovery { issuer: Issuer::new(iss), url, hosts })
    };
    assert_eq!(urls, [wanted(TENANTS[1]), wanted(TENANTS[0])]);
    assert_eq!((snapshot.issuers.len(), snapshot.issuers.entries()), (2, 1));
    for issuer in snapshot.issuers.iter() {
        let [pin] = issuer.pins.as_slice() else { panic!("one pin") };
        assert_eq!(pin.key.as_str(), "tid");
        assert!(issuer.issuer.as_str().contains(pin.matcher.to_string().trim_matches('"')), "{}", pin.matcher);
    }
    let resource = snapshot.resources.iter().next().unwrap().0;
    let holds = |issuer: &TrustedIssuer| snapshot.grants.of(issuer.id, resource).len();
    assert_eq!(snapshot.issuers.iter().map(holds).collect::<Vec<_>>(), [1, 1], "a grant by claims holds at each");
}

#[test]
fn a_subject_means_something_at_one_exact_issuer_only() {
    let iss = format!("https://login.microsoftonline.com/{}/v2.0", TENANTS[0]);
    for subject in ["subject: AbC", "subject: [a, b]", "subject: any, reason: x, claims: {idtyp: app}"] {
        assert_eq!(codes(&entra(subject)), ["CR123"], "{subject}");
    }
    let (snapshot, _) = good(&entra(&format!("subject: AbC, iss: {iss}")));
    let resource = snapshot.resources.iter().next().unwrap().0;
    for issuer in snapshot.issuers.iter() {
        let expected = usize::from(issuer.issuer.as_str() == iss);
        assert_eq!(snapshot.grants.of(issuer.id, resource).len(), expected, "{}", issuer.issuer);
    }
    assert_eq!(codes(&entra("subject: AbC, iss: https://elsewhere.test")), ["CR122"]);
    // A fault of the keys says nothing about the issuers.
    let keyless = entra(&format!("subject: AbC, iss: {iss}")).replace("profile: entra,", "profile: entra, jwksUri: x,");
    assert_eq!(codes(&keyless), ["CR002"]);
}

#[test]
fn keys_are_reached_as_the_table_says() {
    let (_, needs) = good(
        "issuers:\n  a: {issuer: https://a.test, jwksUri: https://a.test/k, caFile: a.pem, bearerTokenFile: secrets/a, \
         clientCertFile: a.crt, clientKeyFile: /etc/credence/secrets/a.key, proxy: 'http://proxy.test:3128', maxStale: 1h}\n  \
         k: {profile: kubernetes, issuer: https://kubernetes.default.svc, kubernetes: inCluster, required: true}\n",
    );
    let (_, _, origin) = &needs[0];
    assert_eq!(
        origin.access,
        Access {
            ca_file: Some("/etc/credence/a.pem".into()),
            server: ServerIdentity::Host,
            bearer_token_file: Some("/etc/credence/secrets/a".into()),
            client_certificate: Some(ClientCertificate {
                certificate: "/etc/credence/a.crt".into(),
                key: "/etc/credence/secrets/a.key".into(),
            }),
            proxy: Some("http://proxy.test:3128".into()),
        }
    );
    assert_eq!(needs[1].2, KeyOrigin::plain(KeySource::InCluster));
}

#[test]
fn max_stale_is_a_rule_of_the_keys_and_required_one_of_the_issuer() {
    let (snapshot, _) =
        good("issuers:\n  a: {issuer: https://a.test, maxStale: 90m, required: true}\n  b: {issuer: https://b.test}\n");
    let told: Vec<_> = snapshot.issuers.iter().map(|issuer| (issuer.keys.rules().max_stale, issuer.required)).collect();
    assert_eq!(told, [(Some(Duration::from_secs(5400)), true), (None, false)]);
}

#[test]
fn a_trust_domain_is_found_by_its_name_and_its_bundle_server_proves_what_it_can() {
    let spiffe = |rest: &str| {
        let (snapshot, needs) = good(&format!(
            "issuers:\n  s: {{profile: spiffe, with: {{trustDomain: td.test}}, spiffeBundleUrl: 'https://b.test:8443', {rest}}}\n"
        ));
        let named = |claimed| snapshot.issuers.named(claimed).count();
        assert_eq!(named(ClaimedIssuer::TrustDomain("td.test")), 1);
        assert_eq!(named(ClaimedIssuer::TrustDomain("TD.test")), 0);
        assert_eq!(named(ClaimedIssuer::Issuer("spiffe://td.test")), 0, "no token carries it unless it is written");
        assert_eq!(named(ClaimedIssuer::Issuer("https://oidc.td.test")), usize::from(rest.contains("issuer:")));
        assert_eq!(needs[0].1, "spiffe://td.test");
        assert_eq!(needs[0].2.format, KeyFormat::SpiffeBundle(TrustDomain::new("td.test")));
        needs[0].2.access.server.clone()
    };
    assert_eq!(spiffe("owner: x"), ServerIdentity::Host);
    assert_eq!(spiffe("issuer: https://oidc.td.test"), ServerIdentity::Host);
    assert_eq!(spiffe("caFile: x.pem"), ServerIdentity::HostOr("spiffe://td.test/spire/server".into()));
    let own = spiffe("caFile: x.pem, spiffeEndpointId: 'spiffe://other.test/bundle'");
    assert_eq!(own, ServerIdentity::Spiffe("spiffe://other.test/bundle".into()));
}

#[test]
fn among_a_hundred_entries_of_one_name_the_one_that_is_not_told_apart_is_found() {
    let table = |wrong: &str| {
        let entry = |number| {
            let own = format!("jwksUri: https://k{number}.test/k, realm: r{number}");
            let fields = if number == 70 && !wrong.is_empty() { wrong } else { &own };
            format!("  e{number}: {{issuer: https://x.test, {fields}}}\n")
        };
        format!("issuers:\n{}", (0..100).map(entry).collect::<String>())
    };
    assert_eq!(good(&table("")).0.issuers.len(), 100);
    for wrong in [
        "jwksUri: https://k70.test/k",
        "jwksUri: https://k70.test/k, realm: r31",
        "jwksUri: https://k31.test/k, realm: r70",
        "realm: r70",
    ] {
        assert!(codes(&table(wrong)).contains(&"CR104"), "{wrong}");
    }
}

#[test]
fn entries_of_one_name_load_only_with_realms_and_keys_of_their_own() {
    let two = |one: &str, two: &str| {
        format!("issuers:\n  a: {{issuer: https://x.test, {one}}}\n  b: {{issuer: https://x.test, {two}}}\n")
    };
    let (snapshot, _) = good(&two("jwksFile: a.json, realm: a", "jwksUri: https://b.test/k, realm: b"));
    let realms: Vec<_> =
        snapshot.issuers.named(ClaimedIssuer::Issuer("https://x.test")).map(|issuer| issuer.realm.clone()).collect();
    assert_eq!(
        realms,
        [Some("a".into()), Some("b".into())].map(|realm: Option<String>| realm.map(crate::name::Realm::new))
    );
    for (one, other) in [
        ("jwksFile: a.json", "jwksFile: b.json"),
        ("jwksFile: a.json, realm: a", "jwksFile: b.json"),
        ("jwksFile: a.json, realm: a", "jwksFile: b.json, realm: a"),
        ("jwksFile: a.json, realm: a", "realm: b"),
        ("jwksFile: a.json, realm: a", "jwksFile: a.json, realm: b"),
    ] {
        assert_eq!(codes(&two(one, other)), ["CR104"], "{one} {other}");
    }
    // What one entry has as its `iss`, another's tokens may not carry.
    let carried = "issuers:\n  a: {issuer: https://x.test}\n  b: {profile: spiffe, issuer: https://x.test, with: {trustDomain: td.test}, jwksFile: b.json}\n";
    assert_eq!(codes(carried), ["CR104"]);
}

#[test]
fn issuers_of_one_name_are_never_indexed_without_realms() {
    let (snapshot, _) = good(
        "issuers:\n  a: {issuer: https://x.test, jwksFile: a.json, realm: a}\n  b: {issuer: https://x.test, jwksFile: b.json, realm: b}\n",
    );
    let list = || snapshot.issuers.iter().cloned().collect::<Vec<_>>();
    assert!(Issuers::build(list()).is_ok());
    for (one, two) in [(None, None), (Some("a"), None), (None, Some("a")), (Some("a"), Some("a"))] {
        let mut list = list();
        for (issuer, realm) in list.iter_mut().zip([one, two]) {
            issuer.realm = realm.map(crate::name::Realm::new);
        }
        assert!(Issuers::build(list).is_err(), "{one:?} {two:?}");
    }
}

#[test]
fn every_new_word_is_part_of_the_meaning() {
    let digest = |rest: &str| {
        good(&format!(
            "issuers:\n  a: {{profile: kubernetes, issuer: https://a.test, jwksUri: https://a.test/k{rest}}}\n"
        ))
        .0
        .digest
    };
    let plain = digest("");
    for rest in [
        "caFile: x",
        "bearerTokenFile: secrets/x",
        "clientCertFile: x, clientKeyFile: secrets/x",
        "proxy: 'http://p.test'",
        "maxStale: 1h",
        "realm: x",
        "required: true",
    ] {
        assert_ne!(plain, digest(&format!(", {rest}")), "{rest}");
    }
    assert_eq!(plain, digest(", required: false"));
    let [one, two] = TENANTS
        .map(|tenant| good(&format!("issuers:\n  e: {{profile: entra, with: {{tenants: [{tenant}]}}}}\n")).0.digest);
    assert_ne!(one, two);
}

#[test]
fn a_secret_is_under_the_directory_of_secrets_however_both_are_written() {
    let judged = |file: &str, open: &str, secret: &str| {
        let table = format!("{HEAD}issuers:\n  a: {{issuer: https://a.test, bearerTokenFile: '{secret}'}}\n");
        let sources = Sources::from_files([SourceFile::new(file, table)]);
        let open = Permissions { secrets_dir: Some(open.into()) };
        let keys = |need: KeyNeed<'_>| Arc::new(LiveKeys::unfetched(need.rules));
        compile(&sources, &open, Time::from_seconds(0.0), keys).report.errors() == 0
    };
    let here = std::env::current_dir().unwrap();
    let whole = |path: &str| here.join(path).display().to_string();
    for (file, open, secret) in [
        ("conf/t.yaml", "conf/secrets", "secrets/a"),
        ("conf/t.yaml", "./conf//secrets/", "./secrets/a"),
        ("conf/t.yaml", &whole("conf/secrets"), "secrets/a"),
        (&whole("conf/t.yaml"), "conf/secrets", "secrets/a"),
        ("conf/t.yaml", "secrets", &whole("secrets/a")),
        ("t.yaml", ".", "a"),
        ("../t.yaml", "../secrets", "secrets/a"),
    ] {
        assert!(judged(file, open, secret), "{file} {open} {secret}");
    }
    for (file, open, secret) in [
        ("conf/t.yaml", "secrets", "secrets/a"),
        ("conf/t.yaml", "conf/secrets", "secrets/../../a"),
        ("conf/t.yaml", "conf", "../conf/a"),
        ("conf/t.yaml", "conf/sec", "secrets/a"),
        ("conf/t.yaml", "conf/secrets", "secrets"),
        ("../t.yaml", ".", "a"),
        ("t.yaml", &whole(".."), "../a"),
    ] {
        assert!(!judged(file, open, secret), "{file} {open} {secret}");
    }
}
