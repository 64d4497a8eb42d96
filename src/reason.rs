//! Why a call was allowed or refused: the closed list.
//!
//! In: nothing. Out: one [`Reason`] per way a call can be refused, with the HTTP and gRPC status, the RFC 6750
//! challenge and the sentence that goes with it. It knows nothing else of the house.

use std::fmt;

/// A way to be refused. The list is closed: log, metadata, metrics and documentation use exactly these codes.
///
/// The order of the variants is the order of judgement: where several would apply, the first one is the answer
/// (`LogUnavailable` and `Internal` stand last and override all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No trust table is in force yet.
    NotReady,
    /// More calls at once than `--max-concurrent` allows, or a message that did not arrive in time.
    Overloaded,
    /// The message from the proxy cannot be read as one request.
    MalformedRequest,
    /// The path could mean different things to different readers.
    PathNotNormalized,
    /// No resource of the table is at this place.
    ResourceUnknown,
    /// No bearer credential where the resource expects one.
    NoToken,
    /// More than one credential, or one that cannot be told apart from two.
    MultipleTokens,
    /// Not a compact JWS that can be read in exactly one way.
    Malformed,
    /// `iss` is absent or not in the trust table.
    IssuerUnknown,
    /// The issuer's entry has ended.
    IssuerExpired,
    /// `alg` is not one that this issuer signs with.
    AlgNotAllowed,
    /// `typ` names another kind of JWT than this issuer's access tokens.
    TypeNotAllowed,
    /// `sub` is absent or empty.
    SubjectMissing,
    /// A registered claim has the wrong JSON type, is missing where required, or holds forbidden characters.
    ClaimsMalformed,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies ahead.
    NotYetValid,
    /// Older, or valid for longer, than the issuer's `maxTokenAge`.
    TooOld,
    /// No usable key of this issuer is at hand.
    KeysUnavailable,
    /// The issuer's keys hold none that this token names.
    KeyUnknown,
    /// The named key is published, but not pinned.
    KeyNotPinned,
    /// The signature does not verify.
    SignatureInvalid,
    /// A block stands against this caller.
    Blocked,
    /// A claim that every token of this issuer must carry differs.
    PinMismatch,
    /// The token is bound to a key (`cnf`) and no grant says how that is confirmed.
    ConfirmationRequired,
    /// `aud` does not name this resource.
    AudienceMismatch,
    /// A grant fits in all but the acting party.
    ActorNotAllowed,
    /// A grant fits in all but its times.
    GrantExpired,
    /// A grant fits, but this `jti` was spent.
    Replayed,
    /// A grant fits, but asks for a `jti` and the token has none.
    JtiMissing,
    /// A grant fits, but nobody can know whether this `jti` was spent: the store is full, or began after the token was issued.
    ReplayUnavailable,
    /// No grant fits.
    GrantNone,
    /// The decision log is full and `--decision-log-full deny` is set.
    LogUnavailable,
    /// A fault of credence's own.
    Internal,
}

/// Why a call was let through: the `reason` of `decision: allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Accepted {
    /// A grant matched.
    Ok,
    /// The resource is open to all at this place.
    Anonymous,
    /// It was refused, and the resource only observes for now.
    Observed,
}

impl Accepted {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Anonymous, Self::Observed];

    /// The code as it stands in log, metadata and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Anonymous => "anonymous",
            Self::Observed => "observed",
        }
    }
}

/// How a refusal is told to the client: the five classes of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 400 (403 to gRPC callers): the request itself is wrong. RFC 6750 §3.1 `invalid_request`.
    InvalidRequest,
    /// 401 with a bare challenge: nothing was presented. RFC 6750 §3.
    Unauthorized,
    /// 401: what was presented is not believed. RFC 6750 §3.1 `invalid_token`.
    InvalidToken,
    /// 403: believed, but not for this. RFC 6750 §3.1 `insufficient_scope`.
    InsufficientScope,
    /// 503 with `Retry-After`: no judgement can be made now.
    Unavailable,
}

