//! Why no change of the table is offered for a refusal.

use std::fmt;

use crate::reason::Reason;

/// What stood in the way of an offer. Not to offer is no proof that nothing helps, so it is said what was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The refusal is of a kind that no change is offered for, or no grant is near.
    Reason(Reason),
    /// Of the grants that came near none lacks only what the call was refused for.
    NoneAlone(Reason),
    /// The nearest grant lacks this field, which a grant beside it would have to leave out.
    Bound { grant: String, field: String },
    /// The token has nothing for this claim that a grant could ask for.
    Claim { grant: String, claim: String },
    /// A part of the call cannot be written as a condition.
    Unwritable(&'static str),
    /// A grant beside the nearest was tried, and the table does not load with it there.
    DoesNotLoad { grant: String, site: String },
    /// The same, and the call is refused all the same.
    StillRefused { grant: String, reason: Option<Reason> },
}

impl fmt::Display for Obstacle {
    /// One sentence, without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(reason) => f.write_str(why(*reason)),
            Self::NoneAlone(reason) => write!(
                f,
                "each grant above lacks more than what the call is refused for ({reason}), and which of it should give way is \
                 for whoever wrote them to say"
            ),
            Self::Bound { grant, field } => write!(
                f,
                "grant {grant}, the nearest, turns the call away by its `{field}`. A grant without that bound may let the call \
                 in, but it would undo what the bound is for: ask whoever wrote it"
            ),
            Self::Claim { grant, claim } => write!(
                f,
                "grant {grant}, the nearest, wants a claim {claim}, and the token has none with a value that a grant could ask \
                 for. A grant without that condition may let the call in, but it asks for less than {grant} does: whoever wrote \
                 the condition decides"
            ),
            Self::Unwritable(what) => write!(f, "{what}, so that no grant can be written for this call alone"),
            Self::DoesNotLoad { grant, site } => write!(
                f,
                "a grant beside {grant}, with its conditions as this token meets them, was tried before {site}, and the table \
                 does not load with it there"
            ),
            Self::StillRefused { grant, reason } => {
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                write!(
                    f,
                    "a grant beside {grant}, with its conditions as this token meets them, was tried, and the call is refused \
                     all the same{reason}"
                )
            }
        }
    }
}

/// One sentence about a kind of refusal; of those that a grant could mend, where no grant is near.
const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::IssuerUnknown => {
            "the table has no such issuer, and whom to trust is more than a change: `credence inspect` writes entries to review"
        }
        Reason::IssuerExpired => "the entry of the issuer has ended, and whoever set that end decides",
        Reason::ResourceUnknown => {
            "no resource has this place: `credence inspect` writes one to review, if the URL is what was meant"
        }
        Reason::MalformedRequest | Reason::PathNotNormalized => {
            "no table lets such a request in: the caller has to send another"
        }
        Reason::NoToken | Reason::MultipleTokens | Reason::Malformed => {
            "the caller has to send one token, and one that can be read"
        }
        Reason::KeysUnavailable | Reason::KeyUnknown | Reason::KeyNotPinned | Reason::SignatureInvalid => {
            "nobody vouches for the signature, and no grant mends that: see to the issuer's keys"
        }
        Reason::Blocked => "a block stands against the caller whatever the table grants, and whoever set it lifts it",
        Reason::PinMismatch => {
            "the issuer's entry is pinned to others, and a wider pin lets in everybody whom it then fits"
        }
        Reason::AudienceMismatch => "the token is for somebody else: the caller has to ask its issuer for another",
        Reason::AlgNotAllowed
        | Reason::TypeNotAllowed
        | Reason::SubjectMissing
        | Reason::ClaimsMalformed
        | Reason::Expired
        | Reason::NotYetValid
        | Reason::TooOld
        | Reason::ConfirmationRequired
        | Reason::Replayed
        | Reason::JtiMissing => {
            "the token is what has to change: a table that took this one would take worse ones as well"
        }
        Reason::GrantNone | Reason::ActorNotAllowed | Reason::GrantExpired => {
            "no grant of this issuer for this resource is near: `credence inspect` writes one to review"
        }
        Reason::NotReady
        | Reason::Overloaded
        | Reason::ReplayUnavailable
        | Reason::LogUnavailable
        | Reason::Internal => "the table is not what is in the way",
    }
}
