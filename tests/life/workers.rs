//! The threads that answer: how many there are, who gets which connection, and what cannot hold them up.
//!
//! Linux says what each thread of a process is called and how often it slept for want of work: whoever answers a call
//! slept before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use credence::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tonic::transport::Channel;

use crate::support::answer::Answer;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::runtime;
use crate::support::table::Table;
use crate::world::{call, decided_by, ends, in_force, table, token};

/// The threads of a process by name, each with its directory in `/proc`.
fn threads(credence: &Credence) -> BTreeMap<String, PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{}/task", credence.pid())).unwrap();
    tasks
        .map(|task| {
            let path = task.unwrap().path();
            (fs::read_to_string(path.join("comm")).unwrap().trim().to_owned(), path)
        })
        .collect()
}

/// How often each worker went to sleep so far.
fn sleeps(credence: &Credence) -> BTreeMap<String, u64> {
    let workers = threads(credence).into_iter().filter(|(name, _)| name.starts_with("worker-"));
    workers
        .map(|(name, path)| {
            let status = fs::read_to_string(path.join("status")).unwrap();
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
            (name, count.trim().parse().unwrap())
        })
        .collect()
}

fn ask(client: &AuthorizationClient<Channel>, token: &str) -> Answer {
    let mut client = client.clone();
    let message = call("own", token).message();
    Answer(runtime().block_on(async move { client.check(message).await }).unwrap().into_inner())
}

/// The workers that answered two hundred calls, one after another, on this connection.
fn who_answers(credence: &Credence, client: &AuthorizationClient<Channel>, token: &str) -> Vec<String> {
    let before = sleeps(credence);
    for _ in 0..200 {
        assert_eq!(ask(client, token).reason(), "ok");
    }
    let after = sleeps(credence);
    after.into_iter().filter(|(name, count)| count - before[name] > 100).map(|(name, _)| name).collect()
}

#[test]
fn each_connection_is_answered_by_one_worker_and_the_next_one_by_another() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).arg("--workers").arg("3").start();
    let token = token(&ci);
    assert_eq!(sleeps(&credence).len(), 3);
    let clients = [credence.another_client(), credence.another_client(), credence.another_client()];
    // Connections are made at the first call, so in this order.
    let first: Vec<_> = clients.iter().map(|client| who_answers(&credence, client, &token)).collect();
    assert!(first.iter().all(|workers| workers.len() == 1), "{first:?}");
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 3, "{first:?}");
    let again: Vec<_> = clients.iter().map(|client| who_answers(&credence, client, &token)).collect();
    assert_eq!(again, first);
}

#[test]
fn one_worker_answers_every_connection() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let mut credence = Credence::serve(file.path()).arg("--workers").arg("1").start();
    assert_eq!(sleeps(&credence).into_keys().collect::<Vec<_>>(), ["worker-0"]);
    for _ in 0..5 {
        assert_eq!(ask(&credence.another_client(), &token(&ci)).reason(), "ok");
    }
    assert_eq!(credence.stop().code(), Some(0));
}

#[test]
fn a_number_of_workers_that_is_none_is_refused() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let trust = file.path().display().to_string();
    for bad in ["0", "1025", "-1", "all"] {
        let (code, said) = ends(&["serve", "--trust", &trust, &format!("--workers={bad}")]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--workers") && said.contains(bad), "{said}");
        assert!(bad == "all" || said.contains("1..=1024"), "{said}");
    }
}

/// A table that takes a while to compile.
fn large(ci: &Issuer, description: &str) -> String {
    let mut text = table(ci, &["own"]);
    for n in 0..4000 {
        writeln!(
            text,
            "  filler-{n}: {{issuer: ci, resource: api, subject: filler-{n}, methods: [GET], paths: [/filler/{n}/**], \
             description: {description}}}"
        )
        .unwrap();
    }
    text
}

#[test]
fn while_a_large_table_is_compiled_the_old_one_answers() {
    let ci = Issuer::start();
    let file = Table::new(&large(&ci, "one"));
    let credence = Credence::serve(file.path()).arg("--workers").arg("1").start();
    let token = ci.token(crate::world::SUBJECT, crate::world::API).claim("exp", crate::support::now() + 3600).mint();
    let client = credence.client();
    assert_eq!(ask(&client, &token).reason(), "ok");
    let reloader = threads(&credence)["watch"].join("stat");
    // User and system time, in ticks (proc_pid_stat(5), fields 14 and 15; the name of the thread is one word here).
    let worked = || -> u64 {
        let stat = fs::read_to_string(&reloader).unwrap();
        stat.split(' ').skip(13).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    file.replace(&large(&ci, "two"));
    let mut moments = BTreeSet::new();
    loop {
        let answer = ask(&client, &token);
        assert_eq!(answer.reason(), "ok");
        if decided_by(&answer).0 == 2 {
            break;
        }
        moments.insert(worked());
    }
    assert_eq!(in_force(&credence).0, 2);
    assert!(moments.len() > 10, "answers came only at these moments of the reloader's work: {moments:?}");
}