impl Class {
    /// The `error` member of the body; for the three RFC 6750 classes also that of the challenge.
    pub const fn error(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    /// HTTP status of the answer. Envoy maps 400 to gRPC `INTERNAL`, which clients read as a server fault, so a
    /// gRPC caller gets 403 instead.
    pub const fn http_status(self, grpc_caller: bool) -> u16 {
        match self {
            Self::InvalidRequest if grpc_caller => 403,
            Self::InvalidRequest => 400,
            Self::Unauthorized | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::Unavailable => 503,
        }
    }

    /// `google.rpc.Code` of `CheckResponse.status`: never 0, because 0 alone makes Envoy allow.
    pub const fn grpc_code(self) -> i32 {
        match self {
            Self::InvalidRequest => 3,
            Self::Unauthorized | Self::InvalidToken => 16,
            Self::InsufficientScope => 7,
            Self::Unavailable => 14,
        }
    }
}

impl Reason {
    /// Every reason, in the order of judgement.
    pub const ALL: [Self; 33] = [
        Self::NotReady,
        Self::Overloaded,
        Self::MalformedRequest,
        Self::PathNotNormalized,
        Self::ResourceUnknown,
        Self::NoToken,
        Self::MultipleTokens,
        Self::Malformed,
        Self::IssuerUnknown,
        Self::IssuerExpired,
        Self::AlgNotAllowed,
        Self::TypeNotAllowed,
        Self::SubjectMissing,
        Self::ClaimsMalformed,
        Self::Expired,
        Self::NotYetValid,
        Self::TooOld,
        Self::KeysUnavailable,
        Self::KeyUnknown,
        Self::KeyNotPinned,
        Self::SignatureInvalid,
        Self::Blocked,
        Self::PinMismatch,
        Self::ConfirmationRequired,
        Self::AudienceMismatch,
        Self::ActorNotAllowed,
        Self::GrantExpired,
        Self::Replayed,
        Self::JtiMissing,
        Self::ReplayUnavailable,
        Self::GrantNone,
        Self::LogUnavailable,
        Self::Internal,
    ];

    /// Whether a resource that only observes lets the call through all the same. Written out, so that a new reason must
    /// say it here.
    ///
    /// Never where a block stands, never a request that two readers could read in two ways, and nothing that is judged
    /// before a resource is known or that overrides all.
    pub const fn is_observable(self) -> bool {
        match self {
            Self::NotReady
            | Self::MalformedRequest
            | Self::PathNotNormalized
            | Self::ResourceUnknown
            | Self::MultipleTokens
            | Self::Blocked
            | Self::LogUnavailable
            | Self::Internal => false,
            // Of these `overloaded` is the one for too many bad signatures from one address: the other kind has no walk.
            Self::Overloaded
            | Self::NoToken
            | Self::Malformed
            | Self::IssuerUnknown
            | Self::IssuerExpired
            | Self::AlgNotAllowed
            | Self::TypeNotAllowed
            | Self::SubjectMissing
            | Self::ClaimsMalformed
            | Self::Expired
            | Self::NotYetValid
            | Self::TooOld
            | Self::KeysUnavailable
            | Self::KeyUnknown
            | Self::KeyNotPinned
            | Self::SignatureInvalid
            | Self::PinMismatch
            | Self::ConfirmationRequired
            | Self::AudienceMismatch
            | Self::ActorNotAllowed
            | Self::GrantExpired
            | Self::Replayed
            | Self::JtiMissing
            | Self::ReplayUnavailable
            | Self::GrantNone => true,
        }
    }

    /// The stable code: `snake_case`, as in log, metadata, metrics and `explain`.
    pub const fn code(self) -> &'static str {
        self.facts().0
    }

    /// How the client is told.
    pub const fn class(self) -> Class {
        self.facts().1
    }

