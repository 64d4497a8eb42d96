//! The table and the blocks: where they come from, how they are mounted, and who looks at them first.

use std::process::Command;

use serde_json::{Value, json};

use crate::helm::{NAME, Release, chart_file, examples};
use crate::objects::{documents, item, strings};
use crate::support::credence::binary;
use crate::support::scratch;

fn volume<'a>(pod: &'a Value, name: &str) -> &'a Value {
    item(&pod["spec"]["volumes"], name)
}

#[test]
fn a_release_without_a_table_is_refused() {
    assert!(Release::bare().refusal().contains("No trust table"));
}

#[test]
fn an_inline_table_is_written_as_it_is() {
    let objects = Release::of("inline").render();
    let text = objects.named("ConfigMap", "rel-credence-trust")["data"]["trust.yaml"].as_str().unwrap().to_owned();
    let given = documents(&chart_file("ci/inline-values.yaml")).remove(0);
    assert_eq!(text, given["trust"]["inline"].as_str().unwrap());
    assert!(text.contains("# GitHub signs for everyone"), "comments are kept: {text}");
    // A file without an end of line counts as cut off.
    let cut = Release::of("inline").with("trust: {inline: \"kind: TrustTable\"}").render();
    assert_eq!(cut.named("ConfigMap", "rel-credence-trust")["data"]["trust.yaml"], "kind: TrustTable\n");
    assert_eq!(
        volume(objects.pod(), "credence-trust")["projected"]["sources"],
        json!([{"configMap": {"name": "rel-credence-trust"}}])
    );
    assert!(objects.args().contains(&"--trust=/etc/credence/trust".to_owned()));
}

