//! A pipeline is taken over: its token is replayed, and then the pipeline is blocked, all through Envoy.

use std::sync::Barrier;
use std::time::Instant;

use crate::support::blocks::Blocks;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::http::{Request, Response};
use crate::support::upstream::{MARK, Upstream, grpc_upstream};
use crate::support::{eventually, now};
use crate::world::{Scene, directory};

const EXAMPLE: &str = "stolen-token";
const DEPLOY: &str = "main branch deploys payments";
const STATUS: &str = "and asks how it went";
const SEARCH: &str = "main branch deploys search";

/// The example with nobody blocked, and an Envoy of its own: what is blocked here is blocked for nobody else's test.
struct Gate {
    scene: Scene,
    blocks: Blocks,
    envoy: Envoy,
    _upstream: Upstream,
}

fn gate() -> Gate {
    let blocks = Blocks::new(&[]);
    let path = blocks.path().display().to_string();
    let scene = Scene::start_with(EXAMPLE.to_owned(), |serve| serve.arg("--blocks").arg(&path));
    let upstream = Upstream::start();
    let clusters = [
        Cluster::credence("gate", scene.credence.grpc()),
        Cluster::http1("echo", upstream.address()),
        Cluster::grpc("grpc", grpc_upstream()),
    ];
    let envoy = Envoy::start(&[Listener::new("gate", "gate")], &clusters);
    // Tokens say when they were issued in whole seconds, and one from before the start could have been used then.
    let started = now();
    eventually("a second that began after the start", || (now() > started).then_some(()));
    Gate { scene, blocks, envoy, _upstream: upstream }
}

impl Gate {
    fn token(&self, case: &str) -> String {
        self.scene.token(self.scene.case(case)).unwrap().mint()
    }

    fn send(&self, case: &str, token: &str) -> Response {
        let ask = &self.scene.case(case).request;
        let (host, target) = credence::request::split_url(&ask.url).unwrap();
        let request = Request::new(&ask.method, target).host(host).header(MARK, uuid::Uuid::now_v7().to_string());
        request.bearer(token).send(self.envoy.address("gate"))
    }

    /// The reason of a refusal, by the log; `ok` where the upstream answered.
    fn reason(&self, case: &str, token: &str) -> String {
        let response = self.send(case, token);
        if response.status == 200 {
            return "ok".to_owned();
        }
        assert_eq!(response.status, 401, "{}", response.text());
        let id = response.json()["decision_id"].as_str().unwrap().to_owned();
        let line = self.scene.credence.decision(&id);
        if line["reason"] == "blocked" {
            assert_eq!(line["block"], "payments-pipeline");
            assert!(!format!("{:?}{}", response.headers, response.text()).contains("payments-pipeline"));
        }
        line["reason"].as_str().unwrap().to_owned()
    }

    /// A fresh token each time: whoever sits in the pipeline has as many as they want.
    fn fresh(&self, case: &str) -> String {
        self.reason(case, &self.token(case))
    }
}

#[test]
fn s6_a_token_deploys_once_however_many_try_at_once() {
    let gate = gate();
    let stolen = gate.token(DEPLOY);
    assert_eq!(gate.reason(DEPLOY, &stolen), "ok");
    assert_eq!(gate.reason(DEPLOY, &stolen), "replayed");
    assert_eq!(gate.reason(STATUS, &stolen), "ok", "a grant that does not ask");
    let (next, barrier) = (gate.token(DEPLOY), Barrier::new(16));
    let through: usize = std::thread::scope(|scope| {
        let one = || {
            barrier.wait();
            usize::from(gate.send(DEPLOY, &next).status == 200)
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(through, 1);
}

#[test]
fn s6_a_block_stops_the_pipeline_and_no_other_and_lifting_it_lets_it_go_on() {
    let gate = gate();
    let remembered = gate.token(STATUS);
    for _ in 0..3 {
        assert_eq!(gate.reason(STATUS, &remembered), "ok");
    }
    let since = Instant::now();
    gate.blocks.replace_raw(&std::fs::read(directory(EXAMPLE).join("blocks.yaml")).unwrap());
    eventually("the block", || (gate.reason(STATUS, &remembered) == "blocked").then_some(()));
    eprintln!("blocked after {:?}", since.elapsed());
    assert_eq!(gate.fresh(DEPLOY), "blocked");
    assert_eq!(gate.fresh(STATUS), "blocked");
    assert_eq!(gate.fresh(SEARCH), "ok");
    gate.blocks.replace_raw(b"apiVersion: credence.dev/v1alpha1\nkind: TrustBlo");
    let taken = "credence_config_last_reload_successful{kind=\"blocks\"}";
    eventually("the broken file", || (gate.scene.credence.metric(taken) == Some(0.0)).then_some(()));
    assert_eq!(gate.fresh(DEPLOY), "blocked", "a broken file lifts nothing");
    let token = gate.token(DEPLOY);
    assert_eq!(gate.reason(DEPLOY, &token), "blocked");
    gate.blocks.replace(&[]);
    eventually("the end of the block", || (gate.reason(STATUS, &remembered) == "ok").then_some(()));
    assert_eq!(gate.reason(DEPLOY, &token), "ok", "no refusal spent it");
    assert_eq!(gate.reason(DEPLOY, &token), "replayed");
}
