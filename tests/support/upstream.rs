//! What stands behind the gateway: it tells what reached it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic_health::server::health_reporter;

use super::http::Response;
use super::runtime;
use super::server::{Received, Server, Stream, reply};

/// The request header by which tests recognise their own requests.
pub const MARK: &str = "x-test-mark";

/// An echo: it answers with method, path, headers and body length as they arrived. A WebSocket handshake is taken up,
/// and each text sent back.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    seen: Arc<Mutex<HashMap<String, Received>>>,
}

impl Upstream {
    /// Starts one.
    pub fn start() -> Self {
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let record = Arc::clone(&seen);
        let server = Server::start(None, move |request, stream| {
            let mark = request.header(MARK).unwrap_or_default().to_owned();
            record.lock().unwrap().insert(mark, request.clone());
            if request.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket")) {
                return web_socket(request, stream);
            }
            let body = json!({"method": request.method, "path": request.target, "headers": request.headers,
                "body_length": request.body.len()});
            reply(stream, 200, &[("content-type", "application/json")], body.to_string().as_bytes())
        });
        Self { server, seen }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Whether a request with this [`MARK`] came through.
    pub fn saw(&self, mark: &str) -> bool {
        self.seen.lock().unwrap().contains_key(mark)
    }

    /// The request with this [`MARK`] as it came through.
    pub fn received(&self, mark: &str) -> Option<Received> {
        self.seen.lock().unwrap().get(mark).cloned()
    }
}

/// What the upstream says it received.
#[derive(Debug)]
pub struct Echo(Value);

impl Echo {
    /// Reads the upstream's answer; panics when it was not the upstream that answered.
    pub fn of(response: &Response) -> Self {
        assert_eq!(response.status, 200, "not let through: {response:?}");
        Self(response.json())
    }

    /// Method as it arrived.
    pub fn method(&self) -> &str {
        self.0["method"].as_str().unwrap()
    }

    /// Path and query as they arrived.
    pub fn path(&self) -> &str {
        self.0["path"].as_str().unwrap()
    }

    /// Every header as it arrived.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        let pairs = self.0["headers"].as_array().unwrap().iter();
        pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect()
    }

    /// Every value of one header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers().into_iter().filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
    }

    /// The value of a header that must be there exactly once.
    pub fn one(&self, name: &str) -> &str {
        match self.all(name).as_slice() {
            [value] => value,
            other => panic!("{name} should be there once: {other:?} in {:?}", self.headers()),
        }
    }

    /// The headers that could be taken for an identity from credence, by any reader: `-`, `_` and `.` read as one.
    pub fn identity_headers(&self) -> Vec<(&str, &str)> {
        let identity = |name: &str| name.replace(['_', '.'], "-").to_ascii_lowercase().starts_with("x-credence");
        self.headers().into_iter().filter(|(name, _)| identity(name)).collect()
    }
}

/// Takes up a WebSocket (RFC 6455 §4.2.2) and sends back each short text frame until the other side closes.
fn web_socket(request: &Received, stream: &mut dyn Stream) -> io::Result<()> {
    let key =
        format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", request.header("sec-websocket-key").unwrap_or_default());
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
    let subject = request.header("x-credence-subject").unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 101 .\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\
         x-seen-subject: {subject}\r\n\r\n"
    )?;
    stream.flush()?;
    loop {
        let (opcode, text) = read_frame(stream)?;
        if opcode == 8 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        write_frame(stream, &text, None)?;
    }
}

/// Reads one unfragmented frame of less than 126 bytes (RFC 6455 §5.2): opcode and content, unmasked.
pub fn read_frame(stream: &mut (impl io::Read + ?Sized)) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let mut mask = [0; 4];
    if head[1] & 0x80 != 0 {
        stream.read_exact(&mut mask)?;
    }
    let mut content = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut content)?;
    content.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok((head[0] & 0x0f, content))
}

/// Writes one text frame of less than 126 bytes; clients have to mask.
pub fn write_frame(stream: &mut (impl io::Write + ?Sized), content: &[u8], mask: Option<[u8; 4]>) -> io::Result<()> {
    let length = u8::try_from(content.len()).unwrap();
    let mut frame = vec![0x81, length | if mask.is_some() { 0x80 } else { 0 }];
    frame.extend(mask.iter().flatten());
    frame.extend(content.iter().zip(mask.unwrap_or_default().iter().cycle()).map(|(byte, mask)| byte ^ mask));
    stream.write_all(&frame)?;
    stream.flush()
}

/// A gRPC upstream: the standard health service, which says SERVING. It ends with the process.
pub fn grpc_upstream() -> SocketAddr {
    runtime().block_on(async {
        let (_reporter, service) = health_reporter();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(serve.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    })
}
