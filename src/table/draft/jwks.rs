//! `jwks`: a key set written into the table.

use super::super::{Kind, Node, Type};
use super::fields::Cx;
use super::read::wrong;

/// A key set that was not read yet: what it may hold depends on the profile.
#[derive(Debug, Clone)]
pub(crate) struct Jwks {
    pub(crate) json: String,
}

/// A map as it would stand in JSON, or the JSON text itself.
pub(super) fn jwks(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Jwks> {
    const HELP: &str = "write `jwks: {keys: [{kty: …}]}`, or the JSON of the set as a block of text (`jwks: |`)";
    let json = match &node.kind {
        Kind::Scalar { text, of: Type::String } => text.to_string(),
        Kind::Map(_) => to_json(node)?.to_string(),
        _ => {
            wrong(cx, field, node, "a JWK Set", HELP);
            return None;
        }
    };
    Some(Jwks { json })
}

fn to_json(node: &Node) -> Option<serde_json::Value> {
    use serde_json::Value;
    Some(match &node.kind {
        Kind::Refused => return None,
        Kind::List(items) => Value::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        Kind::Map(members) => {
            let members = members.iter().map(|(key, value)| Some((key.text.to_string(), to_json(value)?)));
            Value::Object(members.collect::<Option<_>>()?)
        }
        Kind::Scalar { text, of } => match of {
            Type::Null => Value::Null,
            Type::Boolean(value) => Value::Bool(*value),
            // Numbers have no place in a key; as a string they are told to be wrong by whoever wanted something else.
            Type::String | Type::Integer | Type::Float => Value::String(text.to_string()),
        },
    })
}
