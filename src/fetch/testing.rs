//! Issuers that answer well or badly, on real sockets.

mod proxy;
mod tls;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) use proxy::Proxy;
pub(crate) use tls::{Authority, Certificate};

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, then the end.
    Raw(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// Nothing, and the connection stays open.
    Hang,
    /// A 200 whose body goes on byte by byte.
    Drip,
    /// A 200 with this many bytes of body, as fast as they are taken.
    Flood(usize),
    /// A 200 with this entity tag and body; to a request that has the tag already, a 304.
    Tagged(&'static str, String),
}

/// A 200 with a body.
pub(crate) fn ok(body: &str) -> Answer {
    answer("200 OK", "", body)
}

/// An answer with a status, more header lines (each ending in CR LF) and a body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    Answer::Raw([head.as_bytes(), body.as_bytes()].concat())
}

pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
    shown: AtomicUsize,
    sent: AtomicUsize,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    pub(crate) async fn start_tls(certificate: &Certificate) -> Self {
        Self::serve(Some(tls::acceptor(certificate, None))).await
    }

    /// The same, and asks clients for a certificate signed by `clients`.
    pub(crate) async fn start_asking(certificate: &Certificate, clients: &Authority) -> Self {
        Self::serve(Some(tls::acceptor(certificate, Some(clients)))).await
    }

    async fn serve(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = server.shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(shared.clone(), tls.clone(), stream));
            }
        });
        server
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.shared.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections taken so far, whatever became of them.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Client certificates shown so far.
    pub(crate) fn shown(&self) -> usize {
        self.shared.shown.load(Ordering::SeqCst)
    }

    /// The request heads seen so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }

    /// Bytes of a flood that were taken.
    pub(crate) fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Lets the end of the connection be a reset.
    fn reset_at_end(&self);
}

impl Stream for TcpStream {
    fn reset_at_end(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Stream for TlsStream<TcpStream> {
    fn reset_at_end(&self) {
        self.get_ref().0.reset_at_end();
    }
}

async fn converse(shared: Arc<Shared>, tls: Option<TlsAcceptor>, stream: TcpStream) {
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => {
                let certificates = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                shared.shown.fetch_add(certificates.min(1), Ordering::SeqCst);
                Box::new(stream)
            }
            Err(_) => return,
        },
    };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let asked_with = head.lines().find_map(|line| line.strip_prefix("if-none-match: ")).map(str::to_owned);
    shared.heads.lock().unwrap().push(head);
    let answer = shared.answers.lock().unwrap().get(&path).cloned();
    let answer = answer.unwrap_or_else(|| self::answer("404 Not Found", "", "no such path"));
    let answer = match answer {
        Answer::Tagged(tag, _) if asked_with.as_deref() == Some(tag) => {
            self::answer("304 Not Modified", &format!("etag: {tag}\r\ncache-control: max-age=77\r\n"), "")
        }
        Answer::Tagged(tag, body) => self::answer("200 OK", &format!("etag: {tag}\r\n"), &body),
        other => other,
    };
    // The client may be gone at any point: that is its good right.
    let _ = reply(&shared, &mut stream, answer).await;
}

async fn reply(shared: &Shared, stream: &mut Box<dyn Stream>, answer: Answer) -> std::io::Result<()> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    match answer {
        Answer::Raw(bytes) => stream.write_all(&bytes).await?,
        Answer::Tagged(..) => {}
        Answer::Reset(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            stream.reset_at_end();
            return Ok(());
        }
        Answer::Hang => std::future::pending().await,
        Answer::Drip => {
            stream.write_all(HEAD).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Answer::Flood(mut left) => {
            stream.write_all(HEAD).await?;
            let block = vec![b' '; 64 * 1024];
            while left > 0 {
                stream.write_all(&block).await?;
                shared.sent.fetch_add(block.len(), Ordering::SeqCst);
                left = left.saturating_sub(block.len());
            }
        }
    }
    stream.shutdown().await
}

/// Names and where they lead; any other name does not resolve.
pub(crate) struct Names(pub(crate) HashMap<String, Vec<IpAddr>>);

impl Names {
    pub(crate) fn of(names: &[(&str, &[&str])]) -> Arc<Self> {
        let entry = |(name, addresses): &(&str, &[&str])| {
            ((*name).to_owned(), addresses.iter().map(|address| address.parse().unwrap()).collect())
        };
        Arc::new(Self(names.iter().map(entry).collect()))
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.0.get(name.as_str()).cloned();
        Box::pin(async move {
            let found = found.ok_or("no such name")?;
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}
