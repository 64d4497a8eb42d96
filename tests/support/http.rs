//! An HTTP/1.1 client that sends exactly what it is told: order, repetitions, spelling and paths as written.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A request, byte for byte.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    has_host: bool,
}

impl Request {
    /// Begins a request with this method and request target, neither of which is looked at.
    pub fn new(method: &str, target: &str) -> Self {
        Self { line: format!("{method} {target} HTTP/1.1"), headers: Vec::new(), body: Vec::new(), has_host: false }
    }

    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST target` with an empty body.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// Adds a header after those already there.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.has_host |= name.eq_ignore_ascii_case("host");
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// `Host: host`.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        self.header("host", host)
    }

    /// `Authorization: Bearer token`.
    #[must_use]
    pub fn bearer(self, token: impl Display) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The body; `content-length` is added.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", length)
    }

    /// The bytes that go on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.line).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it over a connection of its own and reads the answer. A missing `Host` becomes the address.
    pub fn send(&self, to: SocketAddr) -> Response {
        self.try_send(to).unwrap_or_else(|error| panic!("{} to {to}: {error}", self.line))
    }

    /// Like [`Request::send`], for requests that the other side may answer by hanging up.
    pub fn try_send(&self, to: SocketAddr) -> io::Result<Response> {
        let mut request = self.clone();
        if !request.has_host {
            request.headers.insert(0, ("host".into(), to.to_string().into_bytes()));
        }
        request.headers.push(("connection".into(), b"close".to_vec()));
        exchange(to, &request.bytes())
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case, values as sent, repetitions kept.
    pub headers: Vec<(String, String)>,
    /// The body, without transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header that must not be there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        first
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?} of {self:?}", self.text()))
    }
}

/// Sends `bytes` over a fresh connection and reads one response.
pub fn exchange(to: SocketAddr, bytes: &[u8]) -> io::Result<Response> {
    let mut stream = connect(to)?;
    // The answer may come before all is sent, and the rest be refused: the answer is what counts.
    let sent = stream.write_all(bytes);
    let mut stream = BufReader::new(stream);
    let answer = if bytes.starts_with(b"HEAD ") { read_start(&mut stream) } else { read_response(&mut stream) };
    answer.or_else(|unread| sent.and(Err(unread)))
}

/// A connection that gives up reading and writing after the deadline of all tests.
pub fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(super::DEADLINE))?;
    stream.set_write_timeout(Some(super::DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads a response; after `101` the body is what follows on the stream and is left there.
pub fn read_response(stream: &mut impl BufRead) -> io::Result<Response> {
    let mut response = read_start(stream)?;
    if matches!(response.status, 101 | 204 | 304) {
        return Ok(response);
    }
    response.body = if response.header("transfer-encoding") == Some("chunked") {
        read_chunks(stream)?
    } else if let Some(length) = response.header("content-length") {
        let mut body = vec![0; length.parse().map_err(|_| invalid(length))?];
        stream.read_exact(&mut body)?;
        body
    } else {
        let mut body = Vec::new();
        stream.read_to_end(&mut body)?;
        body
    };
    Ok(response)
}

/// Reads the status and the headers of a response and leaves the rest.
fn read_start(stream: &mut impl BufRead) -> io::Result<Response> {
    let (line, headers) = read_head(stream)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| invalid(&line))?;
    Ok(Response { status, headers, body: Vec::new() })
}

/// The first line and the headers of a message.
pub type Head = (String, Vec<(String, String)>);

/// Reads the first line and the headers (names in lower case).
pub fn read_head(stream: &mut impl BufRead) -> io::Result<Head> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut lines = lines.into_iter();
    let first = lines.next().ok_or_else(|| invalid("an empty line"))?;
    let pair = |line: String| {
        let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Ok((first, lines.map(pair).collect::<io::Result<_>>()?))
}

/// Reads a body in chunked transfer coding.
pub fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| invalid(&line))?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {what:?}"))
}
