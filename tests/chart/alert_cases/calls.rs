//! Calls that are refused, and what else becomes of decisions.

use super::{Case, UP};

pub(super) const CASES: &[Case] = &[
    Case(
        "who causes far more refusals than yesterday wakes nobody",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "0+6x3000 18180+180x60")],
        3045,
        &["CredenceDenySpike"],
    ),
    Case(
        "scanners without a token, on the first day",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"no_token\"}", "0+90x600")],
        600,
        &[],
    ),
    Case(
        "scanners without a token, early on the second day",
        &[
            ("up{pod=\"p1\"}", "_x1000 1x2000"),
            ("credence_decisions_total{decision=\"deny\",reason=\"no_token\"}", "_x1000 0+90x2000"),
        ],
        2500,
        &[],
    ),
    Case(
        "refusals for a reason that was never seen",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "_x3000 0+180x60")],
        3045,
        &["CredenceDenySpike"],
    ),
    Case(
        "who shows tokens of an unknown issuer wakes nobody",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"issuer_unknown\"}", "0+30x60")],
        40,
        &["CredenceUnknownIssuerSpike"],
    ),
    Case(
        "who forges tokens wakes nobody",
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
        "one replay more wakes nobody",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "1x20 2x60")],
        25,
        &["CredenceReplay"],
    ),
    Case(
        "a replay of two hours ago",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "_x20 1x190")],
        150,
        &[],
    ),
    Case(
        "a client that tries again wakes nobody",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "1x20 6x60")],
        30,
        &["CredenceReplay"],
    ),
    Case(
        "a burst of replays wakes nobody",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "1x20 60x60")],
        34,
        &["CredenceReplay"],
    ),
    Case(
        "who retries again and again wakes nobody",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replayed\",issuer=\"corp\"}", "0+2x120")],
        100,
        &["CredenceReplay", "CredenceReplaySpike"],
    ),
    Case(
        "the store of used tokens is away",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\"}", "0+6x60")],
        30,
        &["CredenceReplayUnavailable"],
    ),
    Case(
        "a token now and then of which nobody knows whether it was used",
        &[
            UP,
            (
                "credence_decisions_total{decision=\"deny\",reason=\"replay_unavailable\"}",
                "0x3 1x3 2x3 3x3 4x3 5x3 6x3 7x3 8x3 9x3 10x3",
            ),
        ],
        30,
        &[],
    ),
    Case(
        "slow decisions",
        &[
            UP,
            ("credence_decision_duration_seconds_bucket{decision=\"allow\",le=\"0.025\"}", "0+500x60"),
            ("credence_decision_duration_seconds_bucket{decision=\"allow\",le=\"0.1\"}", "0+600x60"),
            ("credence_decision_duration_seconds_bucket{decision=\"allow\",le=\"+Inf\"}", "0+600x60"),
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
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x60"),
            ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\",issuer=\"unverified\"}", "0+30x60"),
            ("credence_calls_shed_total{pod=\"p1\"}", "0+30x60"),
        ],
        30,
        &["CredenceOverloaded"],
    ),
    Case(
        "too many calls, a stray one now and then",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x60"),
            ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\",issuer=\"unverified\"}", "0+1x60"),
            ("credence_calls_shed_total{pod=\"p1\"}", "0+1x60"),
        ],
        30,
        &[],
    ),
    Case(
        "a quiet site that sheds one call in four minutes",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+1x60"),
            ("credence_calls_shed_total{pod=\"p1\"}", "0x3 1x3 2x3 3x3 4x3 5x3 6x3 7x3 8x3 9x3 10x3"),
        ],
        30,
        &[],
    ),
    Case(
        "a burst of too many calls",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x60"),
            ("credence_calls_shed_total{pod=\"p1\"}", "0x10 600x60"),
        ],
        20,
        &[],
    ),
    Case(
        "who floods with bad signatures wakes nobody",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x60"),
            ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\",issuer=\"unverified\"}", "0+6000x60"),
            ("credence_token_verifications_total{issuer=\"corp\",result=\"overloaded\",cache=\"miss\"}", "0+6000x60"),
            ("credence_calls_shed_total{pod=\"p1\"}", "0x60"),
        ],
        30,
        &["CredenceSignatureFailures"],
    ),
    Case(
        "too many calls besides a flood",
        &[
            UP,
            ("credence_decisions_total{decision=\"allow\",reason=\"ok\",issuer=\"corp\"}", "0+600x60"),
            ("credence_decisions_total{decision=\"deny\",reason=\"overloaded\",issuer=\"unverified\"}", "0+6600x60"),
            ("credence_token_verifications_total{issuer=\"corp\",result=\"overloaded\",cache=\"miss\"}", "0+6000x60"),
            ("credence_calls_shed_total{pod=\"p1\"}", "0+600x60"),
        ],
        30,
        &["CredenceOverloaded", "CredenceSignatureFailures"],
    ),
    Case(
        "a full disk",
        &[UP, ("credence_decision_log_dropped_total{pod=\"p1\"}", "0+6x60")],
        30,
        &["CredenceDecisionLogFailing", "CredenceDecisionLogLost"],
    ),
    Case(
        "a hiccup of the disk wakes nobody",
        &[UP, ("credence_decision_log_dropped_total{pod=\"p1\"}", "0x10 7x60")],
        30,
        &["CredenceDecisionLogLost"],
    ),
    Case(
        "lines that were lost hours ago",
        &[UP, ("credence_decision_log_dropped_total{pod=\"p1\"}", "0x10 7x160")],
        150,
        &[],
    ),
    Case(
        "a log that denies when it is full",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"log_unavailable\",pod=\"p1\"}", "0+6x60")],
        30,
        &["CredenceDecisionLogFailing"],
    ),
    Case(
        "a fault of the program",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"internal\",pod=\"p1\"}", "_x20 1x60")],
        25,
        &["CredenceInternalError"],
    ),
    Case(
        "a fault of the program, hours ago",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"internal\",pod=\"p1\"}", "_x20 1x160")],
        150,
        &[],
    ),
    Case(
        "a fault of the program that comes back and back",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"internal\",pod=\"p1\"}", "0+1x60")],
        30,
        &["CredenceInternalError", "CredenceInternalErrorsPersist"],
    ),
    Case(
        "far more refusals, for a day and longer",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_none\"}", "0+6x3000 18180+180x1400")],
        4380,
        &["CredenceDenySpike"],
    ),
];
