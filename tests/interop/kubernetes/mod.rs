//! Kubernetes 1.35: service account tokens by TokenRequest, two clusters with one `iss`, keys behind the API server's
//! own authority and access rules.

#[allow(dead_code, reason = "the other tests with a real API server use the rest")]
mod cluster;
mod in_cluster;
mod realms;
mod rotation;
mod tokens;

use std::path::PathBuf;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::{Credence, Serve};
use crate::support::table::Table;
use cluster::{Cluster, ISSUER};

const AUDIENCE: &str = "https://ledger.acme.test";
const NAMESPACE: &str = "payments";
const ACCOUNT: &str = "settler";
/// The same in every cluster.
const SUBJECT: &str = "system:serviceaccount:payments:settler";

/// A directory for a trust table and the secrets beside it.
struct Trust {
    table: Table,
    issuers: String,
    grants: String,
}

impl Trust {
    fn new() -> Self {
        let table = Table::raw(b"");
        std::fs::create_dir(table.dir().join("secrets")).unwrap();
        Self { table, issuers: String::new(), grants: String::new() }
    }

    fn secrets(&self) -> PathBuf {
        self.table.dir().join("secrets")
    }

    /// The file from which credence takes the token for this cluster's API server.
    fn bearer_file(&self, name: &str) -> PathBuf {
        self.secrets().join(name)
    }

    /// Gives credence a fresh token for this cluster's API server, in one step.
    fn write_bearer(&self, name: &str, cluster: &Cluster) {
        let beside = self.secrets().join(format!(".{name}"));
        std::fs::write(&beside, cluster.reader_token()).unwrap();
        std::fs::rename(beside, self.bearer_file(name)).unwrap();
    }

    /// Trusts a cluster under this name and realm.
    fn cluster(mut self, name: &str, cluster: &Cluster) -> Self {
        self.write_bearer(name, cluster);
        self.issuers += &format!(
            "  {name}: {{profile: kubernetes, issuer: \"{ISSUER}\", realm: {name}, jwksUri: \"{}\", caFile: {}, \
             bearerTokenFile: {}, owner: platform@acme.test, reviewBy: 2099-01-01}}\n",
            cluster.jwks_uri(),
            cluster.ca_file(),
            self.bearer_file(name).display(),
        );
        self
    }

    /// Trusts the cluster that credence itself runs in.
    fn own_cluster(mut self, name: &str) -> Self {
        self.issuers += &format!(
            "  {name}: {{profile: kubernetes, issuer: \"{ISSUER}\", kubernetes: inCluster, owner: platform@acme.test, \
             reviewBy: 2099-01-01}}\n"
        );
        self
    }

    /// Lets an account with this `uid` append to the ledger.
    fn grant(mut self, name: &str, cluster: &str, account: &str, uid: &str) -> Self {
        self.grants += &format!(
            "  {name}: {{issuer: {cluster}, resource: ledger, subject: \"system:serviceaccount:{NAMESPACE}:{account}\", \
             claims: {{/kubernetes.io/serviceaccount/uid: {uid}}}, methods: [POST], paths: any, scopes: [\"ledger:{name}\"]}}\n",
        );
        self
    }

    /// A credence with this table that has not been started.
    fn serve(&self) -> Serve {
        self.table.replace(&format!(
            "issuers:\n{}resources:\n  ledger: {{audience: \"{AUDIENCE}\", hosts: [ledger.acme.test]}}\ngrants:\n{}",
            self.issuers, self.grants,
        ));
        Credence::serve(self.table.path()).arg("--secrets-dir").arg(&self.secrets().display().to_string())
    }
}

fn ask(credence: &Credence, token: &str) -> Answer {
    credence.check(&Call::post("https://ledger.acme.test/v1/entries").bearer(token))
}

/// Asserts that this token is refused, and why.
fn refused(credence: &Credence, token: &str, status: i32, reason: &str) {
    let answer = ask(credence, token);
    assert_eq!((answer.status(), answer.reason().as_str()), (status, reason));
}