#[test]
fn files_beside_an_inline_table_are_in_its_directory() {
    let objects = Release::of("sidecar").render();
    let data = &objects.named("ConfigMap", "rel-credence-trust")["data"];
    assert!(data["corp-ca.pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn an_existing_config_map_is_mounted_and_none_is_made() {
    let objects = Release::of("existing").render();
    assert!(objects.of("ConfigMap").all(|map| map["metadata"]["name"] != "rel-credence-trust"));
    assert_eq!(
        volume(objects.pod(), "credence-trust")["projected"]["sources"],
        json!([{"configMap": {"name": "acme-trust"}}])
    );
}

#[test]
fn no_file_of_several_config_maps_hides_another() {
    let objects = Release::of("several").render();
    let sources = volume(objects.pod(), "credence-trust")["projected"]["sources"].as_array().unwrap();
    let items = sources.iter().flat_map(|source| source["configMap"]["items"].as_array().unwrap());
    let paths: Vec<&str> = items.map(|item| item["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["trust-platform.trust.yaml", "trust-payments.trust.yaml", "trust-payments.suppliers.yaml"]);
    let twice = Release::of("several").with("trust: {configMaps: [{name: a}, {name: a}]}").refusal();
    assert!(twice.contains("names a twice"), "{twice}");
}

#[test]
fn two_tables_are_refused() {
    let refusal = Release::of("inline").set("trust.existingConfigMap=acme-trust").refusal();
    assert!(refusal.contains("Several trust tables: trust.inline and trust.existingConfigMap"), "{refusal}");
}

#[test]
fn everything_that_is_reloaded_is_a_directory() {
    for example in examples() {
        let objects = Release::of(&example).render();
        assert!(!objects.text.contains("subPath"), "{example}: a file by subPath never changes");
        assert!(
            !objects.text.to_lowercase().contains("checksum"),
            "{example}: a checksum restarts what is hot-reloaded"
        );
    }
}

#[test]
fn a_change_of_the_table_changes_no_pod() {
    let before = Release::of("inline").render();
    let after = Release::of("inline").with("trust: {inline: \"kind: TrustTable\\n\"}").render();
    assert_ne!(before.text, after.text);
    assert_eq!(before.pod(), after.pod());
}

#[test]
fn an_init_container_checks_the_table_before_a_pod_answers() {
    for example in examples().iter().filter(|example| !example.starts_with("sidecar")) {
        let objects = Release::of(example).render();
        let pod = objects.pod();
        let check = item(&pod["spec"]["initContainers"], "check-trust");
        let args = strings(&check["args"]);
        assert_eq!(args[0], "check", "{example}");
        assert!(args.contains(&"/etc/credence/trust".to_owned()), "{example}: {args:?}");
        // It sees what the server sees.
        let server = item(&pod["spec"]["containers"], "credence");
        for mount in check["volumeMounts"].as_array().unwrap() {
            assert!(server["volumeMounts"].as_array().unwrap().contains(mount), "{example}: {mount}");
        }
    }
    let args = strings(&item(&Release::of("several").render().pod()["spec"]["initContainers"], "check-trust")["args"]);
    assert!(args.contains(&"--fail-on=warning".to_owned()) && args.contains(&"/etc/credence/blocks".to_owned()));
}

#[test]
fn helm_test_asks_whether_the_table_is_in_force() {
    let objects = Release::of("inline").render();
    let test = objects.only("Pod");
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(strings(&item(&test["spec"]["initContainers"], "check-trust")["args"])[0], "check");
    let args = strings(&item(&test["spec"]["containers"], "status")["args"]);
    assert_eq!(args[0], "status");
    assert!(args.contains(&"--expect=/etc/credence/trust".to_owned()));
    assert_eq!(args.last().unwrap(), "http://rel-credence-admin.trust.svc:9192");
    assert!(Release::of("daemonset-tcp").render().lacks("Pod"), "tests.enabled: false");
}

#[test]
fn blocks_are_there_before_they_are_needed() {
    let objects = Release::of("inline").render();
    let blocks = objects.named("ConfigMap", "rel-credence-blocks")["data"]["blocks.yaml"].as_str().unwrap();
    assert_eq!(documents(blocks)[0]["blocks"], json!({}));
    assert!(objects.args().contains(&"--blocks=/etc/credence/blocks".to_owned()));
    let given = Release::of("replay").render();
    let blocks = given.named("ConfigMap", "rel-credence-blocks")["data"]["blocks.yaml"].as_str().unwrap();
    assert!(blocks.contains("stolen-laptop"));
    let existing = Release::of("several").render();
    let sources = &volume(existing.pod(), "credence-blocks")["projected"]["sources"];
    assert_eq!(*sources, json!([{"configMap": {"name": "incident-blocks"}}]));
    let none = Release::of("daemonset-tcp").render();
    assert!(!none.args().iter().any(|arg| arg.starts_with("--blocks")));
}

#[test]
fn blocks_that_would_block_nobody_are_refused() {
    assert!(Release::of("replay").set("blocks.enabled=false").refusal().contains("nobody would be blocked"));
    assert!(Release::of("replay").set("blocks.existingConfigMap=x").refusal().contains("Blocks are given twice"));
}

#[test]
fn every_inline_table_passes_credence_check() {
    let mut checked = 0;
    for example in examples() {
        let objects = Release::of(&example).render();
        let account = scratch();
        for part in ["trust", "blocks"] {
            let Some(map) =
                objects.of("ConfigMap").find(|map| map["metadata"]["name"] == format!("{NAME}-{part}").as_str())
            else {
                continue;
            };
            let dir = scratch();
            for (name, text) in map["data"].as_object().unwrap() {
                std::fs::write(dir.path().join(name), text.as_str().unwrap()).unwrap();
            }
            let output = Command::new(binary())
                .arg("check")
                .arg(dir.path())
                .arg("--service-account-dir")
                .arg(account.path())
                .env_clear()
                .output()
                .unwrap();
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            checked += 1;
        }
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn an_inline_table_that_is_no_yaml_is_refused_at_once() {
    let refusal = Release::of("inline").with("trust: {inline: \"a: [\\n\"}").refusal();
    assert!(refusal.contains("trust.inline is not YAML"), "{refusal}");
}

#[test]
fn secrets_that_the_table_may_name_are_mounted_and_named() {
    let objects = Release::of("existing").render();
    assert!(objects.args().contains(&"--secrets-dir=/etc/credence/secrets".to_owned()));
    let check = item(&objects.pod()["spec"]["initContainers"], "check-trust");
    assert!(strings(&check["args"]).contains(&"--secrets-dir=/etc/credence/secrets".to_owned()));
    assert_eq!(volume(objects.pod(), "credence-secrets")["secret"]["secretName"], "issuer-credentials");
}
