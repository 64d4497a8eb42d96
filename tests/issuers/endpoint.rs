//! An endpoint for key sets that says exactly the bytes it is told to, and remembers when it was asked.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::support::server::{Server, Stream, reply};

type Answering = Arc<dyn Fn(&mut dyn Stream) -> io::Result<()> + Send + Sync>;

#[derive(Default)]
struct State {
    answers: HashMap<String, Answering>,
    hits: Vec<(Instant, String)>,
}

pub(crate) struct Endpoint {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl Endpoint {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(None, move |request, stream| {
            let answer = {
                let mut state = shared.lock().unwrap();
                state.hits.push((Instant::now(), request.target.clone()));
                state.answers.get(&request.target).cloned()
            };
            match answer {
                Some(answer) => answer(stream),
                None => reply(stream, 404, &[], b""),
            }
        });
        Self { server, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// Any bytes, in any rhythm. An error closes the connection.
    pub(crate) fn answers(&self, path: &str, how: impl Fn(&mut dyn Stream) -> io::Result<()> + Send + Sync + 'static) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), Arc::new(how));
    }

    /// These bytes, then the end of the connection.
    pub(crate) fn raw(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.answers(path, move |stream| {
            stream.write_all(&bytes)?;
            stream.flush()?;
            Err(io::ErrorKind::ConnectionAborted.into())
        });
    }

    pub(crate) fn json(&self, path: &str, body: &Value) {
        self.text(path, &body.to_string());
    }

    pub(crate) fn text(&self, path: &str, body: &str) {
        let body = body.to_owned();
        self.answers(path, move |stream| reply(stream, 200, &[("content-type", "application/json")], body.as_bytes()));
    }

    pub(crate) fn hits(&self, path: &str) -> Vec<Instant> {
        self.state.lock().unwrap().hits.iter().filter(|(_, target)| target == path).map(|(at, _)| *at).collect()
    }
}
