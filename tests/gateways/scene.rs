//! The example `partner-namespace` with everything real: two partners that sign, a service in each namespace, credence.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::envoy_gateway::Gateway;
use crate::manifests::Manifests;
use crate::support::credence::{Credence, Serve};
use crate::support::http::{Request, Response};
use crate::support::issuer::Issuer;
use crate::support::root;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::upstream::{Echo, MARK, Upstream};

/// The table that picks resources by the namespace of the route.
pub(crate) const BY_ROUTE: &str = "examples/partner-namespace/envoy-gateway/trust.yaml";
/// The table that picks them by host and path.
pub(crate) const BY_HOST: &str = "examples/partner-namespace/trust.yaml";
/// The Gateway, the routes and the policies.
pub(crate) const MANIFESTS: &str = "examples/partner-namespace/envoy-gateway/gateway.yaml";

/// `GET` of a path at a host, both as written.
pub(crate) fn get(host: &str, path: &str) -> Request {
    Request::get(path).host(host)
}

/// Issuers, services and credence; the gateway comes from each test.
pub(crate) struct Scene {
    globex: Issuer,
    orders: Upstream,
    invoices: Upstream,
    pub(crate) credence: Credence,
    _initech: Issuer,
    table: Table,
}

/// Which service a request reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Orders,
    Invoices,
    /// Refused by whoever stands before them.
    Neither,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) response: Response,
    pub(crate) reached: Reached,
}

impl Outcome {
    /// What the service saw.
    pub(crate) fn echo(&self) -> Echo {
        assert!(self.reached != Reached::Neither, "{:?}", self.response);
        Echo::of(&self.response)
    }
}

impl Scene {
    /// With this table of the checkout.
    pub(crate) fn with(table: &str) -> Self {
        Self::rewritten(table, |text| text)
    }

    /// With this table, changed.
    pub(crate) fn rewritten(table: &str, change: impl FnOnce(String) -> String) -> Self {
        Self::serving(table, change, |serve| serve)
    }

    /// The same with more arguments of credence.
    pub(crate) fn serving(
        table: &str,
        change: impl FnOnce(String) -> String,
        more: impl FnOnce(Serve) -> Serve,
    ) -> Self {
        let (globex, initech) = (Issuer::start(), Issuer::start());
        let text = std::fs::read_to_string(root().join(table)).unwrap();
        let text = text.replace("https://idp.globex.test", globex.url());
        let text = text.replace("https://login.initech.test", initech.url()).replace("expires: 2027", "expires: 2099");
        let table = Table::raw(change(text).as_bytes());
        let credence = more(Credence::serve(table.path())).start();
        let (orders, invoices) = (Upstream::start(), Upstream::start());
        Self { globex, orders, invoices, credence, _initech: initech, table }
    }

    /// The example's manifests, leading here.
    pub(crate) fn manifests(&self) -> Manifests {
        self.leading_here(Manifests::file(MANIFESTS))
    }

    /// Manifests with the example's Backends, leading here.
    pub(crate) fn leading_here(&self, manifests: Manifests) -> Manifests {
        let credence = self.credence.grpc();
        let manifests = match credence.strip_prefix("unix:") {
            Some(socket) => {
                manifests.with("ip: {address: 127.0.0.1, port: 9191}", &format!("unix: {{path: {socket}}}"))
            }
            None => manifests.endpoint(9191, credence.parse().unwrap()),
        };
        manifests.endpoint(10001, self.orders.address()).endpoint(10002, self.invoices.address())
    }

    /// A token of the partner who may call `orders`.
    pub(crate) fn token(&self) -> Token {
        Token::new(&self.globex.key(), self.globex.url(), "globex-order-bot", "https://orders.acme.test")
    }

    /// The file of the table.
    pub(crate) fn table(&self) -> PathBuf {
        self.table.path()
    }

    /// The partner's `iss`.
    pub(crate) fn iss(&self) -> &str {
        self.globex.url()
    }

    /// Sends a request through the gateway.
    pub(crate) fn send(&self, gateway: &Gateway, request: Request) -> Outcome {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("request-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let response = request.header(MARK, &mark).send(gateway.address);
        let reached = match (self.orders.saw(&mark), self.invoices.saw(&mark)) {
            (false, false) => Reached::Neither,
            (true, false) => Reached::Orders,
            (false, true) => Reached::Invoices,
            (true, true) => panic!("one request reached both"),
        };
        Outcome { response, reached }
    }

    /// Sends a request that has to be refused by credence, for this reason; gives the line of the decision log.
    pub(crate) fn refused(&self, gateway: &Gateway, request: Request, reason: &str) -> Value {
        let outcome = self.send(gateway, request);
        assert_eq!(outcome.reached, Reached::Neither, "{}", outcome.response.text());
        let id = outcome.response.json()["decision_id"].as_str().unwrap().to_owned();
        let line = self.credence.decision(&id);
        assert_eq!(line["reason"], reason, "{line}");
        line
    }
}
