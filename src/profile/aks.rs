//! Azure Kubernetes Service: one issuer a cluster; the last `/` is there for some and not for others.

use super::{Profile, Tenancy, service_account};
use crate::name::is_guid;

pub(super) static AKS: Profile = Profile {
    name: "aks",
    summary: "service accounts of an Azure Kubernetes Service cluster",
    documentation: "https://learn.microsoft.com/en-us/azure/aks/use-oidc-issuer",
    checked: "2026-11-22",
    issuers: &[
        "https://REGION.oic.prod-aks.azure.com/TENANT-ID/CLUSTER-ID/",
        "https://oidc.prod-aks.azure.com/CLUSTER-ID/",
    ],
    starter: include_str!("../../examples/profiles/aks/trust.yaml"),
    issuer,
    dangers: &[
        "The last `/` belongs to the `iss`; without it no token matches.",
        "A service account that is deleted and made again has the same `sub` and another uid.",
        "Whoever may create pods in a namespace can have tokens of each of its service accounts, for any audience.",
    ],
    ..service_account::CLUSTER
};

/// `https://REGION.oic.prod-aks.azure.com/TENANT/GUID/`, older `https://oidc.prod-aks.azure.com/GUID/`, with a last `/` or not.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "an AKS issuer is `https://REGION.oic.prod-aks.azure.com/TENANT/GUID/`: copy it, with its last `/`, \
                        from `az aks show --query oidcIssuerProfile.issuerUrl`";
    let (host, path) = iss.strip_prefix("https://").and_then(|rest| rest.split_once('/')).ok_or(FORM)?;
    let own = host == "oidc.prod-aks.azure.com"
        || host.strip_suffix(".oic.prod-aks.azure.com").is_some_and(|region| {
            !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
    let ids: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let sound = own && ids.len() <= 2 && ids.iter().all(|id| is_guid(id));
    if sound { Ok(Tenancy::Private) } else { Err(FORM) }
}
