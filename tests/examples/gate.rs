//! How a case goes through an Envoy, and an Envoy for one test alone: for a table that nobody else may see change.

use std::sync::atomic::{AtomicUsize, Ordering};

use credence::request::split_url;
use credence::table::Vector;

use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::http::Request;
use crate::support::table::Table;
use crate::support::upstream::{Echo, MARK, Upstream, grpc_upstream};
use crate::world::{Ran, Scene};

/// One listener of an Envoy, and who is behind it.
pub(crate) struct Door<'a> {
    pub(crate) listener: &'a str,
    pub(crate) envoy: &'a Envoy,
    pub(crate) upstream: &'a Upstream,
    pub(crate) credence: &'a Credence,
}

impl Door<'_> {
    /// Sends the request of a case with this token.
    pub(crate) fn send(&self, case: &Vector, token: Option<&str>) -> Ran {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("{}-{}", self.listener, NEXT.fetch_add(1, Ordering::Relaxed));
        let ask = &case.request;
        assert!(ask.context.is_empty() && ask.route.is_none(), "{}: this Envoy's route sets neither", case.name);
        let (host, target) = split_url(&ask.url).unwrap();
        let mut request = Request::new(&ask.method, target).host(host).header(MARK, &mark);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(token) = token {
            request = request.bearer(token);
        }
        let response = request.send(self.envoy.address(self.listener));
        let echo = self.upstream.saw(&mark).then(|| Echo::of(&response));
        let id = match &echo {
            Some(echo) => echo.one("x-credence-decision-id").to_owned(),
            None => response.json()["decision_id"].as_str().unwrap().to_owned(),
        };
        let log = self.credence.decision(&id);
        if let Some(signature) = token.and_then(|token| token.rsplit('.').next()) {
            assert!(!log.to_string().contains(signature), "the log holds the token: {log}");
        }
        Ran { response, log, echo, mark }
    }
}

/// An Envoy, a credence and a table for one test.
pub(crate) struct Gate {
    pub(crate) credence: Credence,
    pub(crate) table: Table,
    envoy: Envoy,
    upstream: Upstream,
}

impl Gate {
    /// Before a table of this text.
    pub(crate) fn before(text: &str) -> Self {
        let (table, upstream) = (Table::raw(text.as_bytes()), Upstream::start());
        let credence = Credence::serve(table.path()).start();
        let clusters = [
            Cluster::credence("gate", credence.grpc()),
            Cluster::http1("echo", upstream.address()),
            Cluster::grpc("grpc", grpc_upstream()),
        ];
        let envoy = Envoy::start(&[Listener::new("gate", "gate")], &clusters);
        Self { credence, table, envoy, upstream }
    }

    /// Sends a case of an example, signed by the example's issuers.
    pub(crate) fn send(&self, scene: &Scene, case: &str) -> Ran {
        let case = scene.case(case);
        let door = Door { listener: "gate", envoy: &self.envoy, upstream: &self.upstream, credence: &self.credence };
        door.send(case, scene.token(case).map(|token| token.mint()).as_deref())
    }
}
