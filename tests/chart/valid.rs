//! Every example is linted, rendered the same each time, and valid for each version of Kubernetes.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::helm::{KUBERNETES, Release, brought, chart_file, examples};
use crate::notes::offered_policy;
use crate::objects::documents;
use crate::schemas::schemas;
use crate::support::{root, scratch};

#[test]
fn every_example_passes_a_strict_lint() {
    let examples = examples();
    assert!(examples.len() >= 8, "{examples:?}");
    for example in examples {
        let output = Release::of(&example).run(&["lint", "--strict", "--kube-version", KUBERNETES[0]]);
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_same_values_render_the_same_text() {
    for example in examples() {
        let first = Release::of(&example).render().text;
        for _ in 0..3 {
            assert_eq!(first, Release::of(&example).render().text, "{example}");
        }
    }
}

#[test]
fn every_example_is_valid_for_each_version_of_kubernetes() {
    for version in KUBERNETES {
        let schemas = schemas(version);
        let dir = scratch();
        for example in examples() {
            let objects = Release::of(&example).on(version).render();
            std::fs::write(dir.path().join(format!("{example}.yaml")), &objects.text).unwrap();
            // A patch is valid where the whole is: laid over the smallest gateway.
            for patch in objects.of("ConfigMap").filter_map(|map| map["data"]["patch.yaml"].as_str()) {
                let mut spec = documents(patch)[0]["spec"]["template"]["spec"].clone();
                for container in spec["containers"].as_array_mut().unwrap() {
                    if container["name"] == "envoy" {
                        container["image"] = json!("images.acme.test/envoy:1");
                    }
                }
                let labels = json!({"app": "gateway"});
                let gateway = json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gateway"},
                    "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
                });
                std::fs::write(dir.path().join(format!("{example}-patched.yaml")), gateway.to_string()).unwrap();
            }
        }
        let offered = offered_policy(&Release::of("sidecar-metrics").on(version).notes());
        std::fs::write(dir.path().join("offered.yaml"), offered.to_string()).unwrap();
        let (valid, said) = kubeconform(schemas.path(), version, dir.path());
        assert!(valid && said.contains("Skipped: 0") && !said.contains("Valid: 0"), "{version}: {said}");
    }
}

/// Whether all that lies in a directory is valid by these schemas, no field unknown, and what was said.
fn kubeconform(schemas: &Path, version: &str, dir: &Path) -> (bool, String) {
    let output = Command::new(brought("helm/bin/kubeconform"))
        .args(["-strict", "-summary", "-kubernetes-version", version, "-schema-location"])
        .arg(format!("{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", schemas.display()))
        .arg(dir)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_certificates_of_the_page_are_what_cert_manager_takes() {
    let page = std::fs::read_to_string(root().join("docs/install/certificates.md")).unwrap();
    let (schemas, dir) = (schemas(KUBERNETES[2]), scratch());
    let block = page.split("```yaml\n").find(|block| block.contains("kind: Certificate")).unwrap();
    let certificates: Vec<_> = block
        .split("```")
        .next()
        .unwrap()
        .split("---\n")
        .filter(|document| document.contains("kind: Certificate\n"))
        .collect();
    assert_eq!(certificates.len(), 2);
    std::fs::write(dir.path().join("certificates.yaml"), certificates.join("---\n")).unwrap();
    let (valid, said) = kubeconform(schemas.path(), KUBERNETES[2], dir.path());
    assert!(valid && said.contains("Valid: 2"), "{said}");
}

#[test]
fn an_older_kubernetes_is_refused() {
    let refusal = Release::of("inline").on("1.29.0").refusal();
    assert!(refusal.contains("requires kubeVersion"), "{refusal}");
}

#[test]
fn the_chart_says_what_artifact_hub_shows() {
    let chart = documents(&chart_file("Chart.yaml")).remove(0);
    for name in ["category", "license", "images", "links", "changes", "operator"] {
        assert!(chart["annotations"][format!("artifacthub.io/{name}")].is_string(), "{name}");
    }
    let version = chart["appVersion"].as_str().unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "appVersion is the program's");
    assert!(chart["annotations"]["artifacthub.io/images"].as_str().unwrap().contains(version));
    for name in ["links", "images", "changes"] {
        let text = chart["annotations"][format!("artifacthub.io/{name}")].as_str().unwrap();
        assert!(documents(text)[0].is_array(), "{name}");
    }
}
