//! However many tokens strangers make up: the series are those of the table.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use crate::admin::exposition;
use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::runtime;
use crate::support::table::Table;
use crate::world::{API, SUBJECT, table, token};

/// Connections that send at once.
const SENDERS: usize = 8;
/// Kinds of what is made up.
const SHAPES: usize = 14;

/// Something that was never sent before: what is new of it is in every place where something can be said.
fn hostile(ci: &Issuer, number: usize) -> Call {
    let new = format!("evil-{number}");
    let url = format!("{API}/own/{new}");
    let from = |call: Call| call.from(&format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255));
    let get = |token: String| from(Call::get(&url)).bearer(token).header("x-request-id", &new);
    let good = || ci.token(SUBJECT, API).claim("jti", new.as_str());
    match number % SHAPES {
        0 => get(good().claim("iss", format!("https://{new}.test")).mint_with_signature(&[1; 64])),
        1 => get(good().claim("sub", new.as_str()).mint_with_signature(&[1; 64])),
        2 => get(good().header("kid", new.as_str()).mint_with_signature(&[1; 64])),
        3 => get(good().header("alg", new.as_str()).mint_with_signature(&[1; 64])),
        4 => get(good().header("typ", new.as_str()).mint_with_signature(&[1; 64])),
        5 => get(good().claim("aud", new.as_str()).mint()),
        6 => get(good().claim("sub", new.as_str()).mint()),
        7 => get(good().claim("act", json!({"sub": new})).mint()),
        8 => get(new.clone()),
        9 => from(Call::get(&format!("https://{new}.test/"))).bearer(good().mint_with_signature(&[1; 64])),
        10 => from(Call::new(&new, &url)).bearer(good().mint()),
        11 => get(good().mint()).context(&new, &new).route(&new, &new),
        12 => get(good().mint()).header(&new, &new).header("traceparent", format!("00-{number:032x}-{number:016x}-01")),
        _ => from(Call::get(&format!("{API}/{new}/../%2e"))).host(&format!("{new}@x")),
    }
}

/// Names and labels of all series, but which of the reasons (a closed list) a label tells, and when keys are fetched next: that
/// is told of every issuer but while a fetch is in hand.
fn series(credence: &Credence) -> BTreeSet<String> {
    let all =
        exposition(credence).into_iter().filter(|(name, ..)| name != "credence_jwks_next_refresh_timestamp_seconds");
    let all = all.map(|(name, mut labels, _)| {
        for closed in ["reason", "result"] {
            labels.entry(closed.to_owned()).and_modify(|value| value.clear());
        }
        format!("{name} {labels:?}")
    });
    all.collect()
}

/// Sends what is made up under these numbers.
fn send(credence: &Credence, ci: &Issuer, numbers: std::ops::Range<usize>) {
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let numbers = numbers.clone().skip(sender).step_by(SENDERS);
            let mut client = credence.another_client();
            scope.spawn(move || {
                for number in numbers {
                    let message = hostile(ci, number).message();
                    let answer = runtime().block_on(client.check(message)).unwrap();
                    assert!(!Answer(answer.into_inner()).reason().is_empty());
                }
            });
        }
    });
}

/// `TOKENS` says how many; `make test-series` sends a million.
#[test]
fn made_up_tokens_hosts_and_methods_make_no_series() {
    let tokens: usize = std::env::var("TOKENS").map_or(20_000, |tokens| tokens.parse().unwrap());
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).decision_log("off").start();
    assert_eq!(crate::world::reason(&credence, "own", &token(&ci)), "ok");
    send(&credence, &ci, 0..2 * SHAPES);
    let (few, text) = (series(&credence), credence.admin("/metrics").text());
    send(&credence, &ci, 2 * SHAPES..tokens);
    let many = series(&credence);
    let new: Vec<_> = many.difference(&few).collect();
    assert!(new.is_empty(), "after {tokens} tokens: {new:#?}");
    let after = credence.admin("/metrics").text();
    assert!(!after.contains("evil") && !text.contains("evil"), "{after}");
    let sum: f64 = exposition(&credence)
        .iter()
        .filter_map(|(name, _, value)| (name == "credence_decisions_total").then_some(value))
        .sum();
    assert_eq!(sum, tokens as f64 + 1.0, "each was counted");
}
