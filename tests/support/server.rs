//! A small HTTP/1.1 server, a thread a connection, with a handler that may also misbehave on purpose.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// As sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Names in lower case, in order, repetitions kept.
    pub headers: Vec<(String, String)>,
    /// The body, without transfer coding.
    pub body: Vec<u8>,
}

impl Received {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What a handler talks to.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Writes a whole response.
pub fn reply(stream: &mut dyn Stream, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} .\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

type Handler = dyn Fn(&Received, &mut dyn Stream) -> io::Result<()> + Send + Sync;

/// A listening server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// Listens on a free loopback port. An error from `handler` closes the connection; so does `connection: close`.
    pub fn start(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Received, &mut dyn Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (handler, stop): (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&stopped));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (handler, tls) = (Arc::clone(&handler), tls.clone());
                thread::spawn(move || attend(stream, tls, &*handler));
            }
        });
        Self { address, stopped }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one connection; what goes wrong on it is the other side's to notice.
fn attend(stream: TcpStream, tls: Option<Arc<ServerConfig>>, handler: &Handler) {
    let _ = stream.set_nodelay(true);
    let _ = match tls {
        None => converse(stream, handler),
        Some(config) => match ServerConnection::new(config) {
            Ok(session) => converse(StreamOwned::new(session, stream), handler),
            Err(_) => return,
        },
    };
}

fn converse(stream: impl Stream, handler: &Handler) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    loop {
        let (line, headers) = http::read_head(&mut stream)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request = Received { method, target, headers, body: Vec::new() };
        if request.header("transfer-encoding") == Some("chunked") {
            request.body = http::read_chunks(&mut stream)?;
        } else if let Some(length) = request.header("content-length") {
            request.body = vec![0; length.parse().unwrap_or(0)];
            stream.read_exact(&mut request.body)?;
        }
        handler(&request, &mut Buffered(&mut stream))?;
        if request.header("connection") == Some("close") {
            return Ok(());
        }
    }
}

/// Reads through the buffer, writes past it.
struct Buffered<'a, S>(&'a mut BufReader<S>);

impl<S: Read> Read for Buffered<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Stream> Write for Buffered<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}
