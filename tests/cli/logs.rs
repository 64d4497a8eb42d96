//! A decision log that a real server wrote.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::world::{API, SUBJECT, table};

/// What moves a cursor, hides text, and looks like a line of our own.
pub(crate) const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\r\n\u{2028}allow ok";

/// A server's log, and the table that it decided by.
pub(crate) struct Log {
    pub(crate) ci: Issuer,
    pub(crate) table: Table,
    pub(crate) lines: Vec<Value>,
    dir: TempDir,
}

/// Six calls: allowed, another claim, expired, no token, a hostile subject, an open place.
pub(crate) fn log() -> Log {
    let ci = Issuer::start();
    let table = table(&ci);
    let dir = crate::support::scratch();
    let file = dir.path().join("decisions.jsonl");
    let mut credence = Credence::serve(table.path()).decision_log(&file.display().to_string()).start();
    let post = || Call::post(&format!("{API}/v1/deploys/web?secret=hunter2"));
    let main = ci.token(SUBJECT, API).claim("ref", "refs/heads/main");
    let calls = [
        post()
            .bearer(main.clone().mint())
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        post().bearer(ci.token(SUBJECT, API).claim("ref", "refs/heads/dev").mint()),
        post().bearer(main.claim("exp", 1000).mint()),
        post(),
        post().bearer(ci.token(HOSTILE, API).mint()),
        Call::get(&format!("{API}/healthz")),
    ];
    let ids: Vec<_> = calls.iter().map(|call| credence.check(call).decision_id()).collect();
    credence.stop();
    let text = eventually("all lines", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.lines().count() == ids.len())
    });
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines = ids.iter().map(|id| lines.iter().find(|line| line["decision_id"] == **id).unwrap().clone()).collect();
    Log { ci, table, lines, dir }
}

impl Log {
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("decisions.jsonl")
    }

    pub(crate) fn path(&self) -> String {
        self.file().display().to_string()
    }

    pub(crate) fn id(&self, at: usize) -> String {
        self.lines[at]["decision_id"].as_str().unwrap().to_owned()
    }

    /// Puts lines behind those of the server.
    pub(crate) fn append(&self, text: &str) {
        let mut whole = std::fs::read_to_string(self.file()).unwrap();
        whole.push_str(text);
        std::fs::write(self.file(), whole).unwrap();
    }

    /// The table's text with something replaced, as a table of its own.
    pub(crate) fn candidate(&self, from: &str, to: &str) -> Table {
        let text = self.table.text();
        assert!(text.contains(from), "no {from} in {text}");
        Table::raw(text.replacen(from, to, 1).as_bytes())
    }
}
