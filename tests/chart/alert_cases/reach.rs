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
        "a pod that was evicted and is still listed",
        &[
            UP,
            ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "0x30"),
            ("kube_pod_status_phase{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",phase=\"Failed\"}", "1x30"),
            ("kube_pod_status_phase{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",phase=\"Running\"}", "0x30"),
        ],
        15,
        &[],
    ),
    Case(
        "a pod that runs and does not become ready",
        &[
            UP,
            ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "0x30"),
            ("kube_pod_status_phase{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",phase=\"Failed\"}", "0x30"),
            ("kube_pod_status_phase{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",phase=\"Running\"}", "1x30"),
        ],
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
        "gateways whose certificate is not accepted any more, and nobody else calls",
        &[
            UP,
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"client_certificate\"}", "0x3000 0+30x60"),
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"ok\"}", "0+1x3000 3000x60"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+2x3000 6000x60"),
        ],
        3030,
        &["CredenceGatewaysCannotConnect", "CredenceHandshakesFail"],
    ),
    Case(
        "gateways that do not accept our certificate any more, after a restart",
        &[
            UP,
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"server_certificate\"}", "0x3000 0+30x60"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+2x3000 _x60"),
        ],
        3030,
        &["CredenceGatewaysCannotConnect", "CredenceHandshakesFail"],
    ),
    Case(
        "one wrong client in a night as quiet as the last wakes nobody",
        &[
            UP,
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"client_certificate\"}", "0x3000 0+4x60"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+60x1400 84000x1660"),
        ],
        3030,
        &["CredenceHandshakesFail"],
    ),
    Case(
        "one wrong client while others get in and have nothing to ask wakes nobody",
        &[
            UP,
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"client_certificate\"}", "0x3000 0+4x60"),
            ("credence_tls_handshakes_total{listener=\"grpc\",result=\"ok\"}", "0+1x3060"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+2x3000 6000x60"),
        ],
        3030,
        &["CredenceHandshakesFail"],
    ),
    Case(
        "a client that never got in wakes nobody",
        &[UP, ("credence_tls_handshakes_total{listener=\"grpc\",result=\"server_certificate\"}", "0+30x60")],
        30,
        &["CredenceHandshakesFail"],
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

const NOT_READY: (&str, &str) = ("kube_pod_status_ready{pod=\"rel-credence-k2xvz\",condition=\"true\"}", "0x30");
const ON_NODE: (&str, &str) = ("kube_pod_info{pod=\"rel-credence-k2xvz\",node=\"n1\"}", "1x30");

/// Pods of a DaemonSet, each asked by the gateways of its node alone.
pub(crate) const ON_A_SOCKET: &[Case] = &[
    Case(
        "one node refuses everything, and the others are well",
        &[
            UP,
            NOT_READY,
            ON_NODE,
            ("kube_node_status_condition{node=\"n1\",condition=\"Ready\",status=\"true\"}", "1x30"),
            ("kube_pod_status_ready{pod=\"rel-credence-x8f2p\",condition=\"true\"}", "1x30"),
        ],
        7,
        &["CredenceNotReady"],
    ),
    Case("one node refuses everything, and nothing is known of nodes", &[UP, NOT_READY], 7, &["CredenceNotReady"]),
    Case(
        "a node that is gone itself",
        &[
            UP,
            NOT_READY,
            ON_NODE,
            ("kube_node_status_condition{node=\"n1\",condition=\"Ready\",status=\"true\"}", "0x30"),
        ],
        15,
        &[],
    ),
    Case(
        "a pod of a node that was evicted",
        &[UP, NOT_READY, ("kube_pod_status_phase{pod=\"rel-credence-k2xvz\",phase=\"Failed\"}", "1x30")],
        15,
        &[],
    ),
];
