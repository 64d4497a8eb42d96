//! Issuers that must not be taken for something else: hosts that belong to a profile, and issuers that sign for many
//! customers although no profile describes them yet.

use super::Tenancy;

/// Knowledge about an `iss`, whatever profile its entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownIssuer {
    /// Who runs it, for messages.
    pub operator: &'static str,
    /// The profile that it needs (CR108); `None` where none describes it.
    pub profile: Option<&'static str>,
    /// Whether it signs for many customers (CR101).
    pub tenancy: Tenancy,
}

/// A host: exact, `.suffix`, or `prefix.*.suffix` written with one star.
struct Host {
    pattern: &'static str,
    operator: &'static str,
    profile: Option<&'static str>,
    tenancy: Tenancy,
}

const fn of(pattern: &'static str, operator: &'static str, profile: &'static str, tenancy: Tenancy) -> Host {
    Host { pattern, operator, profile: Some(profile), tenancy }
}

const fn shared(pattern: &'static str, operator: &'static str) -> Host {
    Host { pattern, operator, profile: None, tenancy: Tenancy::Shared }
}

/// The stars stand for one or more labels.
static HOSTS: &[Host] = &[
    of("token.actions.githubusercontent.com", "GitHub Actions", "github-actions", Tenancy::Shared),
    of("token.actions.*.ghe.com", "GitHub Actions (data residency)", "github-actions", Tenancy::Private),
    of("gitlab.com", "GitLab.com", "gitlab", Tenancy::Shared),
    of("accounts.google.com", "Google", "google", Tenancy::Shared),
    of("login.microsoftonline.com", "Microsoft Entra ID", "entra", Tenancy::Shared),
    of("sts.windows.net", "Microsoft Entra ID", "entra", Tenancy::Shared),
    of("agent.buildkite.com", "Buildkite", "buildkite", Tenancy::Shared),
    of("oidc.circleci.com", "CircleCI", "circleci", Tenancy::Shared),
    of("app.terraform.io", "HCP Terraform", "terraform", Tenancy::Shared),
    of("api.bitbucket.org", "Bitbucket Pipelines", "bitbucket", Tenancy::Private),
    of("oidc.eks.*.amazonaws.com", "Amazon EKS", "eks", Tenancy::Private),
    of("oidc.eks.*.amazonaws.com.cn", "Amazon EKS", "eks", Tenancy::Private),
    of("container.googleapis.com", "Google Kubernetes Engine", "gke", Tenancy::Private),
    of("*.oic.prod-aks.azure.com", "Azure Kubernetes Service", "aks", Tenancy::Private),
    of("oidc.prod-aks.azure.com", "Azure Kubernetes Service", "aks", Tenancy::Private),
    of("kubernetes.default.svc", "a Kubernetes API server's default", "kubernetes", Tenancy::Private),
    of("kubernetes.default.svc.cluster.local", "a Kubernetes API server's default", "kubernetes", Tenancy::Private),
    of("cognito-idp.*.amazonaws.com", "Amazon Cognito user pools", "cognito", Tenancy::Private),
    of("cognito-idp.*.amazonaws.com.cn", "Amazon Cognito user pools", "cognito", Tenancy::Private),
    of("*.auth0.com", "Auth0", "auth0", Tenancy::Private),
    of("*.okta.com", "Okta", "okta", Tenancy::Private),
    of("*.oktapreview.com", "Okta", "okta", Tenancy::Private),
    of("*.okta-emea.com", "Okta", "okta", Tenancy::Private),
    shared("securetoken.google.com", "Google Identity Platform and Firebase"),
    shared("cognito-identity.amazonaws.com", "Amazon Cognito identity pools"),
    shared("issuer.enforce.dev", "Chainguard"),
    shared("oidc.codefresh.io", "Codefresh"),
    shared("oidc.vercel.com", "Vercel"),
    shared("oidc.fly.io", "Fly.io"),
    shared("vstoken.dev.azure.com", "Azure DevOps"),
];

/// What is known about an `iss`. Hosts are compared without ASCII case, so that a misspelt one is found as well.
pub fn known_issuer(iss: &str) -> Option<KnownIssuer> {
    if iss.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:")) {
        return Some(KnownIssuer {
            operator: "a SPIFFE trust domain",
            profile: Some("spiffe"),
            tenancy: Tenancy::Private,
        });
    }
    let rest = iss.split_once("://").map_or(iss, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?.trim_end_matches('.').to_ascii_lowercase();
    let known = HOSTS.iter().find(|known| is(known.pattern, &host))?;
    // An enterprise's or an organisation's own issuer on a shared host is private to it.
    let own = matches!(known.profile, Some("github-actions" | "circleci")) && rest.trim_end_matches('/').contains('/');
    let tenancy = if own { Tenancy::Private } else { known.tenancy };
    Some(KnownIssuer { operator: known.operator, profile: known.profile, tenancy })
}

fn is(pattern: &str, host: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == host,
        Some((start, end)) => host.len() > start.len() + end.len() && host.starts_with(start) && host.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_host_is_found_however_it_is_written() {
        for (iss, profile) in [
            ("https://token.actions.githubusercontent.com", "github-actions"),
            ("HTTPS://Token.Actions.GitHubUserContent.com:443/x", "github-actions"),
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC", "eks"),
            ("https://acme.eu.auth0.com/", "auth0"),
            ("https://kubernetes.default.svc", "kubernetes"),
            ("accounts.google.com", "google"),
            ("spiffe://prod.acme.test", "spiffe"),
            ("SPIFFE:prod", "spiffe"),
        ] {
            assert_eq!(known_issuer(iss).and_then(|known| known.profile), Some(profile), "{iss}");
        }
        for iss in [
            "https://idp.acme.test",
            "https://auth0.com.evil.test",
            "https://token.actions.githubusercontent.com.evil.test",
            "",
        ] {
            assert_eq!(known_issuer(iss), None, "{iss}");
        }
    }

    #[test]
    fn shared_issuers_without_a_profile_are_known() {
        let known = known_issuer("https://securetoken.google.com/project").unwrap();
        assert_eq!((known.profile, known.tenancy), (None, Tenancy::Shared));
        assert_eq!(known_issuer("https://oidc.circleci.com/org/x").unwrap().tenancy, Tenancy::Private);
        assert_eq!(known_issuer("https://oidc.circleci.com").unwrap().tenancy, Tenancy::Shared);
    }
}
