//! Keys that change: a token that names an unknown key causes one refresh of its own issuer, within a budget.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::{DISCOVERY, Fault, Issuer, JWKS};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::world::{API, KEPT, SUBJECT, call, entry, reason, state, table, table_of, token, until};

/// Fetches that tokens may cause at one issuer in ten seconds.
const BUDGET: usize = 2;

/// A token that is in order up to its signature and names a key that nobody publishes.
fn stray(issuer: &Issuer, kid: &str) -> Token {
    issuer.token(SUBJECT, API).signed_by(&Arc::new(Key::generate(kid, "ES256"))).header("kid", kid)
}

/// A new key, published beside or instead of the old ones, and a token of it.
fn rotate(issuer: &Issuer, kid: &str, keep: bool) -> String {
    let mut keys = vec![Arc::new(Key::generate(kid, "ES256"))];
    if keep {
        keys.push(issuer.key());
    }
    issuer.publish(&keys);
    issuer.token(SUBJECT, API).header("kid", kid).mint()
}

/// Tokens with this many unknown names, sixteen at a time. Says how many fetches they may have caused by now.
fn flood(credence: &Credence, issuer: &Issuer, count: usize) -> usize {
    let begun = Instant::now();
    let key = Arc::new(Key::generate("x", "ES256"));
    let tokens: Vec<_> = (0..count)
        .map(|n| issuer.token(SUBJECT, API).signed_by(&key).header("kid", format!("stray-{n}")).mint())
        .collect();
    thread::scope(|scope| {
        for part in tokens.chunks(count.div_ceil(16)) {
            scope.spawn(move || {
                for token in part {
                    assert_eq!(reason(credence, "own", token), "key_unknown");
                }
            });
        }
    });
    BUDGET * (1 + usize::try_from(begun.elapsed().as_secs()).unwrap() / 10)
}

#[test]
fn a_rotated_key_is_fetched_when_its_first_token_comes() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let old = token(&ci);
    assert_eq!(reason(&credence, "own", &old), "ok");
    let (documents, sets) = (ci.hits(DISCOVERY), ci.hits(JWKS));
    let new = rotate(&ci, "next", true);
    until(&credence, "own", &new, "ok");
    assert_eq!(reason(&credence, "own", &old), "ok", "both are published");
    assert_eq!((ci.hits(DISCOVERY), ci.hits(JWKS)), (documents, sets + 1), "one fetch, of the set alone");
}

#[test]
fn a_long_kid_is_asked_for_by_its_whole_name() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let sets = ci.hits(JWKS);
    let long = "k".repeat(400);
    assert_eq!(reason(&credence, "own", &stray(&ci, &format!("{long}-stray")).mint()), "key_unknown");
    // Counted when it is over: until then others would wait for it, and ask for nothing.
    let over = "credence_jwks_fetches_total{issuer=\"ci\",result=\"ok\"}";
    eventually("its fetch", || (credence.metric(over) == Some(2.0)).then_some(()));
    assert_eq!(ci.hits(JWKS), sets + 1);
    // Asked for in vain was another name, though it begins alike.
    let new = rotate(&ci, &format!("{long}-next"), true);
    reason(&credence, "own", &new);
    eventually("its own fetch", || (ci.hits(JWKS) == sets + 2).then_some(()));
    until(&credence, "own", &new, "ok");
}

#[test]
fn a_withdrawn_key_is_refused_as_soon_as_the_set_without_it_is_seen() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let old = token(&ci);
    assert_eq!(reason(&credence, "own", &old), "ok");
    let new = rotate(&ci, "next", false);
    until(&credence, "own", &new, "ok");
    assert_eq!(reason(&credence, "own", &old), "key_unknown");
}

