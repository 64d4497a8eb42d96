//! Where it listens, and where it refuses to.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{runtime, scratch};
use crate::world::{API, SUBJECT, call, ends, reason, table, token};

/// Runs `serve` with these addresses to an end that has to come.
fn serve(trust: &Table, listen: &str, admin: &str) -> (Option<i32>, String) {
    let trust = trust.path().display().to_string();
    let fixed = ["serve", "--trust", &trust, "--listen", listen, "--admin-listen", admin, "--decision-log", "off"];
    ends(&fixed)
}

fn world() -> (Issuer, Table) {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    (ci, file)
}

fn mode(socket: &Path) -> u32 {
    let found = fs::symlink_metadata(socket).unwrap();
    assert!(found.file_type().is_socket());
    found.permissions().mode() & 0o7777
}

/// The services that the server describes, or the gRPC status by which it refuses to.
fn described(credence: &Credence) -> Result<Vec<String>, tonic::Code> {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    runtime().block_on(async {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", credence.grpc())).unwrap();
        let mut client = ServerReflectionClient::new(channel.connect().await.unwrap());
        let list = MessageRequest::ListServices(String::new());
        let ask = ServerReflectionRequest { host: String::new(), message_request: Some(list) };
        let mut answers =
            client.server_reflection_info(tokio_stream::once(ask)).await.map_err(|status| status.code())?.into_inner();
        match answers.message().await.unwrap().and_then(|answer| answer.message_response) {
            Some(MessageResponse::ListServicesResponse(list)) => {
                Ok(list.service.into_iter().map(|service| service.name).collect())
            }
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn the_services_describe_themselves_only_where_it_is_asked_for() {
    let (_ci, file) = world();
    let shown = Credence::serve(file.path()).arg("--reflection").start();
    let services = described(&shown).unwrap();
    for service in ["envoy.service.auth.v3.Authorization", "grpc.health.v1.Health"] {
        assert!(services.iter().any(|name| name == service), "{services:?}");
    }
    let hidden = Credence::serve(file.path()).start();
    assert_eq!(described(&hidden), Err(tonic::Code::Unimplemented));
}

#[test]
fn an_address_that_others_reach_is_refused_unless_the_flag_is_given() {
    let (ci, file) = world();
    for open in ["0.0.0.0:0", "[::]:0"] {
        let (code, said) = serve(&file, open, "127.0.0.1:0");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--insecure-listen") && said.contains(open), "{said}");
    }
    let credence = Credence::serve(file.path()).listen("0.0.0.0:0").arg("--insecure-listen").start_unready();
    let port = credence.grpc().rsplit(':').next().unwrap().to_owned();
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    drop(ci);
}

#[test]
fn an_address_that_is_none_is_a_clear_message() {
    let (_ci, file) = world();
    for bad in ["9191", "unix:", "localhost", "example.test:1"] {
        let (code, said) = serve(&file, bad, "127.0.0.1:0");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--listen") && said.contains("127.0.0.1:9191"), "{said}");
    }
}

#[test]
fn a_port_in_use_is_a_clear_message() {
    let (_ci, file) = world();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (grpc, admin, flag) in
        [(address.as_str(), "127.0.0.1:0", "--listen"), ("127.0.0.1:0", address.as_str(), "--admin-listen")]
    {
        let (code, said) = serve(&file, grpc, admin);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(flag) && said.contains(&address) && said.contains("in use"), "{said}");
    }
}

#[test]
fn a_unix_socket_is_for_owner_and_group_and_goes_with_its_server() {
    let (ci, file) = world();
    let dir = scratch();
    let socket = dir.path().join("authz.sock");
    let mut credence = Credence::serve(file.path()).listen_on(&socket).start();
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    let answer = credence.check(&call("own", &token(&ci)));
    let peer = credence.decision(&answer.decision_id())["proxy"]["peer"].clone();
    assert!(peer.as_str().unwrap().starts_with("unix:pid="), "{peer}");

    // A second server on the same socket is refused, and the first one notices nothing.
    let (code, said) = serve(&file, &format!("unix:{}", socket.display()), "127.0.0.1:0");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another server listens there"), "{said}");
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    let fresh = Credence::serve(file.path()).start();
    assert_eq!(reason(&fresh, "own", &token(&ci)), "ok");

    assert_eq!(credence.stop().code(), Some(0));
    assert!(!socket.exists());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_socket_that_a_killed_server_left_is_replaced() {
    let (ci, file) = world();
    let dir = scratch();
    let socket = dir.path().join("authz.sock");
    let mut killed = Credence::serve(file.path()).listen_on(&socket).start();
    killed.signal("KILL");
    assert_ne!(killed.process().wait().code(), Some(0));
    assert!(socket.exists(), "nobody was there to take it away");
    let mut credence = Credence::serve(file.path()).listen_on(&socket).start();
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    assert_eq!(credence.stop().code(), Some(0));
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let (_ci, file) = world();
    let dir = scratch();
    let path = dir.path().join("authz.sock");
    fs::write(&path, "someone's work").unwrap();
    let (code, said) = serve(&file, &format!("unix:{}", path.display()), "127.0.0.1:0");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("not a socket"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "someone's work");
}

#[test]
fn a_request_above_the_limit_is_a_verdict() {
    let (ci, file) = world();
    let credence = Credence::serve(file.path()).arg("--max-request-bytes").arg("4096").start();
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    let answer = credence.check(&call("own", &token(&ci)).header("x-large", "x".repeat(8192)));
    assert_eq!((answer.reason().as_str(), answer.status()), ("malformed_request", 400));
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
    // Twenty MiB against the default of sixteen.
    let credence = Credence::serve(file.path()).start();
    let answer = credence.check(&call("own", &token(&ci)).header("x-large", "x".repeat(20 << 20)));
    assert_eq!(answer.reason(), "malformed_request");
}

#[test]
fn a_call_above_the_limit_of_calls_is_a_verdict() {
    let (_ci, file) = world();
    let credence = Credence::serve(file.path()).arg("--max-concurrent").arg("0").start();
    let answer = credence.check(&Call::get(&format!("{API}/own/x")));
    assert_eq!((answer.reason().as_str(), answer.status(), answer.code()), ("overloaded", 503, 14));
    assert!(answer.header("retry-after").is_some());
    let log = credence.stderr();
    let warned = log.lines().filter(|line| line.contains("WARN") && line.contains("--max-concurrent is 0"));
    assert_eq!(warned.count(), 1, "whoever starts it is told, once: {log}");
}

#[test]
fn five_thousand_headers_are_a_verdict() {
    let (ci, file) = world();
    let credence = Credence::serve(file.path()).start();
    let many = |count: usize| {
        (0..count).fold(call("own", &ci.token(SUBJECT, API).mint()), |call, n| call.header(&format!("x-{n}"), "y"))
    };
    for call in [many(5000), many(5000).raw_headers()] {
        let answer = credence.check(&call);
        assert_eq!((answer.reason().as_str(), answer.status()), ("malformed_request", 400));
    }
    assert_eq!(credence.check(&many(500)).reason(), "ok");
}
