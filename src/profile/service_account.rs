//! What the tokens of all Kubernetes clusters share: service accounts.
//!
//! The subject is made of names: an account that is deleted and made again has the same `sub` and a new uid.

use super::ClaimType::{self, Number, String as Text};
use super::{Profile, Reusable, UNKNOWING};
use crate::name::Algorithm;

/// A cluster of whatever make: each kind says what is its own.
pub(super) const CLUSTER: Profile = Profile {
    name: "",
    summary: "",
    documentation: "",
    checked: "",
    in_cluster: true,
    algorithms: ALGORITHMS,
    token_types: &[""],
    max_token_age: 3600 + 300,
    claims: CLAIMS,
    glob,
    subject,
    states: |claim, text| if claim == "sub" { names(text) } else { Vec::new() },
    complete: true,
    reusable: &[
        Reusable {
            claim: "/kubernetes.io/serviceaccount/name",
            stable: &["/kubernetes.io/serviceaccount/uid"],
            danger: "a service account that is deleted and made again has the same name",
        },
        Reusable {
            claim: "/kubernetes.io/pod/name",
            stable: &["/kubernetes.io/pod/uid", "/kubernetes.io/serviceaccount/uid"],
            danger: "a pod that is made again, by anyone in the namespace, can have the same name",
        },
        Reusable {
            claim: "/kubernetes.io/node/name",
            stable: &["/kubernetes.io/node/uid", "/kubernetes.io/serviceaccount/uid"],
            danger: "a node that is replaced can have the same name",
        },
    ],
    default_audiences: DEFAULT_AUDIENCES,
    identify: &["sub", "/kubernetes.io/serviceaccount/uid"],
    subject_forms: &["system:serviceaccount:NAMESPACE:NAME"],
    ..UNKNOWING
};

const ALGORITHMS: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::RS384, Algorithm::RS512];

const DEFAULT_AUDIENCES: &[&str] = &[
    "api",
    "sts.amazonaws.com",
    "kubernetes.default.svc",
    "https://kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local",
];

const CLAIMS: &[(&str, ClaimType)] = &[
    ("/kubernetes.io/namespace", Text),
    ("/kubernetes.io/node/name", Text),
    ("/kubernetes.io/node/uid", Text),
    ("/kubernetes.io/pod/name", Text),
    ("/kubernetes.io/pod/uid", Text),
    ("/kubernetes.io/secret/name", Text),
    ("/kubernetes.io/secret/uid", Text),
    ("/kubernetes.io/serviceaccount/name", Text),
    ("/kubernetes.io/serviceaccount/uid", Text),
    ("/kubernetes.io/warnafter", Number),
];

/// `system:serviceaccount:NAMESPACE:NAME`: an RFC 1123 label, and a name of such labels.
fn subject(sub: &str) -> Result<(), &'static str> {
    const FORM: &str = "a `sub` of Kubernetes is `system:serviceaccount:NAMESPACE:NAME`";
    let (namespace, name) =
        sub.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')).ok_or(FORM)?;
    let label = |text: &str| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    if label(namespace) && name.len() <= 253 && name.split('.').all(label) { Ok(()) } else { Err(FORM) }
}

/// What `sub` is made of.
fn names(sub: &str) -> Vec<(&'static str, String)> {
    let parts = sub.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let Some((namespace, name)) = parts else { return Vec::new() };
    vec![("/kubernetes.io/namespace", namespace.to_owned()), ("/kubernetes.io/serviceaccount/name", name.to_owned())]
}

/// A namespace is the tenant of a cluster: it is written out, in `sub` and in the claim.
fn glob(claim: &str, text: &str) -> Result<(), &'static str> {
    let namespace = match claim {
        "sub" => text.split(':').nth(2).unwrap_or(text),
        "/kubernetes.io/namespace" => text,
        _ => return Ok(()),
    };
    if namespace.contains('*') { Err("whoever may make a namespace could take a name that fits") } else { Ok(()) }
}

/// One segment of a URL that is a name of the provider's.
pub(super) fn segment(text: &str) -> Result<(), &'static str> {
    let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if !text.is_empty() && text.len() <= 128 && text.bytes().all(byte) && !text.starts_with('.') {
        Ok(())
    } else {
        Err("write the name as the provider's console shows it: letters, digits and `-`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_a_namespace_and_an_account() {
        for good in ["system:serviceaccount:payments:settler", "system:serviceaccount:a-1:b.c-2"] {
            assert_eq!(subject(good), Ok(()), "{good}");
        }
        for bad in [
            "payments:settler",
            "system:serviceaccount:payments",
            "system:serviceaccount::settler",
            "system:serviceaccount:payments:",
            "system:serviceaccount:Payments:settler",
            "system:serviceaccount:payments:settler:x",
            "system:serviceaccount:pay.ments:settler",
            "system:node:x:y",
            "system:serviceaccount:payments:settler ",
        ] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subject_states_its_namespace_and_its_account() {
        let said = names("system:serviceaccount:payments:settler");
        let expected = [("/kubernetes.io/namespace", "payments"), ("/kubernetes.io/serviceaccount/name", "settler")];
        assert_eq!(said, expected.map(|(claim, value)| (claim, value.to_owned())));
        assert_eq!(names("system:node:x"), []);
    }

    #[test]
    fn a_star_may_stand_for_accounts_and_never_for_namespaces() {
        assert!(glob("sub", "system:serviceaccount:payments:settler-*").is_ok());
        assert!(glob("/kubernetes.io/serviceaccount/name", "settler-*").is_ok());
        assert!(glob("sub", "system:serviceaccount:pay-*:settler").is_err());
        assert!(glob("sub", "system:serviceaccount:**").is_err());
        assert!(glob("sub", "system:*").is_err());
        assert!(glob("/kubernetes.io/namespace", "pay-*").is_err());
    }
}
