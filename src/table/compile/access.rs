//! How keys are reached: authorities, credentials, proxies. A table names an origin of its author's choice, so it may have
//! sent there only what whoever runs credence laid open for that: the files of `--secrets-dir`.

use std::path::{Component, Path, PathBuf};

use super::super::draft::{At, KeysDraft};
use super::super::{Code, Diagnostic};
use super::Bench;
use super::key_source::beside;
use crate::keys::{Access, ClientCertificate, ServerIdentity};
use crate::name::TrustDomain;
use crate::resource::Authority;

impl Bench<'_> {
    /// How the entry's keys are reached; `None` where something of it was refused.
    pub(super) fn access(&mut self, owner: &str, keys: &KeysDraft, domain: Option<&TrustDomain>) -> Option<Access> {
        let before = self.report.errors();
        let ca_file = keys.ca_file.given().map(beside);
        let server = self.server(owner, keys, ca_file.is_some(), domain);
        let bearer_token_file = keys.bearer_token_file.given().and_then(|at| self.secret(owner, "bearerTokenFile", at));
        let client_certificate = self.client_certificate(owner, keys);
        let proxy = keys.proxy.given().and_then(|at| self.proxy(owner, at));
        let access = Access { ca_file, server, bearer_token_file, client_certificate, proxy };
        (self.report.errors() == before).then_some(access)
    }

    /// What the server of a bundle must prove (SPIFFE Federation §5.2).
    fn server(
        &mut self,
        owner: &str,
        keys: &KeysDraft,
        own_authorities: bool,
        domain: Option<&TrustDomain>,
    ) -> ServerIdentity {
        match (keys.spiffe_endpoint_id.given(), domain) {
            (Some(id), _) if own_authorities => ServerIdentity::Spiffe(id.value.clone()),
            (Some(id), _) => {
                if keys.spiffe_bundle_url.given().is_some() && keys.ca_file.is_absent() {
                    let message = format!("`spiffeEndpointId` of {owner} needs `caFile`");
                    let help = "add `caFile` with the X.509 authorities of the endpoint's trust domain, or remove it where a public certificate proves the host";
                    self.report(Code::CR002, &id.place, message, "no public authority vouches for a SPIFFE ID", help);
                }
                ServerIdentity::Host
            }
            (None, Some(domain)) if own_authorities && keys.spiffe_bundle_url.given().is_some() => {
                ServerIdentity::HostOr(format!("spiffe://{domain}/spire/server"))
            }
            (None, _) => ServerIdentity::Host,
        }
    }

    /// Both files or none; the certificate is public and may lie anywhere.
    fn client_certificate(&mut self, owner: &str, keys: &KeysDraft) -> Option<ClientCertificate> {
        let (certificate, key) = (&keys.client_cert_file, &keys.client_key_file);
        match (certificate.given(), key.given()) {
            (Some(certificate), Some(key)) => {
                let key = self.secret(owner, "clientKeyFile", key)?;
                Some(ClientCertificate { certificate: beside(certificate), key })
            }
            (Some(at), None) if key.is_absent() => {
                let message = format!("{owner} has a `clientCertFile` and no `clientKeyFile`");
                self.report(Code::CR002, &at.place, message, "nobody could prove it", "add `clientKeyFile`");
                None
            }
            (None, Some(at)) if certificate.is_absent() => {
                let message = format!("{owner} has a `clientKeyFile` and no `clientCertFile`");
                self.report(Code::CR002, &at.place, message, "a key of no certificate", "add `clientCertFile`");
                None
            }
            _ => None,
        }
    }

    /// A file that may leave this machine: under `--secrets-dir`, judged by the text of the path. Whether either is
    /// written from the root or from the working directory makes no difference.
    fn secret(&mut self, owner: &str, field: &str, at: &At<String>) -> Option<PathBuf> {
        // An empty path would be the beginning of every other.
        let open = self.permissions.secrets_dir.as_ref().filter(|path| !path.as_os_str().is_empty());
        let Some(open) = open else {
            let message =
                format!("`{field}` of {owner} names a secret, and no directory of secrets is open to the table");
            let help = "say with `--secrets-dir DIR` (CREDENCE_SECRETS_DIR) which directory a table may name files of";
            self.report(Code::CR002, &at.place, message, "`--secrets-dir` is not set", help);
            return None;
        };
        let path = beside(at);
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inside = whole(&path).strip_prefix(whole(open)).is_ok_and(|rest| {
            rest.components().next().is_some() && rest.components().all(|part| matches!(part, Component::Normal(_)))
        });
        let climbs = Path::new(&at.value).components().any(|part| part == Component::ParentDir);
        if inside && !climbs {
            return Some(path);
        }
        let message = format!("`{field}` of {owner} lies outside the directory of secrets");
        let label = format!("{} is not under {}", path.display(), open.display());
        let help = "move the file there and name it without `..`, or open another directory with `--secrets-dir`";
        self.report(Code::CR002, &at.place, message, label, help);
        None
    }

    /// `http://`, a host and a port: no path, and no password in the table.
    fn proxy(&mut self, owner: &str, at: &At<String>) -> Option<String> {
        let rest = at.value.strip_prefix("http://");
        let help = "write `http://HOST:PORT`: the fetch itself stays encrypted from end to end";
        if at.value.contains('@') {
            let message = format!("`proxy` of {owner} holds user information");
            let finding = Diagnostic::at(Code::CR002, &at.place, message)
                .label("a password has no place in a table")
                .help("use a proxy that knows this host by its address or certificate");
            self.report.push(finding.hidden());
            return None;
        }
        let authority = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        if authority.and_then(Authority::read).is_none() {
            let message = format!("{:?} is no proxy that {owner} could use", at.value);
            self.report(Code::CR002, &at.place, message, "not the URL of an HTTP proxy", help);
            return None;
        }
        Some(at.value.clone())
    }

    /// Fields that would say nothing beside the source that is written.
    pub(super) fn only_with(&mut self, owner: &str, keys: &KeysDraft) {
        const DISCOVERED: &str = "only used where keys are discovered";
        const FETCHED: &str = "only used where keys are fetched";
        const CLUSTER: &str = "`kubernetes: inCluster` uses the service account of the pod";
        let (inline, file) = (keys.jwks.given().is_some(), keys.jwks_file.given().is_some());
        let (cluster, bundle) = (keys.in_cluster.given().is_some(), keys.spiffe_bundle_url.given().is_some());
        let local = inline || file;
        let discovered = !(local || cluster || bundle || keys.jwks_uri.given().is_some());
        let how = if cluster { CLUSTER } else { FETCHED };
        fn place<T>(field: &super::super::draft::Field<T>, idle: bool) -> Option<&super::super::Place> {
            field.given().filter(|_| idle).map(|at| &at.place)
        }
        let idle = [
            ("jwksHosts", place(&keys.jwks_hosts, !discovered), DISCOVERED),
            ("caFile", place(&keys.ca_file, local || cluster), how),
            ("bearerTokenFile", place(&keys.bearer_token_file, local || cluster), how),
            ("clientCertFile", place(&keys.client_cert_file, local || cluster), how),
            ("clientKeyFile", place(&keys.client_key_file, local || cluster), how),
            ("proxy", place(&keys.proxy, local || cluster), how),
            ("spiffeEndpointId", place(&keys.spiffe_endpoint_id, !bundle), "only used beside `spiffeBundleUrl`"),
            ("maxStale", place(&keys.max_stale, inline), "keys that stand in the table do not age"),
        ];
        for (field, place, when) in idle {
            let Some(place) = place else { continue };
            let message = format!("`{field}` of {owner} has no effect");
            self.report(Code::CR002, place, message, when, "remove it");
        }
    }
}
