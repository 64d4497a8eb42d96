//! Values that probably match nothing, because of a slip of the fingers (CR206).

use super::super::super::draft::{ClaimDraft, Common, GrantDraft, Subject, nearest};
use super::super::super::{Code, Place};
use super::super::Bench;
use crate::claims::Scalar;
use crate::resource::Methods;

/// Methods of the IANA registry (RFC 9110 §16.1.1) that services have, and some that are not in it.
const METHODS: [&str; 31] = [
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LIST",
    "LOCK",
    "MERGE",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REPORT",
    "SEARCH",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
    "UPDATE",
    "CONNECT",
    "BIND",
];

impl Bench<'_> {
    /// Slips in what a grant says.
    pub(in super::super) fn mistyped(&mut self, owner: &str, grant: &GrantDraft) {
        if let Some(methods) = grant.methods.given() {
            self.odd_methods(owner, &grant.common, &methods.value, &methods.place);
        }
        if let Some(Subject::Exact(subjects)) = grant.subject.value() {
            for at in subjects {
                self.blank_ends(owner, &grant.common, "subject", &at.value, &at.place);
            }
        }
        self.blank_claims(owner, &grant.common, grant.claims.items());
    }

    /// Claims whose exact value begins or ends with a blank.
    pub(in super::super) fn blank_claims(&mut self, owner: &str, common: &Common, claims: &[ClaimDraft]) {
        for claim in claims {
            for value in claim.rule.matcher.exact().unwrap_or_default() {
                let Scalar::String(text) = value else { continue };
                self.blank_ends(owner, common, claim.rule.key.as_str(), text, &claim.value);
            }
        }
    }

    fn blank_ends(&mut self, owner: &str, common: &Common, field: &str, text: &str, place: &Place) {
        if text.trim() == text {
            return;
        }
        let message = format!("`{field}` of {owner} has a blank at an end: {text:?}");
        let help = format!("write `{:?}`: values are compared exactly, blanks too", text.trim());
        self.warn(common, Code::CR206, place, message, "matches no value without it", help);
    }

    /// A method that nobody knows and that looks like one.
    fn odd_methods(&mut self, owner: &str, common: &Common, methods: &Methods, place: &Place) {
        let Methods::These(methods) = methods else { return };
        for method in methods.iter().filter(|method| !METHODS.contains(&method.as_str())) {
            let Some(near) = nearest(method, METHODS.into_iter()) else { continue };
            let message = format!("`methods` of {owner} names {method}, which is none that services know");
            let help = format!("did you mean `{near}`?");
            self.warn(common, Code::CR206, &place.inside(method), message, "will probably never match", help);
        }
    }
}
