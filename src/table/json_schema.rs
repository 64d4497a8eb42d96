//! The table's language as JSON Schema (2020-12), for editors: made from what the readers go by.
//!
//! A schema sees one value at a time. What several say together (a grant without methods, an issuer that pins no tenant)
//! only `check` can tell.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::draft::schema::{BLOCKS, COMMON, FieldDoc, Form, Schema, Shape, TABLE};
use super::draft::vectors::FILE;
use super::{Code, Severity};
use crate::name::Algorithm;
use crate::profile::Profile;
use crate::reason::{Accepted, Reason};

/// A name that can be a part of the name of a header.
const HEADER: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
/// From here on two numbers may be one when they were read.
const INEXACT: u64 = 1 << 53;
const NAME: &str = "^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$";

/// Of a trust table.
pub fn table() -> Value {
    root("credence trust table", "https://credence.dev/schema/trust-table.json", &TABLE)
}

/// Of a file of blocks.
pub fn blocks() -> Value {
    root("credence trust blocks", "https://credence.dev/schema/trust-blocks.json", &BLOCKS)
}

/// Of a test file.
pub fn vectors() -> Value {
    root("credence trust table test", "https://credence.dev/schema/trust-table-test.json", &FILE)
}

/// Every field of a table and of a file of blocks, as a reference in Markdown: a section for each map of fields, each once.
pub fn reference() -> String {
    let mut sections = Sections::default();
    sections.of("The file", &TABLE);
    for field in COMMON {
        sections.inside(&format!("`{}", field.name), field);
    }
    sections.of("A file of blocks", &BLOCKS);
    sections.out
}

fn root(title: &str, id: &str, schema: &'static Schema) -> Value {
    let mut root = object(schema);
    if let Some(members) = root.as_object_mut() {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("$id".to_owned(), json!(id));
        members.insert("title".to_owned(), json!(title));
    }
    root
}

/// A map of known fields.
fn object(schema: &'static Schema) -> Value {
    let properties: Map<_, _> = schema.known().map(|field| (field.name.to_owned(), described(field))).collect();
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
    });
    if let (Some(members), false) = (object.as_object_mut(), schema.required.is_empty()) {
        members.insert("required".to_owned(), json!(schema.required));
    }
    object
}

fn described(field: &FieldDoc) -> Value {
    with(of(field.shape), "description", json!(field.text))
}

fn of(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Prose => json!({"type": "string", "minLength": 1}),
        Shape::Word([only]) => json!({"const": only}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::True => json!({"const": true}),
        Shape::Number(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Duration => {
            json!({"type": "string", "pattern": "^([0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$"})
        }
        Shape::Date => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$",
        }),
        Shape::Name => json!({"type": "string", "pattern": NAME}),
        Shape::Form(form) => formed(form),
        Shape::List(item) => json!({"type": "array", "items": of(*item), "minItems": 1}),
        Shape::Set(item) => json!({"type": "array", "items": of(*item)}),
        Shape::OneOrList(item) => json!({"anyOf": [of(*item), of(Shape::List(item))]}),
        Shape::Map(value) => json!({"type": "object", "additionalProperties": of(*value), "minProperties": 1}),
        Shape::Entries(schema) => entries(schema, 1),
        Shape::EntriesOrNone(schema) => entries(schema, 0),
        Shape::Object(schema) => object(schema),
        Shape::OneOf(schema) => with(object(schema), "maxProperties", json!(1)),
        Shape::Headers(value) => with(of(Shape::Map(value)), "propertyNames", json!({"pattern": HEADER})),
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(|shape| of(*shape)).collect::<Vec<_>>()}),
        // Each of these says something of its own type alone.
        Shape::Scalar => json!({
            "type": ["string", "number", "boolean"],
            "minLength": 1,
            "exclusiveMinimum": -INEXACT.cast_signed(),
            "exclusiveMaximum": INEXACT,
        }),
        Shape::Json => json!({}),
    }
}

/// The same with one condition more.
fn with(mut schema: Value, name: &str, value: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    schema
}

/// A map from the names of entries.
fn entries(schema: &'static Schema, least: u8) -> Value {
    json!({
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": object(schema),
        "minProperties": least,
    })
}

