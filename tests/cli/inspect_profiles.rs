//! `inspect` on a token of every kind of issuer: what it proposes lets in exactly the call that was refused (S9).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use credence::claims::ClaimKey;
use credence::clock::Time;
use credence::keys::LiveKeys;
use credence::request::split_url;
use credence::table::{Permissions, Snapshot, Sources, Vector, Vectors, compile};
use serde_json::{Value, json};

use crate::support::credence::command;
use crate::support::key::b64;
use crate::support::table::Table;
use crate::world::{Ended, explain, run, with_input};

const AT: &str = "2026-11-22T12:00:00Z";

/// What the examples turn away by more than who calls, and what `inspect` says of it: what the token may do is for people
/// to choose from, and a name that people read beside the id that never changes is not needed.
const ELSEWHERE: [(&str, &str); 6] = [
    ("a scope that only begins like it", "claims.scope: the token may do"),
    ("without the scope", "claims.scope: the token may do"),
    ("scp as a string, which Okta never sends", "claims.scp: the token may do"),
    ("the same account under another address", ""),
    ("the address is not verified", ""),
    ("verified as a string, which Google never sends", ""),
];

/// An allowed case of an example, and the table that allows it.
struct Sample {
    example: PathBuf,
    snapshot: Snapshot,
    case: Vector,
    /// Who must not get in.
    denied: Vec<Vector>,
}

fn load(table: &Path) -> Snapshot {
    let now = Time::from_rfc3339(AT).unwrap();
    let compiled =
        compile(&Sources::read(table), &Permissions::default(), now, |need| Arc::new(LiveKeys::unfetched(need.rules)));
    compiled.snapshot.unwrap_or_else(|| panic!("{}", compiled.report.render(false)))
}

fn samples() -> Vec<Sample> {
    let mut examples: Vec<_> = std::fs::read_dir("examples/profiles").unwrap().map(|one| one.unwrap().path()).collect();
    examples.retain(|path| path.is_dir());
    examples.sort();
    let of = |example: PathBuf| {
        let (vectors, report) = Vectors::read(&example.join("trust_test.yaml"));
        let cases = vectors.unwrap_or_else(|| panic!("{}", report.render(false))).cases;
        let (allowed, denied): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.expect.allowed);
        assert!(!allowed.is_empty(), "{}", example.display());
        let table = example.join("trust.yaml");
        allowed.into_iter().map(move |case| Sample {
            example: example.clone(),
            snapshot: load(&table),
            case,
            denied: denied.clone(),
        })
    };
    examples.into_iter().flat_map(of).collect()
}

impl Sample {
    fn name(&self) -> String {
        format!("{}: {}", self.example.display(), self.case.name)
    }

    fn claims(&self) -> Value {
        json!(self.case.token.claims(Time::from_rfc3339(AT).unwrap(), "one").unwrap())
    }

    /// These claims as the example's issuer would write them; nobody signed them.
    fn token(&self, claims: &Value) -> String {
        let issuer = self.snapshot.issuers.iter().next().unwrap();
        let algorithm = issuer.algorithms.iter().next().unwrap().as_str();
        let kinds: Vec<_> = issuer.token_types.iter().map(|kind| kind.as_str()).collect();
        let header = match kinds.contains(&"jwt") || kinds.is_empty() {
            true => json!({"alg": algorithm, "typ": "JWT", "kid": "1"}),
            false if kinds.contains(&"") => json!({"alg": algorithm, "kid": "1"}),
            false => json!({"alg": algorithm, "typ": kinds.first(), "kid": "1"}),
        };
        format!("{}.{}.c2ln", b64(header.to_string()), b64(claims.to_string()))
    }

    /// The example's table without its issuers and grants.
    fn resources(&self) -> String {
        let text = std::fs::read_to_string(self.example.join("trust.yaml")).unwrap();
        let section = text.split("\nresources:\n").nth(1).unwrap().split("\ngrants:\n").next().unwrap();
        format!("resources:\n{section}\n")
    }

    fn explain(&self, table: &Table, claims: &Value, method: &str, url: &str) -> Ended {
        explain(table, &self.token(claims), &["--offline", "--at", AT, method, url])
    }
}

/// What has to be filled in by somebody who knows it, filled in.
fn filled(yaml: &str, missing: &str) -> String {
    let fill = |ask: &str, line: &str| match missing.contains(ask) {
        true => format!("    owner: \"somebody@replace-me.invalid\"\n{line}"),
        false => "    owner: \"somebody@replace-me.invalid\"\n".to_owned(),
    };
    let owner = "    owner: \"somebody@replace-me.invalid\"\n";
    let bundle = fill("keys: add `spiffeBundleUrl`", "    spiffeBundleUrl: https://spire.acme.test/bundle\n");
    let keys = fill("keys: they cannot be found by this `iss`", "    jwksUri: https://keys.acme.test/jwks\n");
    let keyed = yaml.replace(owner, &bundle).replace(owner, &keys);
    keyed.replace("somebody@replace-me.invalid", "platform@acme.test")
}

