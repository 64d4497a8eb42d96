//! JSON Schemas for kubeconform, made from what Kubernetes and the operators publish, and strict: no field is unknown.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::helm::brought;
use crate::objects::documents;
use crate::support::scratch;

const DEFINITIONS: &str = "_definitions.json";

/// A directory of schemas for this version: `deployment-apps-v1.json`, …
pub(crate) fn schemas(version: &str) -> TempDir {
    let dir = scratch();
    let write = |name: &str, schema: &Value| std::fs::write(dir.path().join(name), schema.to_string()).unwrap();
    let text = std::fs::read_to_string(brought(&format!("helm-schemas/{version}/swagger.json"))).unwrap();
    let mut openapi: Value = serde_json::from_str(&text).unwrap();
    let mut definitions = Map::new();
    for (name, definition) in openapi["definitions"].as_object_mut().unwrap() {
        let kinds = definition["x-kubernetes-group-version-kind"].take();
        // What several groups share (Status, DeleteOptions) is nobody's object.
        if let Some([kind]) = kinds.as_array().map(Vec::as_slice) {
            let reference = json!({"$ref": format!("{DEFINITIONS}#/definitions/{name}")});
            write(&file(&kind["kind"], &kind["group"], &kind["version"]), &reference);
        }
        let strict = match name.rsplit('.').next() {
            Some("Quantity") => json!({"type": ["string", "number"]}),
            Some("IntOrString") => json!({"type": ["string", "integer"]}),
            _ => strict(definition),
        };
        definitions.insert(name.clone(), strict);
    }
    write(DEFINITIONS, &json!({"definitions": definitions}));
    for (name, schema) in custom() {
        write(&name, &schema);
    }
    dir
}

/// As kubeconform asks for it: the kind, the first word of the group, the version.
fn file(kind: &Value, group: &Value, version: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_lowercase();
    let group = text(group).split('.').next().unwrap().to_owned();
    let parts = [text(kind), group, text(version)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-") + ".json"
}

/// The definitions of the operators' objects.
fn custom() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(brought("helm-schemas/definitions")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for definition in documents(&text).iter().filter(|document| document["kind"] == "CustomResourceDefinition") {
            let spec = &definition["spec"];
            for version in spec["versions"].as_array().unwrap() {
                let schema = strict(&version["schema"]["openAPIV3Schema"]);
                found.insert(file(&spec["names"]["kind"], &spec["group"], &version["name"]), schema);
            }
        }
    }
    assert_eq!(found.len(), 4, "{:?}", found.keys());
    found
}

/// A schema in which every map that lists its members has no others.
fn strict(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(strict).collect(),
        Value::Object(members) => {
            let mut made = Map::new();
            for (name, value) in members.iter().filter(|(name, _)| !name.starts_with("x-kubernetes")) {
                let value = match (name.as_str(), value) {
                    // Names of members, any of which may be called like a keyword.
                    ("properties", Value::Object(properties)) => {
                        Value::Object(properties.iter().map(|(name, value)| (name.clone(), strict(value))).collect())
                    }
                    ("$ref", Value::String(reference)) => json!(format!("{DEFINITIONS}{reference}")),
                    // Go's regular expressions are not those of JSON Schema in every corner; the API server knows them.
                    ("pattern" | "format", _) => continue,
                    _ => strict(value),
                };
                made.insert(name.clone(), value);
            }
            if members.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
                return json!({"type": ["string", "integer"]});
            }
            let open = members.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
            if made.contains_key("properties") && !made.contains_key("additionalProperties") && !open {
                made.insert("additionalProperties".into(), Value::Bool(false));
            }
            Value::Object(made)
        }
        other => other.clone(),
    }
}
