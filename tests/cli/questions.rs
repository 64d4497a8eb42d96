//! Questions about a table: who may do what where, by whom it is reached, what if.

use serde_json::Value;

use crate::support::table::Table;
use crate::world::{Ended, run};

/// Two issuers that use one subject, an open place, a grant that only watches.
pub(crate) const TABLE: &str = "issuers:
  build: {issuer: https://build.acme.test, owner: build@acme.test, reviewBy: 2027-06-30}
  partner: {issuer: https://idp.partner.test, owner: partners@acme.test, expires: 2026-12-31, pin: {claims: {org: acme}}}
resources:
  registry:
    audience: https://registry.acme.test
    hosts: [registry.acme.test]
    anonymous: [{methods: [GET], paths: [/healthz], reason: probes carry no credential}]
grants:
  pushes: {issuer: build, resource: registry, subject: pipeline, methods: [PUT], paths: [/v1/**], scopes: [push], owner: build@acme.test}
  reads: {issuer: partner, resource: registry, subject: pipeline, methods: [GET], paths: [/v1/**], scopes: [pull], reason: they mirror our images}
  watched: {issuer: build, resource: registry, subject: auditor, methods: [GET], paths: [/v1/**], mode: shadow}
";

/// Asks the table at a fixed instant; the path of its file is told as `TABLE`.
fn ask(arguments: &[&str]) -> Ended {
    let table = Table::new(TABLE);
    let path = table.path().display().to_string();
    let (verb, rest) = arguments.split_first().unwrap();
    let fixed = [*verb, "--trust", &path, "--at", "2026-11-21T12:00:00Z"];
    let mut ended = run(&[&fixed, rest].concat());
    ended.out = ended.out.replace(&path, "TABLE");
    ended
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error} in {}{}", ended.out, ended.err))
}

#[test]
fn the_relation_is_listed_for_people_and_for_spreadsheets() {
    let ended = ask(&["list"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.out.lines().count(), 4, "{}", ended.out);
    let reads = ended.out.lines().find(|line| line.starts_with("reads")).unwrap();
    for told in [
        "partner",
        "https://idp.partner.test",
        "org \"acme\"",
        "sub \"pipeline\"",
        "registry.acme.test",
        "GET",
        "/v1/**",
        "pull",
        "they mirror our images",
    ] {
        assert!(reads.contains(told), "no {told} in {reads}");
    }
    let csv = ask(&["list", "--issuer", "partner", "-o", "csv"]).out;
    assert!(csv.starts_with("grant,issuer,iss,profile,pins,who,") && csv.lines().count() == 2, "{csv}");
    assert!(csv.contains("reads,partner,https://idp.partner.test,generic,\"org \"\"acme\"\"\""), "{csv}");
    assert_eq!(json(&ask(&["list", "--owner", "build@acme.test", "-o", "json"])).as_array().unwrap().len(), 2);
    let nothing = ask(&["list", "--resource", "registry", "--owner", "build@acme.test", "--issuer", "partner"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""));
}

#[test]
fn what_ends_soon_is_told_soonest_first() {
    let ended = ask(&["list", "--expiring", "52w", "-o", "csv"]);
    let told: Vec<_> = ended.out.lines().map(|line| line.split(',').take(5).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        told,
        ["when past what entry name", "2026-12-31  expires issuer partner", "2027-06-30  reviewBy issuer build",]
    );
    assert_eq!(ask(&["list", "--expiring", "7d"]).code, 1);
    assert_eq!(ask(&["list", "--expiring", "7"]).code, 2);
}

#[test]
fn who_can_names_everyone_and_marks_what_only_watches() {
    let ended = ask(&["who-can", "GET", "https://registry.acme.test/v1/x"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.out,
        "GET https://registry.acme.test/v1/x
  resource registry  [TABLE:7:3]

partner https://idp.partner.test
  grant reads  [TABLE:13:3]
  who   sub \"pipeline\"
  if    org \"acme\", aud \"https://registry.acme.test\", before 2027-01-01T00:00:00.000Z
  gets  pull

build https://build.acme.test  (shadow: allows nothing)
  grant watched  [TABLE:14:3]
  who   sub \"auditor\"
  if    aud \"https://registry.acme.test\"
"
    );
    let open = ask(&["who-can", "GET", "https://registry.acme.test/healthz"]);
    assert!(open.code == 0 && open.out.contains("anyone, without a token: probes carry no credential"), "{}", open.out);
    let nobody = ask(&["who-can", "DELETE", "https://registry.acme.test/v1/x"]);
    assert!(nobody.code == 1 && nobody.out.ends_with("\nnobody\n"), "{}", nobody.out);
    let elsewhere = ask(&["who-can", "GET", "https://other.acme.test/"]);
    assert!(elsewhere.code == 1 && elsewhere.out.starts_with("nobody: resource_unknown"), "{}", elsewhere.out);
    assert_eq!(ask(&["who-can", "GET", "no-url"]).code, 2);
}

#[test]
fn what_if_walks_as_the_server_would_and_says_that_the_signature_is_assumed() {
    let url = "https://registry.acme.test/v1/x";
    let yes = ask(&["can", "--issuer", "partner", "--subject", "pipeline", "GET", url]);
    assert_eq!(yes.code, 0, "{}{}", yes.out, yes.err);
    assert!(yes.out.starts_with("yes: ok, SIGNATURE ASSUMED\n"), "{}", yes.out);
    assert!(yes.out.contains("assumed org=\"acme\" (pinned)") && yes.out.contains("scopes pull"), "{}", yes.out);
    let pin = ask(&["can", "--issuer", "partner", "--subject", "pipeline", "--claim", "org=globex", "GET", url]);
    assert!(pin.code == 1 && pin.out.starts_with("no: pin_mismatch"), "{}", pin.out);
    let other = ask(&["can", "--issuer", "build", "--subject", "pipeline", "-o", "json", "GET", url]);
    assert_eq!((other.code, &json(&other)["reason"]), (1, &"grant_none".into()));
    let audience = ["can", "--issuer", "build", "--subject", "pipeline", "--audience", "https://x.test", "PUT", url];
    assert!(ask(&audience).out.starts_with("no: audience_mismatch"));
    let unknown = ask(&["can", "--issuer", "nobody", "--subject", "s", "GET", url]);
    assert!(unknown.code == 2 && unknown.err.contains("no issuer \"nobody\""), "{}", unknown.err);
}

#[test]
fn the_blast_radius_says_what_it_takes_for_granted() {
    let ended = ask(&["reach", "--issuer", "partner"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.out,
        "assumed: whoever can make it sign says anything that its pins allow
issuer partner https://idp.partner.test  [TABLE:5:3]
  pin org \"acme\"
1 grant can be used now

registry GET /v1/**
  at     registry.acme.test
  grant  reads of partner  [TABLE:13:3]
  who    sub \"pipeline\"
  if     org \"acme\", aud \"https://registry.acme.test\", before 2027-01-01T00:00:00.000Z
  gets   pull
"
    );
    let both = json(&ask(&["reach", "--subject", "pipeline", "-o", "json"]));
    assert_eq!(both["reaches"].as_array().unwrap().len(), 2);
    let one = json(&ask(&["reach", "--subject", "pipeline", "--issuer", "build", "-o", "json"]));
    assert_eq!(one["reaches"][0]["grant"], "pushes");
    let key = ask(&["reach", "--key", "sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"]);
    assert!(key.code == 1 && key.out.contains("2 issuers pin no key"), "{}", key.out);
    assert_eq!(ask(&["reach"]).code, 2);
    assert_eq!(ask(&["reach", "--issuer", "partner", "--token-file", "-"]).code, 2);
}

#[test]
fn one_subject_at_two_issuers_is_told_as_two_pairs() {
    let ended = ask(&["collisions"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert_eq!(
        ended.out,
        "sub \"pipeline\" is 2 principals
  https://build.acme.test#pipeline
    issuer build, grants pushes
  https://idp.partner.test#pipeline
    issuer partner, grants reads
"
    );
    let told = json(&ask(&["collisions", "-o", "json"]));
    assert_eq!(told["collisions"][0]["identities"][1]["iss"], "https://idp.partner.test");
}

#[test]
fn a_claim_that_has_a_flag_of_its_own_is_refused_not_judged_beside_it() {
    for (claim, flag) in [
        ("iss=https://evil.test", "--issuer"),
        ("sub=admin", "--subject"),
        ("/sub=admin", "--subject"),
        ("aud=https://other.test", "--audience"),
    ] {
        let ended = ask(&[
            "can",
            "--issuer",
            "build",
            "--subject",
            "pipeline",
            "--claim",
            claim,
            "PUT",
            "https://registry.acme.test/v1/a",
        ]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{claim}");
        assert!(ended.err.contains(flag) && ended.err.lines().count() == 1, "{}", ended.err);
    }
}

#[test]
fn where_everybody_may_it_does_not_speak_of_one_caller() {
    let call = ["can", "--issuer", "build", "--subject", "pipeline", "GET", "https://registry.acme.test/healthz"];
    let ended = ask(&call);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.starts_with("yes: anonymous, open to all"), "{}", ended.out);
    assert!(!ended.out.contains("SIGNATURE ASSUMED") && !ended.out.contains("pipeline"), "{}", ended.out);
    let told = json(&ask(&[&call[..], &["-o", "json"]].concat()));
    assert!(told["principal"].is_null() && told["open"] == true, "{told}");
}

#[test]
fn a_name_that_does_not_exist_is_trouble_everywhere_and_the_nearest_is_told() {
    let place = "https://registry.acme.test/v1/a";
    let asked: [(&[&str], &str); 6] = [
        (&["list", "--issuer", "biuld"], "build"),
        (&["list", "--resource", "registr"], "registry"),
        (&["list", "--owner", "build@acme"], "build@acme.test"),
        (&["list", "--expiring", "1w", "--issuer", "Partner"], "partner"),
        (&["reach", "--issuer", "partners"], "partner"),
        (&["can", "--issuer", "buil", "--subject", "s", "PUT", place], "build"),
    ];
    let without_table = [(run(&["profiles", "GITHUB-actions"]), "github-actions"), (run(&["rule", "CR1O1"]), "CR101")];
    for (ended, nearest) in asked.map(|(arguments, nearest)| (ask(arguments), nearest)).into_iter().chain(without_table)
    {
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{}", ended.err);
        assert!(ended.err.contains(&format!("; the nearest is \"{nearest}")), "{}", ended.err);
    }
}
