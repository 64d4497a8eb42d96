//! Placeholders that were left in place (CR205): what a proposal could not know, and nobody has filled in.

use super::super::draft::{At, ClaimDraft, Common, Field, GrantDraft, IssuerDraft, ResourceDraft, Subject};
use super::super::{Code, Place};
use super::Bench;
use crate::claims::Scalar;

/// What an entry is, and its name.
type Owner<'a> = (&'a str, &'a str);

impl Bench<'_> {
    /// Every value of the table that a proposal leaves open; the `iss` is judged by itself.
    pub(super) fn placeholders(&mut self) {
        let draft = self.draft;
        for issuer in &draft.issuers {
            self.of_issuer(issuer);
        }
        for resource in &draft.resources {
            self.of_resource(resource);
        }
        for grant in &draft.grants {
            self.of_grant(grant);
        }
    }

    fn of_issuer(&mut self, issuer: &IssuerDraft) {
        let (owner, common, keys) = (("issuer", issuer.name.value.as_str()), &issuer.common, &issuer.keys);
        self.left(owner, common, "owner", &common.owner);
        self.left(owner, common, "discoveryUrl", &keys.discovery_url);
        self.left(owner, common, "jwksUri", &keys.jwks_uri);
        self.left(owner, common, "spiffeBundleUrl", &keys.spiffe_bundle_url);
        for host in keys.jwks_hosts.items() {
            self.left_open(owner, common, "jwksHosts", &host.value, &host.place);
        }
        self.of_claims(owner, common, issuer.pin_claims.items());
    }

    fn of_resource(&mut self, resource: &ResourceDraft) {
        let (owner, common) = (("resource", resource.name.value.as_str()), &resource.common);
        self.left(owner, common, "owner", &common.owner);
        self.left(owner, common, "audience", &resource.audience);
        self.left(owner, common, "resourceMetadata", &resource.resource_metadata);
        for host in resource.hosts.items() {
            self.left_open(owner, common, "hosts", &host.value.to_string(), &host.place);
        }
    }

    fn of_grant(&mut self, grant: &GrantDraft) {
        let (owner, common) = (("grant", grant.name.value.as_str()), &grant.common);
        self.left(owner, common, "owner", &common.owner);
        self.left(owner, common, "audience", &grant.audience);
        if let Some(Subject::Exact(subjects)) = grant.subject.value() {
            for At { value, place } in subjects {
                self.left_open(owner, common, "subject", value, place);
            }
        }
        self.of_claims(owner, common, grant.claims.items());
        let Some(paths) = grant.paths.given() else { return };
        if let Some(path) = paths.value.iter().find(|path| is_placeholder(path.as_str())) {
            self.left_open(owner, common, "paths", path.as_str(), &paths.place);
        }
    }

    fn of_claims(&mut self, owner: Owner<'_>, common: &Common, claims: &[ClaimDraft]) {
        for claim in claims {
            let texts = claim.rule.matcher.exact().unwrap_or_default().iter().filter_map(|value| match value {
                Scalar::String(text) => Some(text),
                Scalar::Number(_) | Scalar::Bool(_) => None,
            });
            for text in texts {
                self.left_open(owner, common, claim.rule.key.as_str(), text, &claim.value);
            }
        }
    }

    fn left(&mut self, owner: Owner<'_>, common: &Common, field: &str, value: &Field<String>) {
        if let Some(At { value, place }) = value.given() {
            self.left_open(owner, common, field, value, place);
        }
    }

    fn left_open(&mut self, owner: Owner<'_>, common: &Common, field: &str, value: &str, place: &Place) {
        if !is_placeholder(value) {
            return;
        }
        let (what, name) = owner;
        let message = format!("`{field}` of {what} \"{name}\" is a placeholder: {value:?}");
        let help = "write what is meant in its place";
        self.warn(
            common,
            Code::CR205,
            place,
            message,
            "still to be filled in: `.invalid` is nobody's (RFC 2606)",
            help,
        );
    }
}

/// Whether a text is left over from a proposal, or is a name, a URL or an address under `.invalid`, a top-level domain that
/// nobody ever has (RFC 2606 §2).
pub(super) fn is_placeholder(text: &str) -> bool {
    if text.contains("replace-me") {
        return true;
    }
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let mut labels = host.rsplit('.');
    labels.next().is_some_and(|last| last.eq_ignore_ascii_case("invalid")) && labels.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_known_by_its_host() {
        for name in [
            "https://replace-me.invalid",
            "https://X.Invalid:8443/r",
            "spiffe://prod.invalid",
            "idp.invalid",
            "somebody@idp.invalid",
            "/replace-me",
        ] {
            assert!(is_placeholder(name), "{name}");
        }
        for name in
            ["https://invalid.test", "https://idp.test/x.invalid", "https://xinvalid", "idp", "invalid", "a@b.test"]
        {
            assert!(!is_placeholder(name), "{name}");
        }
    }
}