fn formed(form: Form) -> Value {
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    match form {
        Form::Scope => pattern(r"^[!#-+\--\[\]-~]+$"),
        Form::Method => pattern("^[A-Z0-9_-]{1,32}$"),
        Form::Path => pattern("^/"),
        Form::Thumbprint => pattern("^(sha256:|urn:ietf:params:oauth:jwk-thumbprint:sha-256:)[A-Za-z0-9_-]{43}$"),
        Form::Realm => pattern("^[a-z0-9-]{1,63}$"),
        Form::TokenType => json!({"type": "string"}),
        Form::Algorithm => {
            let mut names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
            // The name that RFC 9864 gives to the one curve that is taken.
            names.push("Ed25519");
            json!({"enum": names})
        }
        Form::Profile => json!({"enum": Profile::ALL.iter().map(|profile| profile.name).collect::<Vec<_>>()}),
        Form::Reason => {
            let accepted = Accepted::ALL.into_iter().map(Accepted::code);
            json!({"enum": accepted.chain(Reason::ALL.into_iter().map(Reason::code)).collect::<Vec<_>>()})
        }
        Form::Code => {
            let warnings = Code::ALL.iter().filter(|code| code.severity() == Severity::Warning);
            json!({"enum": warnings.map(|code| code.as_str()).collect::<Vec<_>>()})
        }
    }
}

#[derive(Default)]
struct Sections {
    out: String,
    /// The fields of the maps that were told.
    told: BTreeSet<Vec<&'static str>>,
}

impl Sections {
    /// One map of fields as a table, then those that stand in it.
    fn of(&mut self, title: &str, schema: &'static Schema) {
        if !self.told.insert(schema.names().collect()) {
            return;
        }
        self.out.push_str(&format!("## {title}\n\n| field | value | meaning |\n|---|---|---|\n"));
        for field in schema.known() {
            let needed = if schema.required.contains(&field.name) { " Must be there." } else { "" };
            self.out.push_str(&format!("| `{}` | {} | {}{needed} |\n", field.name, words(field.shape), field.text));
        }
        self.out.push('\n');
        for field in schema.own {
            let path = match title.strip_suffix('`') {
                Some(path) => format!("{path}.{}", field.name),
                None => format!("`{}", field.name),
            };
            self.inside(&path, field);
        }
    }

    fn inside(&mut self, path: &str, field: &FieldDoc) {
        let more = match field.shape {
            Shape::Entries(_) | Shape::EntriesOrNone(_) => ".NAME",
            Shape::List(_) => "[]",
            Shape::Map(_) | Shape::Headers(_) => ".CLAIM",
            _ => "",
        };
        for inner in inside(field.shape) {
            self.of(&format!("{path}{more}`"), inner);
        }
    }
}

/// The maps of known fields that may stand there.
fn inside(shape: Shape) -> Vec<&'static Schema> {
    match shape {
        Shape::Entries(schema) | Shape::EntriesOrNone(schema) | Shape::Object(schema) | Shape::OneOf(schema) => {
            vec![schema]
        }
        Shape::List(inner)
        | Shape::OneOrList(inner)
        | Shape::Map(inner)
        | Shape::Headers(inner)
        | Shape::Set(inner) => inside(*inner),
        Shape::Either(shapes) => shapes.iter().flat_map(|shape| inside(*shape)).collect(),
        _ => Vec::new(),
    }
}

/// What may stand there, in a few words.
fn words(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Prose => "text, also of several lines".to_owned(),
        Shape::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::True => "`true`".to_owned(),
        Shape::Number(least, most) => format!("{least} to {most}"),
        Shape::Duration => "duration: `30s`, `24h`, `1h30m`".to_owned(),
        Shape::Date => "date `2027-03-31` or RFC 3339 instant".to_owned(),
        Shape::Name => "name".to_owned(),
        Shape::Form(form) => match form {
            Form::Scope => "scope",
            Form::Method => "method",
            Form::Path => "path",
            Form::Thumbprint => "`sha256:` and an RFC 7638 thumbprint",
            Form::Algorithm => "algorithm",
            Form::Realm => "letters, digits, `-`",
            Form::Profile => "profile",
            Form::Reason => "reason",
            Form::Code => "code",
            Form::TokenType => "type",
        }
        .to_owned(),
        Shape::List(item) | Shape::Set(item) => format!("list: {}", words(*item)),
        Shape::OneOrList(item) => format!("{}, or a list", words(*item)),
        Shape::Map(value) | Shape::Headers(value) => format!("map: {}", words(*value)),
        Shape::Entries(_) | Shape::Object(_) => "map (below)".to_owned(),
        Shape::OneOf(_) => "map of one (below)".to_owned(),
        Shape::EntriesOrNone(_) => "map (below), or `{}`".to_owned(),
        Shape::Either(shapes) => shapes.iter().map(|shape| words(*shape)).collect::<Vec<_>>().join(", or "),
        Shape::Scalar => "string, number or boolean".to_owned(),
        Shape::Json => "anything".to_owned(),
    }
}
