//! An HTTP proxy that knows CONNECT.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Leads to this machine, whatever the name; refuses everything if it is told to.
pub(crate) struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        Self::answering("200 Connected").await
    }

    /// A proxy that answers every request with `status`.
    pub(crate) async fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let heads = proxy.heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(relay(stream, heads.clone(), status));
            }
        });
        proxy
    }

    /// `host:port`.
    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    /// The request heads seen so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn relay(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, status: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let port: u16 = head.split([' ', ':']).find_map(|part| part.parse().ok()).unwrap();
    heads.lock().unwrap().push(head);
    // The client may be gone at any point: that is its good right.
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
    if status.starts_with("200")
        && let Ok(mut target) = TcpStream::connect(("127.0.0.1", port)).await
    {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
    }
}
