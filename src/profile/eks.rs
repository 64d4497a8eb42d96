//! Amazon EKS: one issuer a cluster, whose id is random.

use super::{Identity, Parameter, Parameters, Profile, Tenancy, service_account, web};

pub(super) static EKS: Profile = Profile {
    name: "eks",
    aliases: &["aws", "amazon"],
    summary: "service accounts of an Amazon EKS cluster",
    documentation: "https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html",
    checked: "2026-11-22",
    issuers: &["https://oidc.eks.REGION.amazonaws.com/id/CLUSTER-ID"],
    key_place: "by discovery, which leads to the `iss` and `/keys`",
    starter: include_str!("../../examples/profiles/eks/trust.yaml"),
    identity: Identity::Expanded(expand),
    parameters: &[Parameter::one("region", web::region), Parameter::one("clusterId", cluster)],
    issuer,
    max_token_age: 24 * 3600 + 300,
    dangers: &[
        "Tokens for IAM roles have the audience `sts.amazonaws.com`, and every service that takes it can pass them on to AWS.",
        "A service account that is deleted and made again has the same `sub` and another uid.",
        "Whoever may create pods in a namespace can have tokens of each of its service accounts, for any audience.",
    ],
    ..service_account::CLUSTER
};

/// `https://oidc.eks.REGION.amazonaws.com/id/CLUSTER-ID`, in China under `amazonaws.com.cn`.
fn issuer(iss: &str) -> Result<Tenancy, &'static str> {
    const FORM: &str = "an EKS issuer is `https://oidc.eks.REGION.amazonaws.com/id/CLUSTER-ID`, without a last `/`";
    let (host, id) = iss.strip_prefix("https://oidc.eks.").and_then(|rest| rest.split_once("/id/")).ok_or(FORM)?;
    let (name, domain) = host.split_once('.').ok_or(FORM)?;
    if web::region(name).is_ok() && cluster(id).is_ok() && domain == web::amazon(name) {
        Ok(Tenancy::Private)
    } else {
        Err(FORM)
    }
}

fn expand(with: &Parameters) -> Result<Vec<String>, &'static str> {
    let (region, cluster) = (with.one("region"), with.one("clusterId"));
    let domain = web::amazon(region);
    Ok(vec![format!("https://oidc.eks.{region}.{domain}/id/{cluster}")])
}

fn cluster(text: &str) -> Result<(), &'static str> {
    let byte = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let sound = !text.is_empty() && text.len() <= 64 && text.bytes().all(byte);
    if sound {
        Ok(())
    } else {
        Err("it is the last part of `aws eks describe-cluster --query cluster.identity.oidc.issuer`")
    }
}
