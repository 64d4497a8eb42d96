//! A real Prometheus beside a real credence: what it scrapes, what the dashboard gets from it, and which alerts fire.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helm::brought;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::http::Request;
use crate::support::issuer::{Ca, Issuer};
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::small::{API, SUBJECT, call, entry, table_of, token};
use crate::support::table::Table;
use crate::support::{eventually, scratch};
use crate::system::{free_port, ready};
use crate::web::Web;

/// A Prometheus that scrapes twice a second.
pub(crate) struct Prometheus {
    process: Process,
    url: String,
    _dir: TempDir,
}

/// How a target is scraped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrape {
    /// In text, as Prometheus does unless told otherwise.
    Classic,
    /// In protobuf, with native histograms.
    Native,
}

impl Prometheus {
    /// Scrapes these pods of the release, which alerts and dashboard know by these labels, and evaluates the groups of rules.
    pub(crate) fn start(scrape: Scrape, pods: &[&Credence], groups: &Value) -> Self {
        let dir = scratch();
        let targets = pods.iter().zip(1..).map(|(pod, number)| {
            let labels = json!({"namespace": "trust", "pod": format!("p{number}")});
            json!({"targets": [pod.admin_address().to_string()], "labels": labels})
        });
        let job = json!({
            "job_name": "rel-credence",
            "scrape_native_histograms": scrape == Scrape::Native,
            "static_configs": targets.collect::<Vec<_>>(),
        });
        let global = json!({"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"});
        let write = |name: &str, content: &Value| {
            let file: PathBuf = dir.path().join(name);
            std::fs::write(&file, content.to_string()).unwrap();
            file
        };
        write("rules.yaml", groups);
        let config = json!({"global": global, "rule_files": ["rules.yaml"], "scrape_configs": [job]});
        let config = write("prometheus.yaml", &config);
        let address = format!("127.0.0.1:{}", free_port());
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", dir.path().join("data").display()),
            format!("--web.listen-address={address}"),
            "--enable-feature=exemplar-storage".to_owned(),
        ];
        let process = Process::start(brought("prometheus/bin/prometheus"), args);
        let mut prometheus = Self { process, url: format!("http://{address}"), _dir: dir };
        let probe = format!("{}/-/ready", prometheus.url);
        ready("Prometheus", &mut prometheus.process, || (Web::plain().get(&probe).0 == 200).then_some(()));
        prometheus
    }

    fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let (web, url) = (Web::plain(), format!("{}/api/v1/{path}", self.url));
        let (status, body) = if fields.is_empty() { web.get(&url) } else { web.form(&url, &[], fields) };
        assert_eq!((status, &body["status"]), (200, &json!("success")), "{fields:?}: {body}");
        body["data"].clone()
    }

    /// What the expression gives now.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        self.ask("query", &[("query", expression)])["result"].as_array().unwrap().clone()
    }

    /// The only number that it gives, as soon as there is one.
    pub(crate) fn number(&self, expression: &str) -> f64 {
        eventually(expression, || match self.query(expression).as_slice() {
            [one] => one["value"][1].as_str()?.parse().ok(),
            _ => None,
        })
    }

    /// Names of all series that are there now.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let all = self.query("count by (__name__) ({__name__=~\"credence_.+|process_.+\"})");
        all.iter().map(|one| one["metric"]["__name__"].as_str().unwrap().to_owned()).collect()
    }

    /// Label sets of the exemplars of a series.
    fn exemplars(&self, series: &str) -> Vec<Value> {
        let found = self.ask("query_exemplars", &[("query", series), ("start", "0"), ("end", "9999999999")]);
        let series = found.as_array().unwrap().iter();
        series.flat_map(|one| one["exemplars"].as_array().unwrap().clone()).collect()
    }

    /// The groups of rules, and how each is.
    pub(crate) fn groups(&self) -> Value {
        self.ask("rules", &[])["groups"].clone()
    }

    /// Alerts that fire, by name.
    pub(crate) fn firing(&self) -> BTreeSet<String> {
        let all = self.query("count by (alertname) (ALERTS{alertstate=\"firing\"})");
        all.iter().map(|one| one["metric"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// All decisions so far have been scraped.
    pub(crate) fn until_scraped(&self, credence: &Credence) {
        let decided: f64 = credence
            .admin("/metrics")
            .text()
            .lines()
            .filter(|line| line.starts_with("credence_decisions_total"))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
            .sum();
        let all = "sum(credence_decisions_total{pod=\"p1\"}) or vector(0)";
        eventually("a scrape", || (self.number(all) >= decided).then_some(()));
    }
}

/// Two pods: one that decides, with a table in which there is everything, and one with TLS and a store of used tokens.
pub(crate) struct Pods {
    pub(crate) busy: Credence,
    pub(crate) tls: Credence,
    pub(crate) table: Table,
    pub(crate) store: Redis,
    issuer: Issuer,
    _dir: TempDir,
}

impl Pods {
    pub(crate) fn start() -> Self {
        let (issuer, dir) = (Issuer::start(), scratch());
        let grants = table_of(&entry("corp", &issuer, ""), &[("own", "corp"), ("trial", "corp"), ("unused", "corp")])
            .replace("paths: [/trial/**]", "paths: [/trial/**], mode: shadow")
            .replace("paths: [/own/**]", "paths: [/own/**], expires: 2099-01-01")
            .replace("resources:\n", &format!("resources:\n{OBSERVED}"));
        let table = Table::new(&grants);
        let blocks = dir.path().join("blocks.yaml");
        std::fs::write(&blocks, BLOCKS).unwrap();
        let blocks = format!("--blocks={}", blocks.display());
        let (chain, key) = Ca::new().write_server(dir.path(), "credence.test");
        let busy = Credence::serve(table.path()).arg(&blocks).start();
        let store = Redis::start();
        let tls = Credence::serve(table.path()).arg(&format!("--tls-cert={chain}")).arg(&format!("--tls-key={key}"));
        let tls = tls.arg(&format!("--replay-store={}", store.url())).start();
        let pods = Self { busy, tls, table, store, issuer, _dir: dir };
        pods.decide();
        pods
    }

    /// Decisions of several kinds.
    pub(crate) fn decide(&self) {
        let token = token(&self.issuer);
        let forged = self.issuer.token(SUBJECT, API).mint_with_signature(&[1; 64]);
        for _ in 0..10 {
            for (grant, token) in [("own", &token), ("trial", &token), ("nowhere", &token), ("own", &forged)] {
                let _ = self.busy.check(&call(grant, token));
            }
            let _ = self.busy.check(&Call::get("https://new.acme.test/x"));
        }
    }
}

const OBSERVED: &str = "  new: {audience: https://new.acme.test, hosts: [new.acme.test], observe: {until: 2099-01-01, reason: a roll-out}}\n";

const BLOCKS: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:\n  stolen: {issuer: corp, subject: nobody, reason: a drill}\n";

/// Groups without a rule.
pub(crate) fn no_rules() -> Value {
    json!({"groups": []})
}

/// What `/metrics` says to whoever asks like this.
fn scrape(credence: &Credence, accept: &str) -> String {
    Request::get("/metrics").header("accept", accept).send(credence.admin_address()).text()
}

#[test]
fn promtool_has_nothing_against_a_real_scrape() {
    let pods = Pods::start();
    for pod in [&pods.busy, &pods.tls] {
        let dir = scratch();
        let file = dir.path().join("scrape");
        std::fs::write(&file, scrape(pod, "text/plain;version=0.0.4")).unwrap();
        let output = std::process::Command::new(brought("prometheus/bin/promtool"))
            .args(["check", "metrics", "--lint=all"])
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
fn prometheus_reads_the_same_counts_in_text_and_in_protobuf() {
    let pods = Pods::start();
    let start = |scrape| Prometheus::start(scrape, &[&pods.busy], &no_rules());
    let (classic, native) = (start(Scrape::Classic), start(Scrape::Native));
    for prometheus in [&classic, &native] {
        prometheus.until_scraped(&pods.busy);
        assert_eq!(prometheus.number("sum(credence_decisions_total)"), 50.0);
        assert_eq!(prometheus.number("sum(credence_decisions_total{reason=\"signature_invalid\"})"), 10.0);
        assert_eq!(prometheus.number("credence_table_entries{kind=\"grant\"}"), 3.0);
        assert_eq!(prometheus.number("sum(credence_grant_matches_total{grant=\"trial\",mode=\"shadow\"})"), 10.0);
        assert!(prometheus.number("process_resident_memory_bytes") > 1e6);
    }
    let only = |one: &Prometheus, other: &Prometheus| &one.names() - &other.names();
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let parts = ["bucket", "count", "sum"].map(|part| format!("credence_decision_duration_seconds_{part}"));
    assert_eq!(only(&classic, &native), parts.into());
    assert_eq!(only(&native, &classic), of(&["credence_decision_duration_seconds"]));
}

#[test]
fn prometheus_takes_decision_times_as_native_histograms_with_decisions_as_exemplars() {
    let pods = Pods::start();
    let ids: BTreeSet<String> = eventually("the decision log", || {
        let ids = pods.busy.decisions().into_iter().map(|line| line["decision_id"].as_str().unwrap().to_owned());
        Some(ids.collect()).filter(|ids: &BTreeSet<String>| ids.len() == 50)
    });
    for (scrape, series) in [
        (Scrape::Classic, "credence_decision_duration_seconds_bucket"),
        (Scrape::Native, "credence_decision_duration_seconds"),
    ] {
        let prometheus = Prometheus::start(scrape, &[&pods.busy], &no_rules());
        prometheus.until_scraped(&pods.busy);
        let exemplars = eventually("exemplars", || Some(prometheus.exemplars(series)).filter(|all| !all.is_empty()));
        for exemplar in exemplars {
            let id = exemplar["labels"]["decision_id"].as_str().unwrap();
            assert!(ids.contains(id), "{scrape:?}: {exemplar}");
        }
        if scrape == Scrape::Native {
            assert_eq!(prometheus.number("sum(histogram_count(credence_decision_duration_seconds))"), 50.0);
            let middle = prometheus.number("histogram_quantile(0.5, sum(credence_decision_duration_seconds))");
            assert!(middle > 1e-6 && middle < 10.0, "{middle}");
        }
    }
}
