//! Issuers that have ended: nobody asks for their keys.

use super::super::testing::{Server, ok};
use super::life::{bind_until, has, keeper_at, tried_again};
use super::*;
use crate::clock::{Clock, Time};
use crate::keys::testing::rules;
use crate::name::Algorithm;

const END: Time = Time::from_seconds(1000.0);
const BEFORE: Time = Time::from_seconds(999.0);

fn clock_at(time: Time) -> Clock {
    Clock::manual(time)
}

#[tokio::test]
async fn keys_of_an_issuer_that_has_ended_are_not_fetched_and_more_time_for_it_brings_them_at_once() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper_at(quick(), clock_at(END));
    let (origin, rules) = (jwks(server.url("/keys")), rules(&[Algorithm::RS256]));
    let ended = bind_until(&keeper, "a", &origin, &rules, Some(END));
    keeper.tried().await;
    assert_eq!((ended.is_ready(), server.connections()), (false, 0));
    let renewed = bind_until(&keeper, "a", &origin, &rules, Some(Time::from_seconds(2000.0)));
    let mut tries = keeper.tries().remove(0);
    let again = tries.wait_for(|count| *count >= 2);
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("it is asked at once").unwrap();
    assert!(has(&renewed, "k") && server.connections() > 0);
    // Only the table that says more is in force now.
    keeper.retain(std::slice::from_ref(&renewed));
    tried_again(&keeper).await;
    assert!(has(&renewed, "k"));
}

#[tokio::test]
async fn when_an_issuer_ends_nothing_of_it_is_told_as_trouble_and_a_clock_that_was_wrong_costs_no_keys() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let clock = clock_at(BEFORE);
    let keeper = keeper_at(Timing { look_again: Duration::from_secs(3600), ..quick() }, clock.clone());
    let (origin, rules) = (jwks(server.url("/keys")), rules(&[Algorithm::RS256]));
    let live = bind_until(&keeper, "a", &origin, &rules, Some(END));
    tried_again(&keeper).await;
    assert!(has(&live, "k"));
    server.set("/keys", super::super::testing::answer("500 Oops", "", ""));
    tried_again(&keeper).await;
    assert!(live.status().last_error.is_some());
    clock.set(END);
    let rest = async {
        while live.status().next_refresh.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), rest).await.expect("it rests");
    let status = live.status();
    assert_eq!((status.last_error, status.last_result), (None, None));
    let asked = server.connections();
    let other = Server::start().await;
    other.set("/keys", ok(&keys("k")));
    let _other = bind_until(&keeper, "b", &jwks(other.url("/keys")), &rules, None);
    while other.connections() < 50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.connections(), asked);
    let renewed = bind_until(&keeper, "a", &origin, &rules, Some(Time::from_seconds(2000.0)));
    assert!(has(&renewed, "k"), "it serves on although its source is down");
}

#[tokio::test]
async fn keys_of_an_issuer_that_stays_ended_are_let_go() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let clock = clock_at(BEFORE);
    let keeper = keeper_at(quick(), clock.clone());
    let live = bind_until(&keeper, "a", &jwks(server.url("/keys")), &rules(&[Algorithm::RS256]), Some(END));
    tried_again(&keeper).await;
    assert!(has(&live, "k"));
    clock.set(END);
    let gone = async {
        while live.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("its keys go");
    assert_eq!(live.status().usable, 0);
}

#[tokio::test]
async fn a_source_that_also_feeds_an_entry_without_end_goes_on() {
    let server = Server::start().await;
    server.set("/keys", ok(&keys("k")));
    let keeper = keeper_at(quick(), clock_at(END));
    let (origin, rules) = (jwks(server.url("/keys")), rules(&[Algorithm::RS256]));
    let _ended = bind_until(&keeper, "a", &origin, &rules, Some(END));
    let endless = bind_until(&keeper, "a", &origin, &rules, None);
    tried_again(&keeper).await;
    assert!(has(&endless, "k"));
    keeper.retain(std::slice::from_ref(&endless));
    tried_again(&keeper).await;
    assert!(has(&endless, "k"));
}
