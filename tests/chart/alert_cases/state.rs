//! Tables, blocks and keys that are not as they should be.

use super::{Case, UP};

pub(super) const CASES: &[Case] = &[
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
        "an issuer without keys that nobody uses wakes nobody",
        &[UP, ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "0x30")],
        10,
        &["CredenceNoKeys"],
    ),
    Case(
        "an issuer without keys whose callers are refused",
        &[
            UP,
            ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "2x20 0x60"),
            ("credence_token_verifications_total{pod=\"p0\",issuer=\"corp\",result=\"ok\",cache=\"hit\"}", "7x10 _x70"),
            (
                "credence_token_verifications_total{pod=\"p1\",issuer=\"corp\",result=\"keys_unavailable\",cache=\"miss\"}",
                "_x20 1+1x60",
            ),
        ],
        60,
        &["CredenceKeysMissed", "CredenceNoKeys"],
    ),
    Case(
        "who shows tokens of an issuer that never had keys wakes nobody",
        &[
            UP,
            ("credence_keys{pod=\"p1\",issuer=\"new\",state=\"usable\"}", "0x60"),
            ("credence_keys{pod=\"p1\",issuer=\"corp\",state=\"usable\"}", "2x60"),
            ("credence_token_verifications_total{pod=\"p1\",issuer=\"corp\",result=\"ok\",cache=\"hit\"}", "0+9x60"),
            (
                "credence_token_verifications_total{pod=\"p1\",issuer=\"new\",result=\"keys_unavailable\",cache=\"miss\"}",
                "0+6x60",
            ),
        ],
        40,
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