/// The same claims with one of them gone, or saying another thing of the same kind.
fn variants(claims: &Value, key: &ClaimKey) -> Vec<Value> {
    let name = key.to_string();
    let (parent, last) = match name.rsplit_once('/').filter(|_| name.starts_with('/')) {
        Some((parent, last)) => (parent.to_owned(), last.replace("~1", "/").replace("~0", "~")),
        None => (String::new(), name),
    };
    let put = |value: Option<Value>| {
        let mut changed = claims.clone();
        let object = changed.pointer_mut(&parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => object.insert(last.clone(), value),
            None => object.remove(&last),
        };
        changed
    };
    let now = claims.pointer(&parent).unwrap()[&last].clone();
    let others = match &now {
        Value::String(text) => vec![json!(format!("{text}x")), json!(format!("x{text}")), json!([format!("{text}x")])],
        Value::Array(list) => vec![json!([]), json!(list[1..]), json!("x")],
        Value::Bool(yes) => vec![json!(!yes), json!("x")],
        Value::Number(number) => vec![json!(number.as_f64().unwrap() + 1.0), json!("x")],
        _ => vec![json!("x")],
    };
    others.into_iter().map(Some).chain([None]).map(put).collect()
}

#[test]
fn s9_for_every_profile_the_proposal_passes_review_and_lets_in_the_call_that_was_refused_and_no_variant_of_it() {
    let samples = samples();
    assert!(samples.len() >= 19, "{}", samples.len());
    for sample in samples {
        let (name, claims, ask) = (sample.name(), sample.claims(), &sample.case.request);
        let table = Table::new(&sample.resources());
        let trust = table.path().display().to_string();
        let refused = sample.explain(&table, &claims, &ask.method, &ask.url);
        assert!(refused.out.starts_with("deny issuer_unknown"), "{name}: {}", refused.all());
        let args = ["inspect", "--trust", &trust, "--token-file", "-", "-o", "json", "--at", AT, &ask.method, &ask.url];
        let seen = with_input(command(&args), &sample.token(&claims));
        let told: Value = serde_json::from_str(&seen.out).unwrap_or_else(|_| panic!("{name}: {}", seen.all()));
        let proposal = &told["proposal"];
        let yaml = filled(proposal["yaml"].as_str().unwrap(), &proposal["missing"].to_string());
        table.replace(&format!("{}{yaml}", sample.resources()));
        let checked = run(&["check", "--fail-on", "warning", "--at", AT, &trust]);
        assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{name}\n{yaml}");
        let let_in = sample.explain(&table, &claims, &ask.method, &ask.url);
        assert!(let_in.code == 0, "{name}\n{yaml}\n{}", let_in.all());

        let out = |claims: &Value, method: &str, url: &str, what: &str| {
            let ended = sample.explain(&table, claims, method, url);
            assert!(ended.code == 1, "{name}: {what} gets in by\n{yaml}\n{claims}\n{}", ended.all());
        };
        let snapshot = load(&table.path());
        let grant = snapshot.grants.iter().next().unwrap();
        let issuer = snapshot.issuers.iter().next().unwrap();
        let pins = issuer.pins.iter().map(|pin| pin.key.clone());
        let mut keys: Vec<_> = grant.claims.iter().map(|rule| rule.key.clone()).chain(pins).collect();
        let audience = if claims.get("aud").is_some() { "aud" } else { "client_id" };
        let subject = grant.subject.is_some().then_some("sub");
        let names = subject.into_iter().chain([audience]).chain(claims.get("iss").map(|_| "iss"));
        keys.extend(names.map(|name| ClaimKey::parse(name).unwrap()));
        assert!(keys.len() > 1, "{name}: the grant names nobody\n{yaml}");
        for key in &keys {
            for other in variants(&claims, key) {
                out(&other, &ask.method, &ask.url, &format!("another {key}"));
            }
        }
        // And whom the example turns away, it turns away too.
        for other in &sample.denied {
            let claims = other.token.claims(Time::from_rfc3339(AT).unwrap(), "two");
            let claims = json!(claims.expect("a token in every case of a profile"));
            match ELSEWHERE.iter().find(|(case, _)| *case == other.name) {
                Some((_, told)) => {
                    assert!(proposal["missing"].to_string().contains(told), "{name}: {told} in {proposal}")
                }
                None => out(&claims, &other.request.method, &other.request.url, &other.name),
            }
        }
        let (host, _) = split_url(&ask.url).unwrap();
        out(&claims, "PATCH", &ask.url, "another method");
        out(&claims, &ask.method, &format!("{}/x", ask.url), "a path below");
        out(&claims, &ask.method, &format!("https://{host}/"), "the root");
        out(&claims, &ask.method, &ask.url.replace(host, "other.acme.test"), "another host");
    }
}