#[test]
fn only_a_token_in_order_up_to_its_signature_causes_a_fetch() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let hits = ci.all_hits();
    for (token, expected) in [
        (stray(&ci, "a").claim("exp", 1_000), "expired"),
        (stray(&ci, "b").claim("nbf", 4_000_000_000_u64), "not_yet_valid"),
        (stray(&ci, "c").claim("exp", 4_000_000_000_u64), "too_old"),
        (stray(&ci, "d").claim("sub", ""), "subject_missing"),
        (stray(&ci, "e").claim("aud", 7), "claims_malformed"),
        (stray(&ci, "f").header("alg", "RS512"), "alg_not_allowed"),
        (stray(&ci, "g").header("typ", "secevent+jwt"), "type_not_allowed"),
        (stray(&ci, "h").header("crit", "x"), "malformed"),
        (stray(&ci, "i").claim("iss", "https://stranger.test"), "issuer_unknown"),
        (ci.token(SUBJECT, API).signed_by(&Arc::new(Key::generate("x", "ES256"))), "signature_invalid"),
    ] {
        assert_eq!(reason(&credence, "own", &token.mint()), expected);
    }
    assert_eq!(ci.all_hits(), hits);
    assert_eq!(reason(&credence, "own", &stray(&ci, "z").mint()), "key_unknown");
    eventually("the one fetch", || (ci.all_hits() == hits + 1).then_some(()));
}

#[test]
fn a_flood_of_unknown_kids_stays_within_the_budget_and_a_real_rotation_still_works() {
    let (ci, partner) = (Issuer::start(), Issuer::start());
    let entries = entry("ci", &ci, "") + &entry("partner", &partner, "");
    let file = Table::new(&table_of(&entries, &[("own", "ci"), ("theirs", "partner")]));
    let credence = Credence::serve(file.path()).start();
    let (ours, theirs) = (token(&ci), token(&partner));
    let (hits, others) = (ci.all_hits(), partner.all_hits());
    let most = flood(&credence, &ci, 400);
    assert!(ci.all_hits() - hits <= most, "{} fetches", ci.all_hits() - hits);
    assert_eq!(reason(&credence, "own", &ours), "ok", "no good key was pushed out");
    assert_eq!(reason(&credence, "theirs", &theirs), "ok");
    assert_eq!(partner.all_hits(), others, "another issuer has nothing to do with it");
    // Another issuer's budget is its own.
    until(&credence, "theirs", &rotate(&partner, "next", true), "ok");
    let new = rotate(&ci, "next", true);
    flood(&credence, &ci, 64);
    until(&credence, "own", &new, "ok");
}

#[test]
fn a_flood_against_an_issuer_that_is_down_does_not_hammer_it_and_it_recovers() {
    let ci = Issuer::start();
    for path in [DISCOVERY, JWKS] {
        ci.fault(path, Some(Fault::Status(503)));
    }
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).keyless("ci").start();
    let begun = Instant::now();
    let stray: Vec<_> = (0..200).map(|n| stray(&ci, &format!("stray-{n}")).mint()).collect();
    for token in &stray {
        assert_eq!(reason(&credence, "own", token), "keys_unavailable");
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    // Its own rounds come after 1, 2, 4, 8 … seconds.
    let rounds = 2 + usize::try_from((seconds + 1).ilog2()).unwrap();
    let most = rounds + BUDGET * (1 + seconds / 10);
    assert!(ci.all_hits() <= most, "{} fetches, at most {most}", ci.all_hits());
    for path in [DISCOVERY, JWKS] {
        ci.fault(path, None);
    }
    until(&credence, "own", &token(&ci), "ok");
}

#[test]
fn callers_that_wait_for_a_hanging_issuer_hold_up_nobody() {
    let (slow, healthy) = (Issuer::start(), Issuer::start());
    let entries = entry("slow", &slow, "") + &entry("healthy", &healthy, "");
    let file = Table::new(&table_of(&entries, &[("slow", "slow"), ("healthy", "healthy")]));
    let credence = Credence::serve(file.path()).start();
    let known = token(&slow);
    slow.fault(JWKS, Some(Fault::Hang));
    let strays: Vec<_> = (0..150).map(|n| stray(&slow, &format!("stray-{n}")).mint()).collect();
    let good = token(&healthy);
    thread::scope(|scope| {
        for token in &strays {
            scope.spawn(|| assert_eq!(reason(&credence, "slow", token), "key_unknown"));
        }
        for _ in 0..50 {
            assert_eq!(reason(&credence, "healthy", &good), "ok");
            assert_eq!(reason(&credence, "slow", &known), "ok");
        }
    });
}

