//! Handshakes are counted, and by whose certificate was not accepted.

use std::io::Write as _;
use std::net::TcpStream;

use crate::support::credence::Credence;
use crate::support::eventually;
use crate::support::issuer::Ca;
use crate::support::tls::Client;
use crate::tls::{ENVOY, Setting};

const RESULTS: [&str; 5] = ["ok", "client_certificate", "server_certificate", "protocol", "incomplete"];

fn counts(credence: &Credence) -> [f64; 5] {
    let count = |result| {
        let series = format!("credence_tls_handshakes_total{{listener=\"grpc\",result=\"{result}\"}}");
        credence.metric(&series).unwrap_or_else(|| panic!("{series}"))
    };
    RESULTS.map(count)
}

#[test]
fn handshakes_are_counted_by_whose_certificate_was_not_accepted() {
    let setting = Setting::new();
    let credence = setting.mutual(ENVOY).start();
    assert_eq!(counts(&credence), [0.0; 5], "there from the start, so that the first failure is seen");
    let shows = setting.clients.issue(&[ENVOY]);
    let stranger = Ca::new();
    let mut expected = [0.0; 5];
    let attempts: [(usize, &dyn Fn()); 8] = [
        (0, &|| drop(setting.client(&[ENVOY]).enter(credence.grpc()).unwrap())),
        (1, &|| drop(Client::new(&setting.servers, None).enter(credence.grpc()).unwrap_err())),
        (1, &|| drop(Client::tls12(&setting.servers, None).enter(credence.grpc()).unwrap_err())),
        (1, &|| drop(setting.client(&["other.acme.test"]).enter(credence.grpc()).unwrap_err())),
        (2, &|| drop(Client::new(&stranger, Some(&shows)).enter(credence.grpc()).unwrap_err())),
        (2, &|| drop(Client::tls12(&stranger, Some(&shows)).enter(credence.grpc()).unwrap_err())),
        (3, &|| drop(TcpStream::connect(credence.grpc()).unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n"))),
        (4, &|| drop(TcpStream::connect(credence.grpc()).unwrap())),
    ];
    for (number, (result, attempt)) in attempts.into_iter().enumerate() {
        attempt();
        expected[result] += 1.0;
        eventually(&format!("the count of attempt {number}, {}", RESULTS[result]), || {
            (counts(&credence) == expected).then_some(())
        });
    }
}

#[test]
fn a_gateway_sees_that_the_certificate_has_ended_and_credence_counts_that_it_did() {
    let setting = Setting::new();
    setting.servers.issue_for(&[crate::support::tls::HOST], -7200, -3600).write(setting.dir.path(), "server");
    let credence = setting.mutual(ENVOY).start();
    setting.client(&[ENVOY]).enter(credence.grpc()).unwrap_err();
    eventually("the count", || (counts(&credence) == [0.0, 0.0, 1.0, 0.0, 0.0]).then_some(()));
}
