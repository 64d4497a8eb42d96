//! What a profile answers of audiences and claims: more than its lists say by themselves.

use super::{ClaimType, Profile};

/// Audiences that clouds and quick starts have for everybody, whoever signed the token.
const COMMON_AUDIENCES: &[&str] = &[
    "00000003-0000-0000-c000-000000000000",
    "account",
    "api://AzureADTokenExchange",
    "api://default",
    "aws.workload.identity",
    "hcp.workload.identity",
    "https://graph.microsoft.com",
    "https://kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local",
    "sigstore",
    "sts.amazonaws.com",
];

impl Profile {
    /// Whether many services share this audience: tokens of this kind have it unasked, tokens of many kinds do, or it is
    /// the issuer itself.
    pub fn is_default_audience(&self, iss: &str, audience: &str) -> bool {
        let own = |rest: &str| audience.strip_prefix(iss) == Some(rest);
        audience == iss
            || COMMON_AUDIENCES.contains(&audience)
            || (self.broad)(iss, audience)
            || self.default_audiences.iter().any(|known| match (known.strip_prefix("{iss}"), known.strip_suffix('*')) {
                (Some(rest), _) => own(rest),
                (None, Some(start)) => audience.starts_with(start),
                (None, None) => audience == *known,
            })
    }

    /// The JSON type of a claim, by the names that lead to it, where it is known.
    pub fn claim_type(&self, path: &[String]) -> Option<ClaimType> {
        let is = |claim: &str| match claim.strip_prefix('/') {
            Some(pointer) => pointer.split('/').eq(path.iter().map(String::as_str)),
            None => matches!(path, [only] if only == claim),
        };
        let family = || {
            let [only] = path else { return None };
            self.families.iter().find(|(start, _)| only.starts_with(start)).and_then(|(_, kind)| *kind)
        };
        self.claims.iter().find(|(claim, _)| is(claim)).map(|(_, kind)| *kind).or_else(family)
    }

    /// The JSON Pointer that was probably meant by a name with dots between, such as `realm_access.roles`.
    pub fn pointer_for(&self, dotted: &str) -> Option<&'static str> {
        let meant = |claim: &str| claim.strip_prefix('/').is_some_and(|path| path.replace('/', ".") == dotted);
        self.claims.iter().map(|(claim, _)| *claim).find(|claim| dotted.contains('.') && meant(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_nested_claim_is_known_by_its_path() {
        let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let kubernetes = Profile::find("kubernetes").unwrap();
        let uid = path(&["kubernetes.io", "serviceaccount", "uid"]);
        assert_eq!(kubernetes.claim_type(&uid), Some(ClaimType::String));
        assert_eq!(kubernetes.claim_type(&path(&["uid"])), None);
        assert_eq!(Profile::find("entra").unwrap().claim_type(&path(&["roles"])), Some(ClaimType::Strings));
        let github = Profile::find("github-actions").unwrap();
        assert_eq!(github.claim_type(&path(&["repo_property_tier"])), Some(ClaimType::String));
    }

    #[test]
    fn a_name_with_dots_leads_to_the_pointer_that_was_meant() {
        let keycloak = Profile::find("keycloak").unwrap();
        assert_eq!(keycloak.pointer_for("realm_access.roles"), Some("/realm_access/roles"));
        let kubernetes = Profile::find("kubernetes").unwrap();
        assert_eq!(kubernetes.pointer_for("kubernetes.io.namespace"), Some("/kubernetes.io/namespace"));
        assert_eq!(kubernetes.pointer_for("namespace"), None);
    }

    #[test]
    fn an_audience_of_everybody_is_one_whatever_the_profile() {
        for profile in Profile::ALL {
            for audience in COMMON_AUDIENCES {
                assert!(profile.is_default_audience("https://idp.test", audience), "{} {audience}", profile.name);
            }
            assert!(!profile.is_default_audience("https://idp.test", "https://orders.test"), "{}", profile.name);
        }
    }

    #[test]
    fn an_audience_that_is_a_whole_trust_domain_or_organisation_is_broad() {
        let spiffe = Profile::find("spiffe").unwrap();
        for broad in ["spiffe://a.test", "spiffe://a.test/", "spiffe://other.test"] {
            assert!(spiffe.is_default_audience("spiffe://a.test", broad), "{broad}");
        }
        assert!(!spiffe.is_default_audience("spiffe://a.test", "spiffe://a.test/orders"));
        const ORG: &str = "a74579f1-2e7d-451e-b009-5c082ad2729e";
        let circleci = Profile::find("circleci").unwrap();
        assert!(circleci.is_default_audience(&format!("https://oidc.circleci.com/org/{ORG}"), ORG));
        assert!(circleci.is_default_audience("https://oidc.circleci.com", ORG));
        assert!(!circleci.is_default_audience("https://oidc.circleci.com", "https://deploy.test"));
    }
}