#[test]
fn an_emptied_set_keeps_the_last_good_keys_loudly() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let good = token(&ci);
    ci.fault(JWKS, Some(Fault::Body(b"{\"keys\":[]}".to_vec())));
    assert_eq!(reason(&credence, "own", &stray(&ci, "a").mint()), "key_unknown");
    eventually("the empty set to be told", || state(&credence, "ci")["last_error"].is_string().then_some(()));
    assert_eq!(reason(&credence, "own", &good), "ok");
    assert_eq!(state(&credence, "ci")["keys"], 1);
    let told = "publishes no usable key any more; the last good ones serve on until maxStale";
    eventually("a loud line", || credence.stderr().contains(told).then_some(()));
}

#[test]
fn a_published_key_that_is_not_pinned_is_counted_and_named_in_the_log() {
    let ci = Issuer::start();
    let pin =
        format!(", pin: {{keys: [\"{}\", \"{}\"]}}", ci.key().thumbprint(), Key::generate("x", "ES256").thumbprint());
    let file = Table::new(&table_of(&entry("ci", &ci, &pin), &[("own", "ci")]));
    let credence = Credence::serve(file.path()).start();
    let old = token(&ci);
    assert_eq!(reason(&credence, "own", &old), "ok");
    let rogue = rotate(&ci, "rogue", true);
    until(&credence, "own", &rogue, "key_not_pinned");
    assert_eq!(reason(&credence, "own", &old), "ok");
    assert_eq!(credence.metric("credence_keys{issuer=\"ci\",state=\"not_pinned\"}"), Some(1.0));
    let thumbprint = ci.key().thumbprint();
    let told = credence.stderr();
    assert!(told.contains("not pinned") && told.contains("kid=\"rogue\"") && told.contains(&thumbprint), "{told}");
    assert!(credence.check(&call("own", &rogue)).header("x-credence-issuer").is_none());
}

#[test]
fn a_key_that_two_clusters_publish_is_neithers_also_while_one_cannot_be_reached() {
    let (eu, us) = (Issuer::start(), Issuer::start());
    us.publish(&[eu.key()]);
    let iss = "https://kubernetes.default.svc.cluster.local";
    let cluster = |name: &str, issuer: &Issuer, more: &str| {
        let jwks = issuer.jwks_uri();
        format!(
            "  {name}: {{profile: kubernetes, issuer: \"{iss}\", realm: {name}, jwksUri: \"{jwks}\", {KEPT}{more}}}\n"
        )
    };
    let subject = "system:serviceaccount:ci:deployer";
    let entries = cluster("eu", &eu, "") + &cluster("us", &us, ", maxStale: 1s");
    let table = table_of(&entries, &[("own", "eu")]).replace("subject: deployer", &format!("subject: \"{subject}\""));
    let file = Table::new(&table);
    let credence = Credence::serve(file.path()).start();
    let token = eu.token(subject, API).claim("iss", iss).without_header("typ").mint();
    assert_eq!(reason(&credence, "own", &token), "key_unknown");
    let told = format!("key {} is published by issuers eu, us, so it speaks for none of them", eu.key().thumbprint());
    assert!(credence.stderr().contains(&told), "{}", credence.stderr());
    assert_eq!(credence.admin("/readyz").json()["shared_keys"], serde_json::json!([told]));
    us.fault(JWKS, Some(Fault::Status(503)));
    eventually("its keys to be too old", || (state(&credence, "us")["keys"] == 0).then_some(()));
    assert_eq!(reason(&credence, "own", &token), "key_unknown");
    // A key of its own, known to be nobody else's, is.
    let new = Arc::new(Key::generate("next", "ES256"));
    eu.publish(&[Arc::clone(&new)]);
    let token = eu.token(subject, API).claim("iss", iss).without_header("typ").mint();
    until(&credence, "own", &token, "ok");
}
