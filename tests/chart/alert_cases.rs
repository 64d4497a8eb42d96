//! What Prometheus may see of credence, and which alerts fire then. Each alert is here once at least.

const UP: (&str, &str) = ("up{pod=\"p1\"}", "1x2000");

/// A world of series, the moment of looking (minutes), and what fires then.
pub(crate) struct Case(
    pub(crate) &'static str,
    pub(crate) &'static [(&'static str, &'static str)],
    pub(crate) u32,
    pub(crate) &'static [&'static str],
);

pub(crate) const CASES: &[Case] = &[
    Case(
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
            ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "9000000x2000"),
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\",issuer=\"corp\"}", "0+180x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "3x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"internal\",issuer=\"corp\"}", "3x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"issuer_unknown\",issuer=\"unverified\"}", "0+6x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\",issuer=\"corp\"}", "3x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\",issuer=\"unverified\"}", "3x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"log_unavailable\",issuer=\"corp\"}", "3x2000"),
            (
                "credence_token_verifications_total{issuer=\"corp\",result=\"signature_invalid\",cache=\"miss\"}",
                "0+3x2000",
            ),
            ("credence_token_verifications_total{issuer=\"corp\",result=\"ok\",cache=\"miss\"}", "0+600x2000"),
            ("credence_decision_duration_seconds_bucket{le=\"0.025\"}", "0+600x2000"),
            ("credence_decision_duration_seconds_bucket{le=\"+Inf\"}", "0+600x2000"),
            ("credence_decision_log_dropped_total", "5x2000"),
            ("credence_config_info{pod=\"p1\",sha256=\"a\"}", "1x2000"),
            ("credence_config_info{pod=\"p2\",sha256=\"a\"}", "1x2000"),
            ("kube_pod_status_ready{pod=\"rel-credence-5d4f9c7bx8-k2xvz\",condition=\"true\"}", "1x2000"),
        ],
        1900,
        &[],
    ),
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
        "a bad table",
        &[UP, ("credence_config_last_reload_successful{kind=\"table\"}", "0x30")],
        10,
        &["CredenceReloadFailed"],
    ),
    Case(
        "bad blocks",
        &[UP, ("credence_config_last_reload_successful{kind=\"blocks\"}", "0x30")],
        10,
        &["CredenceBlocksNotTaken"],
    ),
    Case(
        "an issuer without keys",
        &[UP, ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "0x30")],
        10,
        &["CredenceNoKeys"],
    ),
    Case(
        "keys that were fetched long ago",
        &[UP, ("credence_jwks_last_success_timestamp_seconds{issuer=\"corp\"}", "60x900")],
        800,
        &["CredenceKeysStale"],
    ),
    Case(
        "a key that is not pinned",
        &[UP, ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"not_pinned\"}", "1x30")],
        20,
        &["CredenceKeyNotPinned"],
    ),
    Case(
        "a grant that ends in a day",
        &[UP, ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "100000x200")],
        90,
        &["CredenceTrustExpiresSoon"],
    ),
    Case(
        "a grant that has ended is nobody's news",
        &[UP, ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "60x200")],
        90,
        &[],
    ),
    Case(
        "a certificate that ends in a day",
        &[UP, ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "100000x200")],
        90,
        &["CredenceCertificateExpiresSoon"],
    ),
    Case(
        "far more refusals than yesterday",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "0+6x1500 9180+180x60")],
        1545,
        &["CredenceDenySpike"],
    ),
    Case(
        "refusals for a reason that was never seen",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "_x1500 0+180x60")],
        1545,
        &["CredenceDenySpike"],
    ),
    Case(
        "tokens of an unknown issuer",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"issuer_unknown\"}", "0+30x60")],
        40,
        &["CredenceUnknownIssuerSpike"],
    ),
    Case(
        "forged tokens",
        &[UP, ("credence_token_verifications_total{issuer=\"corp\",result=\"signature_invalid\"}", "0+30x60")],
        30,
        &["CredenceSignatureFailures"],
    ),
    Case(
        "the first replay ever",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "_x20 1x60")],
        25,
        &["CredenceReplay"],
    ),
    Case(
        "one more replay",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "1x20 2x60")],
        25,
        &["CredenceReplay"],
    ),
    Case(
        "a replay of an hour ago",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "_x20 1x90")],
        80,
        &[],
    ),
    Case(
        "the store of used tokens is away",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\"}", "0+6x60")],
        30,
        &["CredenceReplayUnavailable"],
    ),
    Case(
        "slow decisions",
        &[
            UP,
            ("credence_decision_duration_seconds_bucket{le=\"0.025\"}", "0+500x60"),
            ("credence_decision_duration_seconds_bucket{le=\"0.1\"}", "0+600x60"),
            ("credence_decision_duration_seconds_bucket{le=\"+Inf\"}", "0+600x60"),
        ],
        30,
        &["CredenceSlow"],
    ),
    Case(
        "slow decisions, scraped as native histograms",
        &[
            UP,
            (
                "credence_decision_duration_seconds{decision=\"allow\"}",
                // From 96 to 105 milliseconds.
                "{{schema:3 count:0 sum:0}}+{{schema:3 count:600 sum:60 offset:-26 buckets:[600]}}x60",
            ),
        ],
        30,
        &["CredenceSlow"],
    ),
    Case(
        "swift decisions, scraped as native histograms",
        &[
            UP,
            (
                "credence_decision_duration_seconds{decision=\"allow\"}",
                "{{schema:3 count:0 sum:0}}+{{schema:3 count:600 sum:6 offset:-53 buckets:[600]}}x60",
            ),
        ],
        30,
        &[],
    ),
    Case(
        "too many calls",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\"}", "0+6x60")],
        30,
        &["CredenceOverloaded"],
    ),
    Case(
        "a full disk",
        &[UP, ("credence_decision_log_dropped_total{pod=\"p1\"}", "0+6x60")],
        30,
        &["CredenceDecisionLogLost"],
    ),
    Case(
        "a log that denies when it is full",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"log_unavailable\",pod=\"p1\"}", "0+6x60")],
        30,
        &["CredenceDecisionLogLost"],
    ),
    Case(
        "a fault of the program",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"internal\",pod=\"p1\"}", "_x20 1x60")],
        25,
        &["CredenceInternalError"],
    ),
    Case(
        "two tables at once",
        &[
            UP,
            ("credence_config_info{pod=\"p1\",sha256=\"a\"}", "1x60"),
            ("credence_config_info{pod=\"p2\",sha256=\"b\"}", "1x60"),
        ],
        30,
        &["CredenceReplicasDisagree"],
    ),
    Case(
        "another credence is not this one's matter",
        &[UP, ("credence_config_last_reload_successful{namespace=\"elsewhere\",kind=\"table\"}", "0x30")],
        10,
        &[],
    ),
];
