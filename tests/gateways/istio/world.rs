//! The example with everything real, and beside its gateway others that are set up as one should not.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::mesh::{Istiod, Mesh, documents};
use crate::manifests::Manifests;
use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::http::{Request, Response};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::upstream::{Echo, MARK, Upstream};
use crate::system::free_port;

pub(super) const EXAMPLE: &str = "examples/istio";

/// An issuer of the example's table, and who signs in its place.
pub(super) const ACME: &str = "https://login.acme.test";
pub(super) const GLOBEX: &str = "https://idp.globex.test";

/// One mesh for all tests.
pub(super) struct World {
    pub(super) acme: Issuer,
    pub(super) globex: Issuer,
    pub(super) credence: Credence,
    pub(super) upstream: Upstream,
    pub(super) mesh: Mesh,
    /// Told what the example's values say.
    pub(super) istiod: Istiod,
    _table: Table,
}

pub(super) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(World::start);
    &WORLD
}

/// A file of the example.
pub(super) fn file(name: &str) -> Manifests {
    Manifests::file(&format!("{EXAMPLE}/{name}"))
}

/// The mesh configuration of the example.
pub(super) fn mesh_config() -> Value {
    documents(file("istiod-values.yaml").as_str())[0]["meshConfig"].clone()
}

impl World {
    fn start() -> Self {
        let (acme, globex, upstream) = (Issuer::start(), Issuer::start(), Upstream::start());
        let keys = |iss: &str, issuer: &Issuer| (format!("issuer: {iss}\n"), format!("issuer: {iss}\n    jwksUri: {}\n", issuer.jwks_uri()));
        let ((a, b), (c, d)) = (keys(ACME, &acme), keys(GLOBEX, &globex));
        let table = file("trust.yaml").with(&a, &b).with(&c, &d).with("2027-", "2099-");
        let table = Table::raw(table.as_str().as_bytes());
        let credence = Credence::serve(table.path()).start();
        let mesh = Mesh::start();
        let port = credence.grpc().rsplit(':').next().unwrap().parse().unwrap();
        mesh.service("credence.credence.svc.cluster.local", 9191, "GRPC", port);
        for service in ["ledger.finance", "invoices.billing", "orders.sales"] {
            mesh.service(&format!("{service}.svc.cluster.local"), 8080, "HTTP", upstream.address().port());
        }
        let istiod = mesh.istiod("mesh", mesh_config());
        Self { acme, globex, credence, upstream, mesh, istiod, _table: table }
    }
}
