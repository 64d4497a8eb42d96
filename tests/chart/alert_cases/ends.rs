//! What ends: trust, grants, certificates.

use super::{Case, UP};

pub(super) const CASES: &[Case] = &[
    Case(
        "a grant that ends in a week",
        &[UP, ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "604800x200")],
        90,
        &["CredenceTrustExpiresSoon"],
    ),
    Case(
        "a grant that ends in a day",
        &[UP, ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "90000x200")],
        90,
        &["CredenceTrustAboutToExpire"],
    ),
    Case(
        "a grant that has ended and that nobody uses is nobody's news",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"grant\",name=\"a\"}", "60x200"),
            ("credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"a\"}", "60x200"),
            ("credence_trust_expires_timestamp_seconds{kind=\"resource\",name=\"a\"}", "60x200"),
        ],
        90,
        &[],
    ),
    Case(
        "an issuer that has ended and whose tokens still come, all night long",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"a\"}", "60x800"),
            (
                "credence_token_verifications_total{issuer=\"a\",result=\"issuer_expired\",cache=\"miss\"}",
                "_x2 0+1x800",
            ),
        ],
        780,
        &["CredenceTrustExpired"],
    ),
    Case(
        "an ended issuer that was given more time",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"a\"}", "60x60 9000000x60"),
            (
                "credence_token_verifications_total{issuer=\"a\",result=\"issuer_expired\",cache=\"miss\"}",
                "0+1x60 60x60",
            ),
        ],
        65,
        &[],
    ),
    Case(
        "a stray token of an issuer that has ended",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"a\"}", "60x200"),
            (
                "credence_token_verifications_total{issuer=\"a\",result=\"issuer_expired\",cache=\"miss\"}",
                "0x20 1x20 3x160",
            ),
        ],
        90,
        &[],
    ),
    Case(
        "another issuer has ended",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"issuer\",name=\"b\"}", "60x200"),
            ("credence_token_verifications_total{issuer=\"a\",result=\"signature_invalid\",cache=\"miss\"}", "0+1x200"),
        ],
        90,
        &[],
    ),
    Case(
        "who calls a resource that has ended wakes nobody",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"resource\",name=\"a\"}", "60x200"),
            ("credence_resource_decisions_total{resource=\"a\",decision=\"deny\"}", "0+1x200"),
        ],
        90,
        &["CredenceTrustExpired"],
    ),
    Case(
        "a resource that has not ended and refuses",
        &[
            UP,
            ("credence_trust_expires_timestamp_seconds{kind=\"resource\",name=\"a\"}", "9000000x200"),
            ("credence_resource_decisions_total{resource=\"a\",decision=\"deny\"}", "0+1x200"),
        ],
        90,
        &[],
    ),
    Case(
        "the first call that a grant was too old for",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_expired\",issuer=\"corp\"}", "_x20 1x60")],
        25,
        &["CredenceGrantExpired"],
    ),
    Case(
        "one more call that a grant was too old for",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_expired\",issuer=\"corp\"}", "1x80 2x60")],
        85,
        &["CredenceGrantExpired"],
    ),
    Case(
        "a call of hours ago that a grant was too old for",
        &[UP, ("credence_decisions_total{decision=\"deny\",reason=\"grant_expired\",issuer=\"corp\"}", "_x20 1x160")],
        150,
        &[],
    ),
    Case(
        "a certificate that ends in a day",
        &[UP, ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "100000x200")],
        90,
        &["CredenceCertificateExpiresSoon"],
    ),
    Case(
        "a certificate of a day, anew when a third is left",
        &[
            UP,
            ("credence_tls_certificate_starts_timestamp_seconds{listener=\"grpc\"}", "0x962 57600x960"),
            ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "86400x962 144000x960"),
        ],
        965,
        &[],
    ),
    Case(
        "a certificate of a day, in its first hours",
        &[
            UP,
            ("credence_tls_certificate_starts_timestamp_seconds{listener=\"grpc\"}", "0x1500"),
            ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "86400x1500"),
        ],
        950,
        &[],
    ),
    Case(
        "a certificate of a day that nobody renews",
        &[
            UP,
            ("credence_tls_certificate_starts_timestamp_seconds{listener=\"grpc\"}", "0x1500"),
            ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "86400x1500"),
        ],
        975,
        &["CredenceCertificateExpiresSoon"],
    ),
    Case(
        "a certificate of three months that ends in a day",
        &[
            UP,
            ("credence_tls_certificate_starts_timestamp_seconds{listener=\"grpc\"}", "-7000000x200"),
            ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "100000x200"),
        ],
        20,
        &["CredenceCertificateExpiresSoon"],
    ),
    Case(
        "a certificate that has ended",
        &[UP, ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "3600x4000")],
        61,
        &["CredenceCertificateExpired"],
    ),
    Case(
        "a certificate that ended long ago",
        &[UP, ("credence_tls_certificate_expires_timestamp_seconds{listener=\"grpc\"}", "3600x4000")],
        3900,
        &["CredenceCertificateExpired"],
    ),
];
