//! The closed loop towards Envoy: HTTP/1.1 over kept connections, one request in flight on each, every answer judged.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::closed::{PATIENCE, Window, measured};
use crate::envoy::SEEN;
use crate::world::{HOST, PATH};
use crate::{Outcome, owner};

/// A load to come.
pub(crate) struct Clients {
    pub(crate) connections: usize,
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    pub(crate) warm: Duration,
    pub(crate) window: Duration,
    /// Whether the authorizer has to have named a caller to Envoy.
    pub(crate) named: bool,
}

/// What a client sends with this token.
pub(crate) fn request(token: &str) -> Vec<u8> {
    format!(
        "GET {PATH} HTTP/1.1\r\nhost: {HOST}\r\nuser-agent: ci-runner/4.2 (linux; x86_64)\r\naccept: application/json\r\n\
         accept-encoding: gzip, br\r\naccept-language: en\r\ncontent-type: application/json\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx-tenant: blue\r\n\
         authorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

impl Clients {
    /// Loads Envoy at `address`; CPU time of it, the first of `pids`, and of the others.
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

    async fn phase(&self, clients: Vec<Client>, time: Duration, next: &Rc<Cell<usize>>) -> Outcome<(u64, Vec<Client>)> {
        let end = Instant::now() + time;
        let call = |mut client: Client| {
            let (requests, next, named) = (Arc::clone(&self.requests), Rc::clone(next), self.named);
            tokio::task::spawn_local(async move {
                let mut answers = 0;
                while Instant::now() < end {
                    let which = next.get() % requests.len().max(1);
                    next.set(which + 1);
                    client.call(requests.get(which).ok_or("no requests")?, named).await?;
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
            Ok((answers, clients))
        };
        tokio::time::timeout(time + PATIENCE, all).await.map_err(|_| "requests hang")?
    }
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// One request and its whole answer, which must be Envoy's own `ok`.
    async fn call(&mut self, request: &[u8], named: bool) -> Outcome {
        const BODY: &[u8] = b"\r\n\r\nok\n";
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("Envoy closed the connection".into());
            }
            if self.buffer.ends_with(BODY) {
                break;
            }
            let refused = self.buffer.starts_with(b"HTTP/1.1 ") && !self.buffer.starts_with(b"HTTP/1.1 200");
            if refused || self.buffer.len() > 16_384 {
                return Err(format!("Envoy answered {}", String::from_utf8_lossy(&self.buffer)).into());
            }
        }
        let has_name = self.buffer.windows(SEEN.len()).any(|window| window == SEEN.as_bytes());
        if has_name == named { Ok(()) } else { Err("the wrong authorizer stands behind Envoy".into()) }
    }
}