    /// One sentence for people: what happened, without a value from the token.
    pub const fn sentence(self) -> &'static str {
        self.facts().2
    }

    /// Code, class and sentence: the one place where a reason is described.
    const fn facts(self) -> (&'static str, Class, &'static str) {
        use Class::{InsufficientScope, InvalidRequest, InvalidToken, Unauthorized, Unavailable};
        match self {
            Self::NotReady => ("not_ready", Unavailable, "no trust table is in force yet"),
            Self::Overloaded => (
                "overloaded",
                Unavailable,
                "more calls at once than can be served, a call that did not arrive in time, or too many bad signatures from its address",
            ),
            Self::MalformedRequest => {
                ("malformed_request", InvalidRequest, "the request cannot be read in exactly one way")
            }
            Self::PathNotNormalized => {
                ("path_not_normalized", InvalidRequest, "the path could mean different things to different readers")
            }
            Self::ResourceUnknown => {
                ("resource_unknown", InsufficientScope, "no resource of the table is at this place")
            }
            Self::NoToken => ("no_token", Unauthorized, "no bearer token where the resource expects one"),
            Self::MultipleTokens => ("multiple_tokens", InvalidRequest, "more than one credential"),
            Self::Malformed => ("malformed", InvalidToken, "not a compact JWS that can be read in exactly one way"),
            Self::IssuerUnknown => ("issuer_unknown", InvalidToken, "this issuer is not in the trust table"),
            Self::IssuerExpired => ("issuer_expired", InvalidToken, "the trust in this issuer has ended"),
            Self::AlgNotAllowed => {
                ("alg_not_allowed", InvalidToken, "this issuer is not trusted to sign with this algorithm")
            }
            Self::TypeNotAllowed => {
                ("type_not_allowed", InvalidToken, "this kind of token is not accepted from this issuer")
            }
            Self::SubjectMissing => ("subject_missing", InvalidToken, "the token names no subject"),
            Self::ClaimsMalformed => (
                "claims_malformed",
                InvalidToken,
                "a registered claim is missing, of the wrong type, or holds forbidden characters",
            ),
            Self::Expired => ("expired", InvalidToken, "the token has expired"),
            Self::NotYetValid => ("not_yet_valid", InvalidToken, "the token is not valid yet"),
            Self::TooOld => {
                ("too_old", InvalidToken, "the token is older, or lives longer, than this issuer's tokens may")
            }
            Self::KeysUnavailable => ("keys_unavailable", Unavailable, "no usable key of this issuer is at hand"),
            Self::KeyUnknown => ("key_unknown", InvalidToken, "this issuer has no such key"),
            Self::KeyNotPinned => ("key_not_pinned", InvalidToken, "the key is published, but not pinned"),
            Self::SignatureInvalid => ("signature_invalid", InvalidToken, "the signature does not verify"),
            Self::Blocked => ("blocked", InvalidToken, "a block stands against this caller"),
            Self::PinMismatch => {
                ("pin_mismatch", InvalidToken, "a claim that every token of this issuer must carry differs")
            }
            Self::ConfirmationRequired => (
                "confirmation_required",
                InvalidToken,
                "the token is bound to a key and nothing says how that is confirmed",
            ),
            Self::AudienceMismatch => ("audience_mismatch", InvalidToken, "the token was issued for another audience"),
            Self::ActorNotAllowed => {
                ("actor_not_allowed", InsufficientScope, "a grant fits in all but the acting party")
            }
            Self::GrantExpired => ("grant_expired", InsufficientScope, "a grant fits in all but its times"),
            Self::Replayed => ("replayed", InvalidToken, "the token was used before"),
            Self::JtiMissing => ("jti_missing", InvalidToken, "the grant asks for a token id and there is none"),
            Self::ReplayUnavailable => {
                ("replay_unavailable", Unavailable, "whether the token was used before cannot be known now")
            }
            Self::GrantNone => ("grant_none", InsufficientScope, "no grant fits this caller and this request"),
            Self::LogUnavailable => ("log_unavailable", Unavailable, "the decision log cannot take the decision"),
            Self::Internal => ("internal", Unavailable, "a fault of the authorization service"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_code_and_none_reads_as_an_allow() {
        let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_ne!(reason.class().grpc_code(), 0, "{reason}");
            assert!(reason.class().http_status(false) >= 400, "{reason}");
            assert!(reason.class().http_status(true) >= 400, "{reason}");
        }
    }

    #[test]
    fn no_request_that_reads_in_two_ways_is_ever_observed_through() {
        for reason in Reason::ALL.into_iter().filter(|reason| reason.class() == Class::InvalidRequest) {
            assert!(!reason.is_observable(), "{reason}");
        }
        assert!(!Reason::Blocked.is_observable());
    }

    #[test]
    fn the_list_is_in_the_order_of_judgement() {
        assert!(Reason::ALL.is_sorted());
    }
}
