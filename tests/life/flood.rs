//! Floods by those who may connect: the process lives, its memory stays bounded, honest callers are answered.

use std::collections::HashSet;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::http2::{END_STREAM, GOAWAY, HEADERS, RST_STREAM, ask, cancel, frame, open, preface, read_until, streams};
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{DEADLINE, eventually};
use crate::world::{call, reason, table, token};

/// What the process may take, in kB: far above what it takes at rest, far below what an unbounded flood would.
const MOST: u64 = 600_000;

struct Setting {
    ci: Issuer,
    credence: Credence,
    _file: Table,
}

fn setting() -> Setting {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).decision_log("off").arg("--drain-seconds=1").start();
    Setting { ci, credence, _file: file }
}

impl Setting {
    fn connect(&self, window: u32) -> TcpStream {
        let mut stream = TcpStream::connect(self.credence.grpc()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(&preface(window)).unwrap();
        stream
    }

    /// Honest callers get a yes, and the process has not grown beyond its bound.
    fn is_well(&self, what: &str) {
        let token = token(&self.ci);
        eventually("a yes", || (reason(&self.credence, "own", &token) == "ok").then_some(()));
        let resident = resident(self.credence.pid());
        assert!(resident < MOST, "{what}: {resident} kB");
    }
}

/// Resident memory in kB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn ten_thousand_open_streams_on_one_connection_each_get_a_verdict() {
    const COUNT: usize = 10_000;
    let setting = setting();
    setting.is_well("at rest");
    let mut stream = setting.connect(65_535);
    let mut writer = stream.try_clone().unwrap();
    // Opened, and then never a byte of the question.
    let opening = thread::spawn(move || {
        for number in streams(COUNT) {
            writer.write_all(&open(0, number)).unwrap();
        }
    });
    let mut ended = HashSet::new();
    read_until(&mut stream, |(kind, flags, number)| {
        assert_ne!(kind, GOAWAY, "it takes every call along");
        // Trailers end an answer; then a question that never came to its end may be, too (RFC 9113 §8.1).
        assert!(kind != RST_STREAM || ended.contains(&number), "{number}: an RPC error, not a verdict");
        if kind == HEADERS && flags & END_STREAM != 0 {
            ended.insert(number);
        }
        ended.len() == COUNT
    })
    .unwrap();
    opening.join().unwrap();
    setting.is_well("ten thousand streams");
}

#[test]
fn clients_that_never_take_their_answers_cost_a_bounded_amount_and_are_cut() {
    let setting = setting();
    let mut slow = Vec::new();
    for _ in 0..8 {
        // No stream of theirs takes a byte, and nobody reads the socket. Questions without a message need no room at the
        // server, so nothing holds the client back.
        let mut stream = setting.connect(0);
        _ = streams(16_000).try_for_each(|number| stream.write_all(&open(END_STREAM, number)));
        slow.push(stream);
        setting.is_well("slow readers");
    }
    eventually("the cut", || setting.credence.stderr().contains("its peer takes no answers").then_some(()));
    setting.is_well("slow readers that were cut");
}

#[test]
fn streams_that_are_opened_and_reset_cost_a_bounded_amount() {
    let setting = setting();
    for _ in 0..3 {
        let flooders: Vec<_> = (0..4)
            .map(|_| {
                let mut stream = setting.connect(65_535);
                thread::spawn(move || {
                    _ = streams(30_000)
                        .try_for_each(|number| stream.write_all(&[open(0, number), cancel(number)].concat()));
                    stream
                })
            })
            .collect();
        setting.is_well("during a flood of resets");
        let flooders: Vec<_> = flooders.into_iter().map(|flooder| flooder.join().unwrap()).collect();
        setting.is_well("after a flood of resets");
        drop(flooders);
    }
}

#[test]
fn half_open_clients_keep_nobody_from_an_answer() {
    let mut setting = setting();
    let question = call("own", &token(&setting.ci));
    let crowd: Vec<_> = (0..400)
        .map(|n| {
            let mut stream = setting.connect(65_535);
            let whole = ask(1, &question);
            _ = match n % 4 {
                0 => Ok(()),
                // In the middle of the headers, in the middle of the question.
                1 => stream.write_all(&open(0, 1)[..20]),
                2 => stream.write_all(&whole[..whole.len() / 2]),
                _ => stream.write_all(&frame(0x4, 0, 0, &[])).and_then(|()| stream.shutdown(Shutdown::Write)),
            };
            stream
        })
        .collect();
    setting.is_well("half-open clients");
    assert_eq!(setting.credence.stop().code(), Some(0));
    drop(crowd);
}
