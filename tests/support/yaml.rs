//! YAML as JSON, by the core schema of YAML 1.2.

use saphyr::{Scalar, Yaml};
use serde_json::{Number, Value};

/// The same value; what JSON has not is `null`.
pub(crate) fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => {
            Number::from_f64(number.into_inner()).map_or(Value::Null, Value::Number)
        }
        Yaml::Value(Scalar::String(text)) => Value::String(text.to_string()),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(members) => {
            members.iter().map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), json(value))).collect()
        }
        _ => Value::Null,
    }
}
