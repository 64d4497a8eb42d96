//! Azure Kubernetes Service: one issuer a cluster, which ends in `/`; of older ones that is less certain.

use super::{Profile, Tenancy, service_account};
use crate::name::is_guid;

pub(super) static AKS: Profile = Profile {
    name: "aks",
    aliases: &["azure"],
    summary: "service accounts of an Azure Kubernetes Service cluster",
    documentation: "https://learn.microsoft.com/en-us/azure/aks/use-oidc-issuer",
    checked: "2026-11-22",
    issuers: &[
        "https://REGION.oic.prod-aks.azure.com/TENANT-ID/CLUSTER-ID/",
        "https://oidc.prod-aks.azure.com/CLUSTER-ID/",
    ],
    starter: include_str!("../../examples/profiles/aks/trust.yaml"),
    issuer,
    doubt,
    dangers: &[
        "The last `/` belongs to the `iss`; without it no token matches.",
        "A service account that is deleted and made again has the same `sub` and another uid.",
        "Whoever may create pods in a namespace can have tokens of each of its service accounts, for any audience.",
    ],
    ..service_account::CLUSTER
};

/// `https://REGION.oic.prod-aks.azure.com/TENANT/GUID/`, always with its last `/`; older ones, `https://oidc.prod-aks.azure.com/GUID/`,
/// are taken without it too, and doubted.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "an AKS issuer is `https://REGION.oic.prod-aks.azure.com/TENANT/GUID/`: copy it, with its last `/`, \
                        from `az aks show --query oidcIssuerProfile.issuerUrl`";
    let (host, path) = iss.strip_prefix("https://").and_then(|rest| rest.split_once('/')).ok_or(FORM)?;
    let old = host == OLD;
    let own = old
        || host.strip_suffix(".oic.prod-aks.azure.com").is_some_and(|region| {
            !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
    let ids: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let sound = own && ids.len() <= 2 && ids.iter().all(|id| is_guid(id)) && (old || path.ends_with('/'));
    if sound { Ok(Tenancy::Private) } else { Err(FORM) }
}

/// The host of all older clusters.
const OLD: &str = "oidc.prod-aks.azure.com";

fn doubt(iss: &str) -> Result<(), &'static str> {
    const WHY: &str = "these end in `/` as a rule, and without theirs no token matches: copy it from \
                       `az aks show --query oidcIssuerProfile.issuerUrl`";
    if iss.ends_with('/') { Ok(()) } else { Err(WHY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slash_belongs_to_the_issuer_and_is_only_doubted_of_older_ones() {
        const ID: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
        let new = format!("https://westeurope.oic.prod-aks.azure.com/{ID}/{ID}/");
        assert_eq!((issuer(&new), doubt(&new)), (Ok(Tenancy::Private), Ok(())));
        assert!(issuer(new.trim_end_matches('/')).is_err());
        for old in [format!("https://{OLD}/{ID}/"), format!("https://{OLD}/{ID}/{ID}/")] {
            assert_eq!((issuer(&old), doubt(&old)), (Ok(Tenancy::Private), Ok(())), "{old}");
            let bare = old.trim_end_matches('/');
            assert!(issuer(bare).is_ok() && doubt(bare).is_err(), "{bare}");
        }
    }
}
