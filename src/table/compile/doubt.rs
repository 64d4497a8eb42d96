//! What loads and is probably not meant: an issuer that nobody can be (CR205), keys that end with one rotation (CR310).

use super::super::Code;
use super::Bench;
use super::issuer::IssuerPlan;

impl Bench<'_> {
    /// A host under `.invalid`, a top-level domain that nobody ever has (RFC 2606 §2): a placeholder.
    pub(super) fn placeholder(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let mut names = plan.exact.iter().flat_map(|exact| exact.names());
        let Some(name) = names.find(|name| is_placeholder(name.as_str())) else { return };
        let draft = plan.draft;
        let place = draft.issuer.given().map(|at| &at.place).or(draft.with.given().map(|at| &at.place));
        let message = format!("the `iss` of {owner} is a placeholder: {:?}", name.as_str());
        let help = "write the exact `iss` of its tokens, or their trust domain, in its place";
        self.warn(
            &draft.common,
            Code::CR205,
            place.unwrap_or(&draft.name.place),
            message,
            "`.invalid` is nobody's (RFC 2606), so no token will match",
            help,
        );
    }

    /// One pin, where the keys can change while the table does not.
    pub(super) fn lone_pin(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let Some((first, rest)) = plan.draft.pin_keys.items().split_first() else { return };
        // Keys that stand in the table change with it.
        if !plan.draft.keys.jwks.is_absent() || rest.iter().any(|other| other.value != first.value) {
            return;
        }
        let message = format!("{owner} pins only one key");
        let help = "pin the next key too: ask the issuer's operator for its thumbprint before it is published";
        self.warn(&plan.draft.common, Code::CR310, &first.place, message, "an outage at the next rotation", help);
    }
}

/// Whether the host of a URL, or the whole text, lies under `.invalid`.
fn is_placeholder(name: &str) -> bool {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_known_by_its_host() {
        for name in ["https://replace-me.invalid", "https://X.Invalid:8443/r", "spiffe://prod.invalid", "idp.invalid"] {
            assert!(is_placeholder(name), "{name}");
        }
        for name in ["https://invalid.test", "https://idp.test/x.invalid", "https://xinvalid", "idp"] {
            assert!(!is_placeholder(name), "{name}");
        }
    }
}
