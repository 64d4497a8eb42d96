//! Which fields a map may have, what may stand in each, and what each means: the readers hold what was typed against it,
//! and the JSON Schema and the reference of fields are made from it.

use Shape::{Date, Either, List, Map, Object, OneOrList, Prose, Text, Word};

/// The fields of one map.
pub(crate) struct Schema {
    /// Those of its own.
    pub(crate) own: &'static [FieldDoc],
    /// Those that it shares with others.
    pub(crate) shared: &'static [FieldDoc],
    /// Those without which it says nothing.
    pub(crate) required: &'static [&'static str],
}

/// One field.
pub(crate) struct FieldDoc {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What it means, in a sentence or two; what holds without it.
    pub(crate) text: &'static str,
}

/// What may stand in a field.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// One line that is not empty.
    Text,
    /// Text that may have several lines.
    Prose,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// `true`, and nothing else.
    True,
    /// A whole number between these.
    Number(u8, u8),
    /// `30s`, `24h`, `1h30m`.
    Duration,
    /// A date or an RFC 3339 instant.
    Date,
    /// The name of an entry.
    Name,
    /// Text of a form.
    Form(Form),
    /// A list that is not empty.
    List(&'static Shape),
    /// One, or a list that is not empty.
    OneOrList(&'static Shape),
    /// A map from any text.
    Map(&'static Shape),
    /// A map from the names of entries.
    Entries(&'static Schema),
    /// The same, which may be empty where that is written out.
    EntriesOrNone(&'static Schema),
    /// A map of known fields.
    Object(&'static Schema),
    /// A map of exactly one known field.
    OneOf(&'static Schema),
    /// A map from names that can be a part of the name of a header.
    Headers(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
    /// A string, a number or a boolean.
    Scalar,
    /// Whatever JSON can say.
    Json,
    /// A list that may be empty.
    Set(&'static Shape),
}

/// A form of text that a regular expression can tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Scope,
    Method,
    Path,
    Thumbprint,
    Algorithm,
    Realm,
    Profile,
    Reason,
    Code,
    /// `typ`, which may be empty.
    TokenType,
}

/// A map of these fields.
pub(crate) const fn fields(own: &'static [FieldDoc]) -> Schema {
    Schema { own, shared: &[], required: &[] }
}

/// A field.
pub(crate) const fn field(name: &'static str, shape: Shape, text: &'static str) -> FieldDoc {
    FieldDoc { name, shape, text }
}

impl Schema {
    /// Without these it says nothing.
    pub(crate) const fn with_required(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// And these.
    pub(crate) const fn and(self, shared: &'static [FieldDoc]) -> Self {
        Self { shared, ..self }
    }

    /// Every field.
    pub(crate) fn known(&self) -> impl Iterator<Item = &'static FieldDoc> + Clone {
        self.own.iter().chain(self.shared)
    }

    /// The name of every field.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.known().map(|field| field.name)
    }
}

pub(crate) use super::block::BLOCKS;

/// The root of a table.
pub(crate) const TABLE: Schema = fields(&[
    field("apiVersion", Word(&[super::head::API_VERSION]), "The version of the table's language."),
    field("kind", Word(&[super::head::TABLE.kind]), "What this file is."),
    field("issuers", Shape::Entries(&super::issuer::ISSUER), "Who may vouch, and how that is verified."),
    field("resources", Shape::Entries(&super::resource::RESOURCE), "What is protected."),
    field("grants", Shape::Entries(&super::grant::GRANT), "The relation between them: all access arises here."),
])
.with_required(&["apiVersion", "kind"]);

/// The fields that issuers, resources and grants have.
pub(crate) const COMMON: &[FieldDoc] = &[
    field(
        "expires",
        Date,
        "When it ends by itself: a date to its last second in UTC, or an instant. Without it, never.",
    ),
    field("reviewBy", Date, "When someone is to look at it again. Has no say in a decision."),
    field("owner", Text, "Someone to call."),
    field("description", Prose, "What it is for."),
    field("labels", Map(&Text), "Free labels, for whoever reads lists."),
    field("accept", List(&Object(&super::common::ACCEPTANCE)), "Warnings that were looked at and are wanted."),
];

/// A list of methods, or `any`.
pub(crate) const METHODS: Shape = Either(&[Word(&["any"]), List(&Shape::Form(Form::Method))]);
/// A list of paths, or `any`.
pub(crate) const PATHS: Shape = Either(&[Word(&["any"]), List(&Shape::Form(Form::Path))]);
/// A map from claims to conditions.
pub(crate) const CLAIMS: Shape = Map(&CONDITION);
const CONDITION: Shape = Either(&[OneOrList(&Shape::Scalar), Shape::OneOf(&super::claims::CONDITION)]);
