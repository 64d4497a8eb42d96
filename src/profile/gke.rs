//! Google Kubernetes Engine: one issuer a cluster, made of names, so that a cluster made again has the same one.
//!
//! Match the uid of the service account where that matters: `/kubernetes.io/serviceaccount/uid`.

use super::{Identity, Parameter, Parameters, Profile, Tenancy, service_account};

pub(super) static GKE: Profile = Profile {
    name: "gke",
    summary: "service accounts of a Google Kubernetes Engine cluster",
    documentation: "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity",
    checked: "2026-11-22",
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

fn expand(with: &Parameters) -> Vec<String> {
    let (project, location, cluster) = (with.one("project"), with.one("location"), with.one("cluster"));
    vec![format!("https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}")]
}
