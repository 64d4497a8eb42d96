//! `values.yaml`, its schema and its page say the same, and a slip is refused by its name.

use std::process::Command;

use serde_json::{Map, Value, json};

use crate::helm::{Release, brought, chart, chart_file, examples};
use crate::objects::{documents, item};
use crate::support::{root, scratch};

fn values() -> Value {
    documents(&chart_file("values.yaml")).remove(0)
}

fn schema() -> Value {
    serde_json::from_str(&chart_file("values.schema.json")).unwrap()
}

/// Calls `visit` for every map of the schema that lists its members, with its path.
fn closed(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Map<String, Value>)) {
    let Some(properties) = schema["properties"].as_object() else { return };
    visit(path, properties);
    for (name, property) in properties {
        closed(property, &join(path, name), visit);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').filter(|name| !name.is_empty()).fold(values, |value, name| &value[name])
}

#[test]
fn a_slip_is_refused_wherever_it_stands() {
    let mut places = Vec::new();
    closed(&schema(), "", &mut |path, _| places.push(path.to_owned()));
    assert!(places.len() > 30, "{places:?}");
    for place in places {
        let refusal = Release::of("inline").set(&format!("{}=1", join(&place, "zlip"))).refusal();
        assert!(refusal.contains("'zlip' not allowed"), "{place}: {refusal}");
    }
}

#[test]
fn a_wrong_word_or_type_is_refused_by_its_name() {
    for (value, place) in [
        ("mode=Daemonset", "/mode"),
        ("tls.mode=mTLS", "/tls/mode"),
        ("replicaCount=two", "/replicaCount"),
        ("config.decisionLogFull=block", "/config/decisionLogFull"),
        ("config.tokenMemory=64Mi", "/config/tokenMemory"),
        ("image.digest=sha256:abc", "/image/digest"),
        ("image.repository=credence:1.0", "/image/repository"),
        ("listen.address=127.0.0.1", "/listen/address"),
        ("service.port=0", "/service/port"),
        ("trust.failOn=never", "/trust/failOn"),
        ("tls.allowPeer={a,b c}", "/tls/allowPeer/1"),
        ("networkPolicy.enabled=yes", "/networkPolicy/enabled"),
        ("tracing.endpoint=collector:4317", "/tracing/endpoint"),
        ("tracing.sampler=sometimes", "/tracing/sampler"),
        ("tracing.samplerArg=2", "/tracing/samplerArg"),
        ("tracing.protocol=http/json", "/tracing/protocol"),
    ] {
        let refusal = Release::of("inline").set(value).refusal();
        assert!(refusal.contains(place), "{value}: {refusal}");
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let values = values();
    closed(&schema(), "", &mut |path, properties| {
        if path == "tls.certManager.issuerRef" || path == "tls.certManager.privateKey" {
            return; // objects of cert-manager, with optional members
        }
        let have = at(&values, path).as_object().unwrap_or_else(|| panic!("{path} is no map in values.yaml"));
        let only: Vec<_> = properties.keys().filter(|&name| !have.contains_key(name) && name != "enabled").collect();
        assert!(only.is_empty(), "in the schema alone: {path} {only:?}");
        let missing: Vec<_> = have.keys().filter(|&name| !properties.contains_key(name)).collect();
        assert!(missing.is_empty(), "not in the schema: {path} {missing:?}");
    });
}

#[test]
fn every_value_is_explained() {
    closed(&schema(), "", &mut |path, properties| {
        for (name, property) in properties {
            let explained = property["description"].is_string() || property["properties"].is_object();
            let within = path.starts_with("tls.certManager.") || path.starts_with("prometheusRule.thresholds");
            assert!(explained || within, "{}", join(path, name));
        }
    });
    let page = chart_file("README.md");
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        assert!(!line.trim_end().ends_with("|  |"), "no comment in values.yaml: {line}");
    }
}

#[test]
fn the_schema_repeats_the_comments() {
    let page = chart_file("README.md").replace("\\|", "|");
    closed(&schema(), "", &mut |path, properties| {
        for (name, property) in properties {
            let Some(said) = property["description"].as_str() else { continue };
            if path.is_empty() && name == "enabled" {
                continue;
            }
            let place = join(path, name);
            assert!(page.contains(said), "{place}: values.yaml says it in other words than the schema: {said}");
        }
    });
}

#[test]
fn the_page_is_up_to_date() {
    let scratch = scratch();
    let copy = scratch.path().join("credence");
    std::fs::create_dir(&copy).unwrap();
    for file in ["Chart.yaml", "values.yaml", "README.md.gotmpl"] {
        std::fs::copy(chart().join(file), copy.join(file)).unwrap();
    }
    let made = Command::new(brought("helm/bin/helm-docs"))
        .args(["--sort-values-order", "file", "--skip-version-footer", "--chart-search-root"])
        .arg(scratch.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let fresh = std::fs::read_to_string(copy.join("README.md")).unwrap();
    assert!(fresh == chart_file("README.md"), "helm/credence/README.md is stale: `make helm-docs` writes it anew");
}

#[test]
fn each_option_is_used_by_an_example() {
    // The branches of the templates, so that linting and validating the examples covers them.
    let used: Vec<String> = examples().iter().map(|name| chart_file(&format!("ci/{name}-values.yaml"))).collect();
    let used = used.join("\n");
    for option in [
        "inline:",
        "files:",
        "existingConfigMap:",
        "configMaps:",
        "certManager:",
        "mode: insecure",
        "mode: DaemonSet",
        "mode: Sidecar",
        "listen: tcp",
        "headless:",
        "autoscaling:",
        "minAvailable:",
        "serviceMonitor:",
        "podMonitor:",
        "prometheusRule:",
        "dashboard:",
        "extraObjects:",
        "replayStore:",
        "tracing:",
        "issuerSecrets:",
        "inCluster:",
        "admin: pod",
        "digest:",
    ] {
        assert!(used.contains(option), "no file of ci/ has {option}");
    }
}

#[test]
fn the_values_of_the_installation_page_are_enough() {
    let page = std::fs::read_to_string(root().join("docs/install/kubernetes.md")).unwrap();
    let values = page.split_once("```yaml\n# values.yaml\n").unwrap().1.split_once("```").unwrap().0;
    let objects = Release::bare().with(values).render();
    for kind in ["Deployment", "NetworkPolicy", "ServiceMonitor", "PrometheusRule"] {
        objects.only(kind);
    }
    // What the page selects pods by, for their logs and their state.
    let labels = &objects.only("Deployment")["spec"]["template"]["metadata"]["labels"];
    let selectors: Vec<_> = page.split(" -l ").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(selectors.len(), 2);
    for (name, value) in selectors.iter().flat_map(|all| all.split(',')).map(|one| one.split_once('=').unwrap()) {
        assert_eq!(labels[name], value, "{name}");
    }
    assert!(page.contains("-c credence") && objects.container()["name"] == "credence");
    let page = chart_file("README.md");
    let values = page.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    Release::bare().with(values).render().only("Deployment");
}

#[test]
fn the_values_of_the_pages_on_certificates_and_traces_fit_the_installation() {
    let read = |page: &str| std::fs::read_to_string(root().join(format!("docs/install/{page}.md"))).unwrap();
    let block = |text: &str, with: &str| {
        text.split("```yaml\n").find(|block| block.contains(with)).unwrap().split("```").next().unwrap().to_owned()
    };
    let values = block(&read("kubernetes"), "# values.yaml");
    let (certificates, traces) = (read("certificates"), read("traces"));
    let release = || Release::bare().with(&values).with("tls: {existingSecret: \"\"}");
    let managed =
        release().with(&block(&certificates, "certManager:")).with(&block(&traces, "tracing: {endpoint")).render();
    let certificate = &managed.only("Certificate")["spec"];
    // The release of the page is called `credence`; the issuer is the one that the page makes.
    assert_eq!(certificate["secretName"], "rel-credence-tls");
    let issuer = certificate["issuerRef"]["name"].as_str().unwrap();
    assert!(certificates.contains(&format!("kind: ClusterIssuer\nmetadata: {{name: {issuer}}}")), "{issuer}");
    let args = managed.args();
    let peer = args.iter().find_map(|arg| arg.strip_prefix("--allow-peer=")).unwrap();
    assert!(certificates.contains(&format!("  uris: [{peer}]\n")), "{peer}");
    assert!(args.iter().any(|arg| arg.starts_with("--otlp-endpoint=")), "{args:?}");
}

#[test]
fn the_values_of_istios_page_bring_a_sidecar_its_way_to_istiod_and_a_port_that_istio_takes_for_grpc() {
    let page = std::fs::read_to_string(root().join("docs/install/istio.md")).unwrap();
    let values = page.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    let objects = Release::bare().with(&format!("{values}trust: {{existingConfigMap: table}}\n")).render();
    let pod = &objects.only("Deployment")["spec"]["template"];
    assert_eq!(pod["metadata"]["labels"]["sidecar.istio.io/inject"], "true");
    // What the page's two objects select.
    assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/name"], "credence");
    let port = |name: &str| item(&objects.container()["ports"], name)["containerPort"].clone();
    assert_eq!((port("grpc"), port("admin")), (json!(9191), json!(9192)));
    assert!(objects.only("NetworkPolicy")["spec"]["egress"].to_string().contains("15012"));
    let grpc = objects.of("Service").map(|service| &service["spec"]["ports"][0]).find(|port| port["port"] == 9191);
    assert_eq!(grpc.unwrap()["appProtocol"], "grpc");
}
