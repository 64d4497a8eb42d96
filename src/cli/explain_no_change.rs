//! Why no change of the table is offered for a refusal.

use crate::reason::Reason;

/// One sentence; `near` where there are grants that could be changed, and every change was tried in vain.
pub(super) fn why(reason: Reason, near: bool) -> &'static str {
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
        Reason::GrantNone | Reason::ActorNotAllowed | Reason::GrantExpired if near => {
            "neither one more value in the nearest grant nor a grant of its own beside it lets this call in, or the table \
             would not load with it"
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
