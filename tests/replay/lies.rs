//! A store that is not what it says, or whose clock is not ours: it may refuse tokens, and lets none through twice.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use credence::clock::Clock;

use crate::support::small::{API, SUBJECT};
use crate::support::{eventually, now};
use crate::world::{World, is_up, reason, settled, told, until};

const UNAVAILABLE: &str = "replay_unavailable";

/// What the store does with one command: the bytes of an answer, or nothing for what an honest one would say.
type Lie = fn(&[String]) -> Option<String>;

/// An honest store but for what a test changes.
struct State {
    keys: HashMap<String, String>,
    evicted: u64,
    ahead: f64,
    lie: Lie,
}

/// Speaks as much of the protocol as credence does.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>, u16);

impl Fake {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State { keys: HashMap::new(), evicted: 0, ahead: 0.0, lie: |_| None };
        let fake = Self(Arc::new(Mutex::new(state)), listener.local_addr().unwrap().port());
        let serving = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fake = serving.clone();
                thread::spawn(move || fake.talk(stream));
            }
        });
        fake
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.1)
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// Loses what was spent, and nothing else.
    fn evict(&self) {
        self.set(|state| state.keys.retain(|key, _| key.contains(":epoch:")));
    }

    fn talk(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(command) = read(&mut reader) {
            let answer = self.0.lock().unwrap().answer(&command);
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// One command: an array of bulk strings.
fn read(reader: &mut impl std::io::BufRead) -> Option<Vec<String>> {
    let mut line = String::new();
    let mut length = |reader: &mut dyn std::io::BufRead| -> Option<usize> {
        line.clear();
        reader.read_line(&mut line).ok()?;
        line.get(1..)?.trim().parse().ok()
    };
    let many = length(reader)?;
    let mut command = Vec::new();
    for _ in 0..many {
        let mut bytes = vec![0; length(reader)? + 2];
        reader.read_exact(&mut bytes).ok()?;
        command.push(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into_owned());
    }
    Some(command)
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

impl State {
    fn answer(&mut self, command: &[String]) -> String {
        if let Some(lie) = (self.lie)(command) {
            return lie;
        }
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["INFO", ..] => bulk(&format!(
                "redis_mode:standalone\r\nrun_id:aa\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nloading:0\r\n\
                 evicted_keys:{}\r\nrole:master\r\nmaster_replid:bb\r\n",
                self.evicted
            )),
            ["TIME"] => {
                let time = format!("{:.6}", Clock::System.now().seconds() + self.ahead);
                let (seconds, micros) = time.split_once('.').unwrap();
                format!("*2\r\n{}{}", bulk(seconds), bulk(micros))
            }
            ["GET", key] => self.keys.get(*key).map_or_else(|| "$-1\r\n".to_owned(), |value| bulk(value)),
            ["SET", key, value, more @ ..] => {
                let there = self.keys.contains_key(*key);
                if more.contains(&"NX") && there || more.contains(&"XX") && !there {
                    return "$-1\r\n".to_owned();
                }
                self.keys.insert((*key).to_owned(), (*value).to_owned());
                "+OK\r\n".to_owned()
            }
            ["PEXPIRE", ..] => ":1\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        }
    }
}

fn spends(command: &[String]) -> bool {
    command[0] == "SET" && !command[1].contains(":epoch:")
}

#[test]
fn a_store_that_says_anything_but_ok_to_a_first_use() {
    let (world, fake) = (World::new(), Fake::start());
    let credence = world.serve_at(&fake.url()).start();
    settled(&credence);
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
    let lies: [Lie; 5] = [
        |command| spends(command).then(|| "+QUEUED\r\n".to_owned()),
        |command| spends(command).then(|| ":1\r\n".to_owned()),
        |command| spends(command).then(|| bulk("")),
        |command| spends(command).then(|| "*0\r\n".to_owned()),
        |command| (command[0] == "GET").then(|| ":7\r\n".to_owned()),
    ];
    for lie in lies {
        fake.set(|state| state.lie = lie);
        assert_eq!(reason(&credence, "once", &world.token()), UNAVAILABLE);
        fake.set(|state| state.lie = |_| None);
        is_up(&credence, true);
        eventually("a good answer", || (reason(&credence, "once", &world.token()) == "ok").then_some(()));
    }
}

#[test]
fn a_counter_of_evicted_keys_that_is_set_back_brings_no_used_token_back() {
    let (world, fake) = (World::new(), Fake::start());
    let credence = world.serve_at(&fake.url()).start();
    settled(&credence);
    let (used, since) = (world.token(), told(&credence, "since"));
    assert_eq!(reason(&credence, "once", &used), "ok");
    fake.set(|state| state.evicted = 7);
    fake.evict();
    eventually("another epoch", || (told(&credence, "since") > since).then_some(()));
    assert_eq!(reason(&credence, "once", &used), UNAVAILABLE);
    // CONFIG RESETSTAT
    let second = told(&credence, "since");
    fake.set(|state| state.evicted = 0);
    eventually("yet another epoch", || (told(&credence, "since") != second).then_some(()));
    is_up(&credence, true);
    assert_eq!(reason(&credence, "once", &used), UNAVAILABLE, "{} was {second}", told(&credence, "since"));
}

#[test]
fn a_store_whose_clock_is_ahead_forgets_too_early_and_is_not_asked() {
    let (world, fake) = (World::new(), Fake::start());
    let credence = world.serve_at(&fake.url()).start();
    settled(&credence);
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
    fake.set(|state| state.ahead = 600.0);
    is_up(&credence, false);
    assert!(told(&credence, "trouble").contains("clock"), "{}", told(&credence, "trouble"));
    assert_eq!(reason(&credence, "once", &world.token()), UNAVAILABLE);
    assert_eq!(reason(&credence, "often", &world.token()), "ok");
    fake.set(|state| state.ahead = 0.0);
    is_up(&credence, true);
    assert_eq!(reason(&credence, "once", &world.token()), "ok");
}

#[test]
fn a_store_whose_clock_is_behind_dates_its_beginning_too_early() {
    let (world, fake) = (World::new(), Fake::start());
    fake.set(|state| state.ahead = -5.0);
    let credence = world.serve_at(&fake.url()).start();
    is_up(&credence, true);
    let begun = now();
    // By the store's clock it was issued after the beginning.
    let older = world.ci.token(SUBJECT, API).claim("iat", begun - 3).mint();
    eventually("the store's clock to come so far", || (now() > begun + 2).then_some(()));
    assert_eq!(reason(&credence, "once", &older), UNAVAILABLE, "it may have been used before the store began");
    assert!(told(&credence, "warning").contains("clock"), "{}", told(&credence, "warning"));
    let newer = world.ci.token(SUBJECT, API).claim("iat", begun + 1).mint();
    until(&credence, "once", &newer, "ok");
}
