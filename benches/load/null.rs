//! The null server: tonic and the whole of Envoy's types, decode, answer with an empty yes. What any gRPC authorizer
//! built the obvious way costs before it has done anything.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use tokio::net::TcpSocket;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::Outcome;
use crate::args::{Habit, Null};
use crate::replay::Replay;

/// Serves until it is ended. Says where on standard output.
pub(crate) fn serve(null: &Null) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        if null.share {
            socket.set_reuseport(true)?;
        }
        socket.set_nodelay(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, null.port)))?;
        let listener = socket.listen(1024)?;
        // Whoever started this one waits for the line, and may then take the file away.
        let replay = null.replay.as_ref().map(std::fs::read).transpose()?;
        println!("{}", listener.local_addr()?);
        let incoming = TcpListenerStream::new(listener);
        let mut builder = tonic::transport::Server::builder().tcp_nodelay(true);
        match replay {
            Some(answer) => builder.add_service(Replay::of(answer)).serve_with_incoming(incoming).await?,
            None => {
                let server = Server { habit: null.answer, asked: AtomicU64::new(0) };
                builder.add_service(AuthorizationServer::new(server)).serve_with_incoming(incoming).await?;
            }
        }
        Ok(())
    })
}

struct Server {
    habit: Habit,
    asked: AtomicU64,
}

#[tonic::async_trait]
impl Authorization for Server {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let yes = CheckResponse {
            status: Some(RpcStatus::default()),
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
            ..CheckResponse::default()
        };
        let answer = match self.habit {
            Habit::Allow => yes,
            Habit::Deny => CheckResponse {
                status: Some(RpcStatus { code: 7, ..RpcStatus::default() }),
                http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse::default())),
                ..CheckResponse::default()
            },
            Habit::Bare => CheckResponse { http_response: None, ..yes },
            Habit::Uneven if self.asked.fetch_add(1, Ordering::Relaxed) % 100 == 99 => {
                CheckResponse { status: Some(RpcStatus { message: "x".repeat(100), ..RpcStatus::default() }), ..yes }
            }
            Habit::Uneven => yes,
            Habit::Nothing => CheckResponse::default(),
        };
        Ok(Response::new(answer))
    }
}
