//! Kubernetes: one issuer a cluster, and by default one and the same `iss` in every cluster.
//!
//! Discovery is behind the cluster's own authority and its RBAC: give `caFile` and `bearerTokenFile`, or the keys.

use super::{Profile, Tenancy, service_account};

pub(super) static KUBERNETES: Profile = Profile {
    name: "kubernetes",
    aliases: &["k8s", "kube"],
    summary: "service accounts of a Kubernetes cluster that you run",
    documentation: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery",
    checked: "2026-11-22",
    issuers: &["the API server's --service-account-issuer"],
    key_place: "`jwksUri` of the API server (`/openid/v1/jwks`) with `caFile` and `bearerTokenFile`, `kubernetes: inCluster`, or a copy; by discovery only where the `iss` leads there",
    starter: include_str!("../../examples/profiles/kubernetes/trust.yaml"),
    issuer,
    discovery,
    dangers: &[
        "Clusters that were not told otherwise all have the same `iss`: give each one its own, or a `realm`.",
        "Tokens of a cluster may live up to a year where they are for its API server; legacy ones from Secrets never end.",
        "A service account that is deleted and made again has the same `sub` and another uid.",
        "Whoever may create pods in a namespace can have tokens of each of its service accounts, for any audience.",
    ],
    ..service_account::CLUSTER
};

/// Whatever `--service-account-issuer` says, but for the name in the tokens of Secrets, which never end.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "tokens out of Secrets never end and name no audience: use projected ones, whose `iss` is `--service-account-issuer`";
    if iss == "kubernetes/serviceaccount" { Err(FORM) } else { Ok(Tenancy::Private) }
}

/// The default issuer leads nowhere, or to the cluster that credence itself runs in.
fn discovery(iss: &str) -> Result<(), &'static str> {
    let host = iss.strip_prefix("https://").unwrap_or(iss).split(['/', ':']).next().unwrap_or_default();
    if host == "kubernetes" || host.starts_with("kubernetes.default") {
        return Err("every cluster calls itself so: the name does not lead to the keys of a certain one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_issuer_leads_nowhere() {
        for iss in [
            "https://kubernetes.default.svc",
            "https://kubernetes.default.svc.cluster.local",
            "https://kubernetes.default.svc.cluster.local:443/",
            "https://kubernetes.default.svc.corp",
        ] {
            assert!(discovery(iss).is_err() && issuer(iss).is_ok(), "{iss}");
        }
        assert!(discovery("https://oidc.k8s.acme.test/eu1").is_ok());
        assert!(issuer("kubernetes/serviceaccount").is_err());
    }
}
