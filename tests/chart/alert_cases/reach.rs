//! Gateways that do not get through to credence, and Prometheus that does not.

use super::{Case, UP};

pub(super) const CASES: &[Case] = &[
    Case("nobody is there", &[], 5, &["CredenceDown"]),
    Case("nobody answers", &[("up{pod=\"p1\"}", "0x30")], 5, &["CredenceDown"]),
    Case("one of two answers", &[UP, ("up{pod=\"p2\"}", "0x30")], 5, &[]),
    Case(
        "a pod does not become ready",
        &[UP, ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "0x30")],
        15,
        &["CredenceNotReady"],
    ),
    Case(
        "a new pod takes a while",
        &[UP, ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "0x5 1x30")],
        15,
        &[],
    ),
    Case(
        "gateways whose certificate is not accepted, and nobody else calls",
        &[
            UP,
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"client_certificate\"}", "0+30x60"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "9x60"),
        ],
        30,
        &["CredenceGatewaysCannotConnect", "CredenceHandshakesFail"],
    ),
    Case(
        "gateways that do not accept our certificate, from the start",
        &[UP, ("credence_tls_handshakes_total{listener=\"grpc\",result=\"server_certificate\"}", "0+30x60")],
        30,
        &["CredenceGatewaysCannotConnect", "CredenceHandshakesFail"],
    ),
    Case(
        "who knocks while gateways call wakes nobody",
        &[
            UP,
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"protocol\"}", "0+30x60"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+6x60"),
        ],
        30,
        &["CredenceHandshakesFail"],
    ),
    Case(
        "one knocks once in a while",
        &[UP, ("credence_tls_handshakes_total{listener=\"grpc\",result=\"protocol\"}", "0+1x60")],
        30,
        &[],
    ),
    Case(
        "probes that hang up",
        &[UP, ("credence_tls_handshakes_total{listener=\"grpc\",result=\"incomplete\"}", "0+600x60")],
        30,
        &[],
    ),
    Case(
        "calls that end although there were some a week ago",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x10000 6000000x400"),
        ],
        10120,
        &["CredenceNoDecisions"],
    ),
    Case(
        "calls that ended, and a restart since: no series is left",
        &[UP, ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x10000 _x400")],
        10120,
        &["CredenceNoDecisions"],
    ),
    Case(
        "calls that end after two days",
        &[UP, ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x3000 1800000x400")],
        3100,
        &["CredenceNoDecisions"],
    ),
    Case(
        "a night as silent as that of a week ago, after a busy yesterday",
        &[
            UP,
            (
                "credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}",
                "0x2000 0+600x8000 4800000x400",
            ),
        ],
        10200,
        &[],
    ),
    Case(
        "a site that was never busy falls silent",
        &[UP, ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+6x10000 60000x400")],
        10120,
        &[],
    ),
    Case(
        "a stranger's flood of a week ago is not missed",
        &[
            UP,
            (
                "credence_decisions_total{decision=\"deny\",reason=\"no_token\",issuer=\"corp\"}",
                "0+600x10000 6000000x400",
            ),
        ],
        10120,
        &[],
    ),
    Case(
        "fewer calls than a week ago",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x10000 6000000+1x400"),
        ],
        10120,
        &[],
    ),
    Case(
        "no store of used tokens, and nobody asks",
        &[UP, ("credence_replay_store_up{pod=\"p1\"}", "0x60")],
        30,
        &["CredenceReplayStoreDown"],
    ),
    Case(
        "a store of used tokens that was away for a moment",
        &[UP, ("credence_replay_store_up{pod=\"p1\"}", "1x20 0x2 1x60")],
        30,
        &[],
    ),
];
