//! `jwks`: a key set written into the table.

use std::sync::Arc;

use super::super::{Code, Diagnostic, Kind, Node, Type};
use super::fields::Cx;
use super::read::wrong;
use crate::keys::KeySet;

/// A key set and its canonical JSON.
#[derive(Debug, Clone)]
pub(crate) struct Jwks {
    pub(crate) set: Arc<KeySet>,
    /// Members sorted: the same for the same set.
    pub(crate) canonical: String,
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
    let set = match KeySet::parse(json.as_bytes()) {
        Ok(set) => set,
        Err(error) => {
            hidden(cx, node, format!("`{field}` of {} cannot be read", cx.owner), &error.to_string(), HELP);
            return None;
        }
    };
    for ignored in set.ignored() {
        let message = format!("`{field}` of {} holds a key that cannot be used", cx.owner);
        let help = "remove the key, or give its public half as the issuer publishes it";
        hidden(cx, node, message, &ignored.to_string(), help);
    }
    if set.is_empty() && set.ignored().is_empty() {
        cx.misfit(node.span, format!("`{field}` of {} holds no key", cx.owner), "an empty set", HELP);
    }
    let canonical = serde_json::from_str::<serde_json::Value>(&json).ok()?.to_string();
    Some(Jwks { set: Arc::new(set), canonical })
}

/// What stands there may be a private key: the line is not shown.
fn hidden(cx: &mut Cx<'_>, node: &Node, message: String, label: &str, help: &str) {
    let finding = Diagnostic::at(Code::CR002, &cx.place(node.span), message).label(label).help(help);
    cx.report.push(finding.hidden());
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
