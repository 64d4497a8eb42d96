//! The JSON Schema of the table's language against real tables: what loads fits it, and slips do not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boon::{Compiler, SchemaIndex, Schemas};
use credence::clock::Time;
use credence::keys::LiveKeys;
use credence::table::{Code, Permissions, Sources, blocks_schema, compile, table_schema, vectors_schema};
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

use crate::yaml::json;

#[path = "support/yaml.rs"]
mod yaml;

/// A schema that was itself held against the rules of JSON Schema.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn of(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let id = schema["$id"].as_str().unwrap().to_owned();
        compiler.add_resource(&id, schema).unwrap();
        let index = compiler.compile(&id, &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn judge(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.index).map_err(|error| format!("{error:#}"))
    }
}

fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    Yaml::load_from_str(&text).ok()?.first().map(json)
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_fits() {
    let (table, vectors) = (Judge::of(table_schema()), Judge::of(vectors_schema()));
    let blocks = Judge::of(blocks_schema());
    let (mut found, mut judged) = (Vec::new(), 0);
    files(Path::new("examples"), &mut found);
    for path in found {
        let Some(value) = read(&path) else { continue };
        let outcome = match value["kind"].as_str() {
            Some("TrustTable") => table.judge(&value),
            Some("TrustTableTest") => vectors.judge(&value),
            Some("TrustBlocks") => blocks.judge(&value),
            _ => continue,
        };
        judged += 1;
        assert!(outcome.is_ok(), "{}: {}", path.display(), outcome.unwrap_err());
    }
    assert!(judged > 10, "{judged}");
}

/// Of the typical mistakes, each in which only one field is unknown is one that an editor marks.
#[test]
fn what_loads_fits_and_an_unknown_field_never_does() {
    let table = Judge::of(table_schema());
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let permissions = Permissions { secrets_dir: Some("/run/secrets".into()) };
    let (mut found, mut unknown) = (Vec::new(), 0);
    files(Path::new("tests/corpus/mistakes"), &mut found);
    for path in found {
        let Some(value) = read(&path).filter(|value| value["kind"] == "TrustTable") else { continue };
        let compiled =
            compile(&Sources::read(&path), &permissions, now, |need| Arc::new(LiveKeys::unfetched(need.rules)));
        let outcome = table.judge(&value);
        if compiled.snapshot.is_some() {
            assert!(outcome.is_ok(), "{}: {}", path.display(), outcome.unwrap_err());
        } else if compiled.report.sorted().iter().any(|finding| finding.code() == Code::CR001) {
            unknown += 1;
            assert!(outcome.is_err(), "{} has an unknown field", path.display());
        }
    }
    assert!(unknown >= 3, "{unknown}");
}

#[test]
fn blocks_that_load_fit_and_slips_in_them_do_not() {
    let blocks = Judge::of(blocks_schema());
    let good = serde_json::json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "TrustBlocks",
        "blocks": {"stolen": {"issuer": "idp", "jti": "x", "expires": "2026-11-30", "reason": "incident"}},
    });
    assert_eq!(blocks.judge(&good), Ok(()));
    let mut nobody = good.clone();
    nobody["blocks"] = serde_json::json!({});
    assert_eq!(blocks.judge(&nobody), Ok(()));
    for (pointer, value) in [
        ("/kind", Value::from("TrustTable")),
        ("/blocks", Value::Null),
        ("/blocks/stolen/jti", Value::from(4711)),
        ("/blocks/stolen/expires", Value::from("soon")),
        ("/blocks/stolen", serde_json::json!({"issuer": "idp"})),
        ("/blocks/stolen", serde_json::json!({"isuer": "idp", "reason": "incident"})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(blocks.judge(&bad).is_err(), "{pointer}: {bad}");
    }
}

#[test]
fn slips_that_an_editor_can_see_do_not_fit() {
    let table = Judge::of(table_schema());
    let good = serde_json::json!({
        "apiVersion": "credence.dev/v1alpha1", "kind": "TrustTable",
        "issuers": {"idp": {"issuer": "https://idp.acme.test", "maxTokenAge": "1h30m", "reviewBy": "2027-06-30",
                            "accept": [{"code": "CR310", "reason": "one key there is"}]}},
        "resources": {"api": {"audience": "https://api.acme.test", "hosts": ["api.acme.test"]}},
        "grants": {"reads": {"issuer": "idp", "resource": "api", "subject": "any", "reason": "all", "methods": ["GET"],
                             "paths": "any", "claims": {"groups": {"contains": "a"}, "n": [1, "x"]}}},
    });
    assert_eq!(table.judge(&good), Ok(()));
    for (pointer, value) in [
        ("/kind", "TrustTabel"),
        ("/issuers/idp/maxTokenAge", "90"),
        ("/issuers/idp/reviewBy", "30.06.2027"),
        ("/issuers/idp/accept/0/code", "CR101"),
        ("/resources/api/audience", ""),
        ("/grants/reads/issuer", "Idp"),
        ("/grants/reads/methods/0", "get"),
        ("/grants/reads/paths", "/v1"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = Value::from(value);
        assert!(table.judge(&bad).is_err(), "{pointer}: {value:?}");
    }
}

/// Of one value alone an editor can tell what `check` would.
#[test]
fn a_condition_that_can_hold_of_nothing_does_not_fit() {
    let table = Judge::of(table_schema());
    let with = |field: &str, value: Value| {
        let mut table = serde_json::json!({
            "apiVersion": "credence.dev/v1alpha1", "kind": "TrustTable",
            "grants": {"reads": {"issuer": "idp", "resource": "api", "methods": ["GET"], "paths": "any"}},
        });
        table["grants"]["reads"][field] = value;
        table
    };
    let conditions = [
        (serde_json::json!({"present": true}), true),
        (serde_json::json!({"absent": true}), true),
        (serde_json::json!({"contains": "a*"}), true),
        (serde_json::json!([1, "x", true, -9_007_199_254_740_991_i64]), true),
        (serde_json::json!(9_007_199_254_740_991_u64), true),
        (serde_json::json!({"present": false}), false),
        (serde_json::json!({"absent": "true"}), false),
        (serde_json::json!({"contains": "a", "word": "b"}), false),
        (serde_json::json!({}), false),
        (serde_json::json!(""), false),
        (serde_json::json!(["a", ""]), false),
        (serde_json::json!({"contains": ""}), false),
        (serde_json::json!(9_007_199_254_740_993_u64), false),
        (serde_json::json!(-9_007_199_254_740_992_i64), false),
        (Value::Null, false),
    ];
    for (condition, fits) in conditions {
        let judged = table.judge(&with("claims", serde_json::json!({"org": condition})));
        assert_eq!(judged.is_ok(), fits, "{condition}");
    }
    for (name, fits) in [("e-x", true), ("e", true), ("e_x", false), ("E", false), ("-e", false), ("", false)] {
        let judged = table.judge(&with("forwardClaims", serde_json::json!({name: "email"})));
        assert_eq!(judged.is_ok(), fits, "{name}");
    }
}
