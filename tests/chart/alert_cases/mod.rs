//! What Prometheus may see of credence, and which alerts fire then. Each alert is here once at least.

mod calls;
mod ends;
mod reach;
mod state;

const UP: (&str, &str) = ("up{pod=\"p1\"}", "1x12000");

/// A world of series, the moment of looking (minutes), and what fires then.
pub(crate) struct Case(
    pub(crate) &'static str,
    pub(crate) &'static [(&'static str, &'static str)],
    pub(crate) u32,
    pub(crate) &'static [&'static str],
);

/// Nothing is wrong: what comes first.
const ALL_IS_WELL: Case = Case(
    "all is well",
    &[
        UP,
        ("credence_config_last_reload_successful{kind=\"table\"}", "1x2000"),
        ("credence_config_last_reload_successful{kind=\"blocks\"}", "1x2000"),
        ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "2x2000"),
        ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"not_pinned\"}", "0x2000"),
        ("credence_jwks_last_success_timestamp_seconds{issuer=\"corp\"}", "0+60x2000"),
        ("credence_jwks_last_success_timestamp_seconds{issuer=\"never\"}", "0x2000"),
        ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "9000000x2000"),
        ("credence_tls_certificate_starts_timestamp_seconds{listener=\"grpc\"}", "0x2000"),
        ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "9000000x2000"),
        ("credence_tls_handshakes_total{listener=\"grpc\",result=\"ok\"}", "0+1x2000"),
        ("credence_tls_handshakes_total{listener=\"grpc\",result=\"client_certificate\"}", "0+1x2000"),
        ("credence_tls_handshakes_total{listener=\"grpc\",result=\"incomplete\"}", "0+600x2000"),
        ("credence_replay_store_up{pod=\"p1\"}", "1x2000"),
        ("credence_calls_shed_total{pod=\"p1\"}", "0+1x2000"),
        ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\",issuer=\"corp\"}", "0+180x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "3x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"internal\",issuer=\"corp\"}", "3x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"issuer_unknown\",issuer=\"unverified\"}", "0+6x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\",issuer=\"corp\"}", "3x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\",issuer=\"unverified\"}", "0+1x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"grant_expired\",issuer=\"corp\"}", "3x2000"),
        ("credence_resource_decisions_total{resource=\"api\",decision=\"deny\"}", "0+180x2000"),
        ("credence_decisions_total{decision=\"deny\",reason=\"log_unavailable\",issuer=\"corp\"}", "3x2000"),
        ("credence_token_verifications_total{issuer=\"corp\",result=\"signature_invalid\",cache=\"miss\"}", "0+3x2000"),
        ("credence_token_verifications_total{issuer=\"corp\",result=\"ok\",cache=\"miss\"}", "0+600x2000"),
        ("credence_decision_duration_seconds_bucket{decision=\"allow\",le=\"0.025\"}", "0+600x2000"),
        ("credence_decision_duration_seconds_bucket{decision=\"allow\",le=\"+Inf\"}", "0+600x2000"),
        ("credence_decision_log_dropped_total", "5x2000"),
        ("credence_config_info{pod=\"p1\",sha256=\"a\"}", "1x2000"),
        ("credence_config_info{pod=\"p2\",sha256=\"a\"}", "1x2000"),
        ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "1x2000"),
    ],
    1900,
    &[],
);

pub(crate) use reach::ON_A_SOCKET;

/// All of them, of pods that are asked by a Service.
pub(crate) fn cases() -> impl Iterator<Item = &'static Case> {
    let more = [reach::CASES, state::CASES, ends::CASES, calls::CASES];
    std::iter::once(&ALL_IS_WELL).chain(more.into_iter().flatten())
}
