//! `make demo`: the whole thing at work, on this machine, in a few seconds.
//!
//! Two issuers, an upstream, credence and a real Envoy are started; requests go through Envoy, and what came out is
//! shown beside the reason that credence wrote into its decision log. With `KEEP=1` everything stays up to be tried.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a demonstration: what goes wrong here has to end it loudly"
)]

mod show;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use show::Stage;
use support::credence::Credence;
use support::envoy::Envoy;
use support::envoy_config::{Cluster, Listener};
use support::http::{Request, Response};
use support::issuer::Issuer;
use support::key::Key;
use support::now;
use support::table::Table;
use support::token::Token;
use support::upstream::{Echo, Upstream, grpc_upstream};

const HOST: &str = "deploy.acme.test";
const AUDIENCE: &str = "https://deploy.acme.test";
const SUBJECT: &str = "repo:acme/payments";
const DEPLOY: &str = "/v1/services/payments/web";

/// What has been started. Fields end in this order: Envoy first.
struct World {
    envoy: Envoy,
    credence: Credence,
    table: Table,
    ci: Issuer,
    partner: Issuer,
    _upstream: Upstream,
}

fn main() -> ExitCode {
    let keep = std::env::var("KEEP").is_ok_and(|value| !value.is_empty() && value != "0");
    let world = World::start();
    let mut stage = Stage::new();
    stage.scene(&world);

    allowed(&world, &mut stage);
    refused(&world, &mut stage);
    changed(&world, &mut stage);

    let failed = stage.end();
    if keep {
        world.keep(&stage);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a CI job may do, and what the upstream learns about it.
fn allowed(world: &World, stage: &mut Stage) {
    stage.part("What the table allows");
    let response = world.send(deploy().bearer(world.ci_token()));
    stage.expect(world, "CI deploys payments", &response, 200, "ok");
    if response.status == 200 {
        stage.seen(&Echo::of(&response).identity_headers());
    }

    let forged = deploy()
        .header("X-Credence-Subject", "root")
        .header("X_Credence_Issuer", "https://evil.test")
        .header("x-credence_scopes", "everything");
    let response = world.send(forged.bearer(world.ci_token()));
    stage.expect(world, "the same, with forged x-credence-* headers", &response, 200, "ok");
    if response.status == 200 {
        let echo = Echo::of(&response);
        let clean =
            echo.headers().iter().all(|(_, value)| !["root", "everything", "https://evil.test"].contains(value));
        stage.check(
            "none of the forged values reached the upstream",
            clean && echo.one("x-credence-subject") == SUBJECT,
        );
        stage.check("nor did the token", echo.all("authorization").is_empty());
    }
}

/// What is refused, though somebody signed it.
fn refused(world: &World, stage: &mut Stage) {
    stage.part("What it does not");
    let response = world.send(deploy());
    stage.expect(world, "no token", &response, 401, "no_token");

    let partner = world.partner.token(SUBJECT, AUDIENCE);
    let response = world.send(deploy().bearer(&partner));
    stage.expect(world, "the SAME sub, vouched for by the partner", &response, 403, "grant_none");
    let response = world.send(Request::get("/v1/status").bearer(&partner));
    stage.expect(world, "… who may read the status, as granted", &response, 200, "ok");

    let elsewhere = world.ci.token(SUBJECT, "https://ledger.acme.test").claim("ref", "refs/heads/main");
    let response = world.send(deploy().bearer(elsewhere));
    stage.expect(world, "CI token for another audience", &response, 401, "audience_mismatch");

    let forger = Arc::new(Key::generate(&world.ci.key().kid, "ES256"));
    let response = world.send(deploy().bearer(world.ci_token().signed_by(&forger)));
    stage.expect(world, "right claims and kid, forged key", &response, 401, "signature_invalid");

    let response = world.send(deploy().bearer(world.ci_token().claim("ref", "refs/heads/evil")));
    stage.expect(world, "CI token from another branch", &response, 403, "grant_none");

    let trick = Request::post("/v1/services/payments/%2e%2e/ledger").bearer(world.ci_token());
    stage.expect(world, "a path that means two things", &world.send(trick), 400, "path_not_normalized");
}

/// The table is edited while everything runs.
fn changed(world: &World, stage: &mut Stage) {
    stage.part("The grant is taken out of the table, nothing is restarted");
    let token = world.ci_token().mint();
    let edited = Instant::now();
    world.table.replace(&world.yaml(false));
    let response = loop {
        let response = world.send(deploy().bearer(&token));
        if response.status != 200 || edited.elapsed() > Duration::from_secs(10) {
            break response;
        }
    };
    let took = edited.elapsed();
    stage.expect(world, "CI deploys payments", &response, 403, "grant_none");
    stage.check(&format!("refused {} ms after the edit", took.as_millis()), took < Duration::from_secs(1));

    world.table.replace(&world.yaml(true));
    let back = support::eventually("the grant to be back", || {
        let response = world.send(deploy().bearer(&token));
        (response.status == 200).then_some(response)
    });
    stage.expect(world, "put back: CI deploys payments", &back, 200, "ok");
}

fn deploy() -> Request {
    Request::post(DEPLOY)
}

impl World {
    fn start() -> Self {
        let home = home();
        let (ci, partner, upstream) = (Issuer::start(), Issuer::start(), Upstream::start());
        let table = Table::at(&home, &yaml(&ci, &partner, true));
        let log = home.join("decisions.jsonl");
        let _ = std::fs::remove_file(&log);
        let credence = Credence::serve(table.path()).decision_log(&log.display().to_string()).start();
        let clusters = [
            Cluster::credence("credence", credence.grpc()),
            Cluster::http1("echo", upstream.address()),
            Cluster::grpc("grpc", grpc_upstream()),
        ];
        let envoy = Envoy::start(&[Listener::new("gateway", "credence").early_strip()], &clusters);
        Self { envoy, credence, table, ci, partner, _upstream: upstream }
    }

    fn yaml(&self, with_deploy: bool) -> String {
        yaml(&self.ci, &self.partner, with_deploy)
    }

    fn ci_token(&self) -> Token {
        self.ci.token(SUBJECT, AUDIENCE).claim("ref", "refs/heads/main")
    }

    /// Through Envoy, as a client would.
    fn send(&self, request: Request) -> Response {
        request.host(HOST).send(self.envoy.address("gateway"))
    }

    /// Leaves everything running until Ctrl-C, with something to try.
    fn keep(&self, stage: &Stage) {
        let lasting = |token: Token| token.claim("exp", now() + 4 * 3600).mint();
        let partner = self.partner.token(SUBJECT, AUDIENCE);
        for (name, token) in [("ci", lasting(self.ci_token())), ("partner", lasting(partner))] {
            std::fs::write(home().join(format!("{name}.token")), token).unwrap();
        }
        stage.keep(self.envoy.address("gateway"), self.credence.admin_address(), HOST, DEPLOY);
        let _ = support::runtime().block_on(tokio::signal::ctrl_c());
    }
}

/// A folder of the checkout that git ignores: the table to edit, the decision log to read.
fn home() -> PathBuf {
    let home = support::root().join("demo-run");
    std::fs::create_dir_all(&home).unwrap();
    home
}

/// The trust table: who is believed about what.
fn yaml(ci: &Issuer, partner: &Issuer, with_deploy: bool) -> String {
    let deploy = format!(
        "  payments-deploy:
    issuer: ci
    resource: deploy-api
    subject: \"{SUBJECT}\"
    claims: {{ref: refs/heads/main}}
    methods: [POST]
    paths: [/v1/services/payments/**]
    scopes: [deploy:payments]
"
    );
    format!(
        "issuers:
  ci: {{issuer: \"{}\", owner: platform@acme.test, reviewBy: 2099-01-01}}
  partner: {{issuer: \"{}\", owner: partnerships@acme.test, reviewBy: 2099-01-01}}

resources:
  deploy-api: {{audience: {AUDIENCE}, hosts: [{HOST}]}}

grants:
{}  partner-status:
    issuer: partner
    resource: deploy-api
    subject: \"{SUBJECT}\"
    methods: [GET]
    paths: [/v1/status]
    scopes: [status:read]
",
        ci.url(),
        partner.url(),
        if with_deploy { &deploy } else { "" },
    )
}
