//! One gRPC call over h2, with the headers that Envoy 1.40 sends, and nothing in between that costs.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, Version};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;

use crate::Outcome;

/// A connection on which calls can be made; its other half runs as a local task until it is dropped.
#[derive(Clone)]
pub(crate) struct Connection {
    send: SendRequest<Bytes>,
    head: Request<()>,
}

impl Connection {
    /// Connects and shakes hands. Must be called inside a `LocalSet`.
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        let stream: TcpStream = socket.connect(address).await?;
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .handshake(stream)
            .await?;
        tokio::task::spawn_local(async move {
            // A fault of the connection is seen by every call on it.
            let _ = connection.await;
        });
        let head = Request::post(format!("http://{address}/envoy.service.auth.v3.Authorization/Check"))
            .version(Version::HTTP_2)
            .header("te", "trailers")
            .header("grpc-timeout", "1000m")
            .header("content-type", "application/grpc")
            .header("x-envoy-internal", "true")
            .header("x-forwarded-for", "192.0.2.2")
            .header("x-envoy-expected-rq-timeout-ms", "1000")
            .body(())?;
        Ok(Self { send: send.ready().await?, head })
    }

    /// Sends one message and gives the whole answer: length prefix and message.
    pub(crate) async fn call(&self, frame: Bytes) -> Outcome<Bytes> {
        let mut send = self.send.clone().ready().await?;
        let (answer, mut body) = send.send_request(self.head.clone(), false)?;
        body.send_data(frame, true)?;
        let answer = answer.await?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("HTTP {}", answer.status()).into());
        }
        // Where there is no message at all, the status stands among the headers.
        fine(answer.headers(), false)?;
        let mut body = answer.into_body();
        let mut whole = Bytes::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            whole = if whole.is_empty() { part } else { joined(&whole, &part) };
        }
        fine(&body.trailers().await?.ok_or("an answer without trailers")?, true)?;
        Ok(whole)
    }
}

/// Asks once, over a connection of its own.
pub(crate) fn ask(address: SocketAddr, frame: Bytes) -> Outcome<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async { Connection::open(address).await?.call(frame).await })
}

fn joined(one: &Bytes, two: &Bytes) -> Bytes {
    let mut both = BytesMut::with_capacity(one.len() + two.len());
    both.extend_from_slice(one);
    both.extend_from_slice(two);
    both.freeze()
}

fn fine(headers: &HeaderMap, needed: bool) -> Outcome {
    match headers.get("grpc-status") {
        Some(status) if status != "0" => {
            Err(format!("grpc-status {status:?}: {:?}", headers.get("grpc-message")).into())
        }
        None if needed => Err("no grpc-status".into()),
        _ => Ok(()),
    }
}
