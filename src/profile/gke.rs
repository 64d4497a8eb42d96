//! Google Kubernetes Engine: one issuer a cluster, made of names, so that a cluster made again has the same one.
//!
//! Match the uid of the service account where that matters: `/kubernetes.io/serviceaccount/uid`.

use super::{Hint, Identity, Parameter, Parameters, Profile, Sign, Tenancy, service_account};

pub(super) static GKE: Profile = Profile {
    name: "gke",
    aliases: &["gcp", "google-cloud"],
    summary: "service accounts of a Google Kubernetes Engine cluster",
    documentation: "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity",
    checked: "2026-11-22",
    issuers: &["https://container.googleapis.com/v1/projects/PROJECT/locations/LOCATION/clusters/CLUSTER"],
    key_place: "by discovery, which leads to the `iss` and `/jwks`",
    starter: include_str!("../../examples/profiles/gke/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[
        Parameter::one("project", service_account::segment),
        Parameter::one("location", service_account::segment),
        Parameter::one("cluster", service_account::segment),
    ],
    issuer,
    dangers: &[
        "The `iss` is made of names: a cluster that is made again under the same name has the same one, and other keys.",
        "A service account that is deleted and made again has the same `sub` and another uid.",
        "Whoever may create pods in a namespace can have tokens of each of its service accounts, for any audience.",
    ],
    hints: &[Hint {
        when: &[],
        unless: &[Sign::PinnedKeys, Sign::Claim(&["/kubernetes.io/serviceaccount/uid"])],
        danger: "a cluster that is made again under the same name has the same `iss`, and whoever made it its tokens",
        help: "match `/kubernetes.io/serviceaccount/uid`, or pin the cluster's keys with `pin.keys`",
    }],
    ..service_account::CLUSTER
};

/// `https://container.googleapis.com/v1/projects/PROJECT/locations/LOCATION/clusters/CLUSTER`.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str =
        "a GKE issuer is `https://container.googleapis.com/v1/projects/PROJECT/locations/LOCATION/clusters/CLUSTER`";
    let rest = iss.strip_prefix("https://container.googleapis.com/v1/projects/").ok_or(FORM)?;
    let parts: Vec<_> = rest.split('/').collect();
    match parts.as_slice() {
        [project, "locations" | "zones", location, "clusters", cluster]
            if [project, location, cluster].iter().all(|part| service_account::segment(part).is_ok()) =>
        {
            Ok(Tenancy::Private)
        }
        _ => Err(FORM),
    }
}

fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    let (project, location, cluster) = (with.one("project"), with.one("location"), with.one("cluster"));
    Ok(vec![format!("https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}")])
}
