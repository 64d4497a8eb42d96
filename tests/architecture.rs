//! The direction of the house: a room imports only rooms above it, and third-party crates stay behind their walls.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that only these rooms may name.
const WALLS: [(&str, &[&str]); 23] = [
    ("tonic", &["proto", "wire", "grpc"]),
    ("prost", &["proto", "spans", "wire", "observe"]),
    ("prost_types", &[]),
    ("tokio", &["spans", "fetch", "redis_store", "wire", "grpc", "admin", "app", "cli"]),
    ("tokio_rustls", &["grpc"]),
    ("x509_parser", &["certificate"]),
    ("reqwest", &["spans", "fetch"]),
    ("rustls", &["fetch"]),
    ("httpdate", &["spans", "fetch"]),
    ("flate2", &["spans"]),
    ("redis", &["redis_store"]),
    ("axum", &["admin"]),
    ("http", &["spans", "wire", "grpc"]),
    ("hyper", &["grpc"]),
    ("hyper_util", &["grpc"]),
    ("clap", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("notify", &["table"]),
    ("saphyr_parser", &["table"]),
    ("prometheus_client", &["observe"]),
    ("jsonwebtoken", &["keys"]),
    ("tracing_subscriber", &["observe", "cli"]),
    ("quick_cache", &["memory", "flood"]),
];

/// Names of the rooms, from `lib.rs`, top to bottom.
fn rooms() -> Vec<String> {
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    lib.lines().filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned())).collect()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of every room, without comments and tests.
fn code() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    files(Path::new("src"), &mut found);
    let mut rooms: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for path in found {
        let relative = path.strip_prefix("src").unwrap().to_owned();
        let first =
            relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let is_test = relative.components().any(|part| part.as_os_str().to_str().unwrap().contains("test"));
        if is_test || matches!(first.as_str(), "lib" | "main") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
        rooms.entry(first).or_default().push((path, lines.collect::<Vec<_>>().join("\n")));
    }
    rooms
}

/// Whether `code` names the path segment `name` followed by `::`, as a word.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code.get(..at).and_then(|code| code.chars().next_back());
        !before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | ':'))
    })
}

#[test]
fn every_room_imports_only_rooms_above_it() {
    let rooms = rooms();
    let code = code();
    assert_eq!(
        rooms.iter().collect::<std::collections::BTreeSet<_>>(),
        code.keys().collect(),
        "lib.rs lists every room"
    );
    let mut wrong = Vec::new();
    for (room, sources) in &code {
        let own = rooms.iter().position(|other| other == room).unwrap();
        for (path, text) in sources {
            for other in rooms.iter().skip(own + 1) {
                if names(text, &format!("crate::{other}")) || text.contains(&format!("crate::{other};")) {
                    wrong.push(format!("{}: `{room}` imports `{other}`, which stands below it", path.display()));
                }
            }
            if text.contains("use crate::{") {
                wrong.push(format!(
                    "{}: write one `use crate::ROOM` a line, so that this test can see it",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn third_party_crates_stay_behind_their_walls() {
    let mut wrong = Vec::new();
    for (room, sources) in code() {
        for (path, text) in sources {
            for (library, allowed) in WALLS {
                if names(&text, library) && !allowed.contains(&room.as_str()) {
                    wrong.push(format!("{}: `{room}` names `{library}`, which is for {allowed:?}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    for (room, sources) in code() {
        for (path, text) in sources {
            assert!(room == "clock" || !text.contains("SystemTime::now"), "{}", path.display());
        }
    }
}

#[test]
fn nothing_in_the_walk_waits_or_reads_a_clock() {
    let off_the_walk =
        ["clock", "table", "observe", "spans", "fetch", "redis_store", "wire", "grpc", "admin", "app", "cli", "keys"];
    for (room, sources) in code().into_iter().filter(|(room, _)| !off_the_walk.contains(&room.as_str())) {
        for (path, text) in sources {
            for word in ["async fn", ".await", "Instant::now", "std::fs", "std::net::Tcp", "thread::sleep", "std::env"]
            {
                assert!(!text.contains(word), "{}: `{room}` holds `{word}`", path.display());
            }
        }
    }
}

#[test]
fn every_room_says_what_comes_in_what_goes_out_and_what_it_must_not_know() {
    for room in rooms() {
        let (file, module) = (format!("src/{room}.rs"), format!("src/{room}/mod.rs"));
        let text = fs::read_to_string(&file).or_else(|_| fs::read_to_string(&module)).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
        assert!(head.contains("In:") && head.contains("Out:"), "{room}: {head}");
    }
}
