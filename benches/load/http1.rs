//! The closed loop over HTTP/1.1, towards Envoy above all: kept connections, one request in flight on each, every
//! answer judged.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::closed::{PATIENCE, Until, Window, measured};
use crate::envoy::SEEN;
use crate::judge::SUBJECT;
use crate::world::{HOST, PATH};
use crate::{Outcome, owner};

/// A load to come.
pub(crate) struct Clients {
    pub(crate) connections: usize,
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    pub(crate) warm: Until,
    pub(crate) window: Until,
    pub(crate) reply: Reply,
}

/// What every answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Envoy's own `ok`, which says whether a caller was named to it.
    Envoy { named: bool },
    /// A bare yes of a decision API, which names the subject.
    Decision,
}

impl Reply {
    /// How it ends.
    const fn end(self) -> &'static [u8] {
        match self {
            Self::Envoy { .. } => b"\r\n\r\nok\n",
            Self::Decision => b"\r\n\r\n",
        }
    }

    /// Whether the caller is named, or not, as it has to be.
    fn is_right(self, answer: &[u8]) -> bool {
        let has = |name: &str| answer.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        match self {
            Self::Envoy { named } => has(SEEN) == named,
            Self::Decision => has(SUBJECT),
        }
    }
}

/// What a client sends with this token; `before`: what stands before the path.
pub(crate) fn request(before: &str, token: &str) -> Vec<u8> {
    format!(
        "GET {before}{PATH} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: ci-runner/4.2 (linux; x86_64)\r\naccept: application/json\r\n\
         accept-encoding: gzip, br\r\naccept-language: en\r\ncontent-type: application/json\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx-tenant: blue\r\n\
         authorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

impl Clients {
    /// Loads the server at `address`; CPU time of it, the first of `pids`, and of the others.
    pub(crate) fn run(&self, address: SocketAddr, pids: &[u32]) -> Outcome<Window> {
        owner::only(*pids.first().ok_or("no process")?, address.port())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let mut clients = Vec::new();
            for _ in 0..self.connections {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                clients.push(Client { stream, buffer: Vec::with_capacity(4096) });
            }
            let next = Rc::new(Cell::new(0));
            let (_, clients) = self.phase(clients, self.warm, &next).await?;
            measured(pids, async { Ok(self.phase(clients, self.window, &next).await?.0) }).await
        })
    }

    async fn phase(&self, clients: Vec<Client>, until: Until, next: &Rc<Cell<usize>>) -> Outcome<(u64, Vec<Client>)> {
        let (limit, time) = until.limits();
        let (end, left) = (Instant::now() + time, Rc::new(Cell::new(limit)));
        let call = |mut client: Client| {
            let (requests, next, reply) = (Arc::clone(&self.requests), Rc::clone(next), self.reply);
            let left = Rc::clone(&left);
            tokio::task::spawn_local(async move {
                let mut answers = 0;
                while left.get() > 0 && Instant::now() < end {
                    left.set(left.get() - 1);
                    let which = next.get() % requests.len().max(1);
                    next.set(which + 1);
                    client.call(requests.get(which).ok_or("no requests")?, reply).await?;
                    answers += 1;
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>((answers, client))
            })
        };
        let tasks: Vec<_> = clients.into_iter().map(call).collect();
        let all = async {
            let (mut answers, mut clients) = (0, Vec::new());
            for task in tasks {
                let (some, client) = task.await??;
                answers += some;
                clients.push(client);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((answers, clients))
        };
        let done = tokio::time::timeout(time + PATIENCE, all).await.map_err(|_| "requests hang")??;
        match until {
            Until::Count(_) if left.get() > 0 => Err(format!("{} requests were not made", left.get()).into()),
            _ => Ok(done),
        }
    }
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// One request and its whole answer, which must be the right one.
    async fn call(&mut self, request: &[u8], reply: Reply) -> Outcome {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection was closed".into());
            }
            let refused = self.buffer.starts_with(b"HTTP/1.1 ") && !self.buffer.starts_with(b"HTTP/1.1 200");
            if refused || self.buffer.len() > 16_384 {
                return Err(format!("the answer was {}", String::from_utf8_lossy(&self.buffer)).into());
            }
            if self.buffer.ends_with(reply.end()) {
                break;
            }
        }
        if reply.is_right(&self.buffer) { Ok(()) } else { Err("a caller is named who should not be, or is not".into()) }
    }
}
