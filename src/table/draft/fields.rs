//! The fields of one map: the known and the unknown.

use std::sync::Arc;

use super::super::{Code, Diagnostic, Key, Kind, Node, Place, Report, SourceFile, Span, Type};
use super::schema::Schema;

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// A field of an entry. What is broken was reported already, so nobody calls it missing as well.
#[derive(Debug, Clone, Default)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Broken,
    Given(At<T>),
}

impl<T> Field<T> {
    pub(crate) const fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Absent | Self::Broken => None,
        }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.given().map(|at| &at.value)
    }

    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T> Field<Vec<T>> {
    /// The items; none where the field is not given.
    pub(crate) fn items(&self) -> &[T] {
        self.value().map_or(&[], Vec::as_slice)
    }
}

/// Where the readers stand: in which file, inside which entry, and where findings go.
pub(crate) struct Cx<'r> {
    pub(crate) file: &'r Arc<SourceFile>,
    pub(crate) report: &'r mut Report,
    /// What the fields belong to, for messages: `issuer "github"`.
    pub(crate) owner: String,
    /// Whether the field that is being read is one that must be there.
    needed: bool,
    /// Fields of the entry that is read next which stand beside it: reported, and not missing as well.
    pub(super) beside: Vec<&'static str>,
}

impl<'r> Cx<'r> {
    pub(crate) const fn new(file: &'r Arc<SourceFile>, report: &'r mut Report, owner: String) -> Self {
        Self { file, report, owner, needed: false, beside: Vec::new() }
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        Place { file: Arc::clone(self.file), span }
    }

    /// Reports a value that does not fit (CR002).
    pub(crate) fn misfit(
        &mut self,
        span: Span,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        self.report(Code::CR002, span, message, label, help);
    }

    /// A field that has no business here (CR001). Its value is not shown: it may be a secret.
    fn report_key(&mut self, key: &Key, message: impl AsRef<str>, label: &str, help: impl AsRef<str>) {
        let finding = Diagnostic::at(Code::CR001, &self.place(key.span), message).label(label).help(help);
        self.report.push(finding.key_only());
    }

    pub(crate) fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        let finding = Diagnostic::at(code, &self.place(span), message).label(label).help(help);
        self.report.push(finding);
    }

    /// What to do about a value that says nothing: `fill`, or no field at all where it may be missing.
    pub(super) fn empty(&self, fill: &str) -> String {
        if self.needed { fill.to_owned() } else { format!("{fill}, or leave the field out") }
    }

    /// Reports a field of `owner` that must be there (CR002).
    pub(crate) fn missing(&mut self, span: Span, field: &str, help: impl AsRef<str>) {
        let message = format!("{} has no `{field}`", self.owner);
        self.misfit(span, message, format!("`{field}` is missing"), help);
    }
}

/// Fields of each section, to say where a misplaced one belongs.
const SECTIONS: [(&str, &Schema); 3] = [
    ("issuers.*", &super::issuer::ISSUER),
    ("resources.*", &super::resource::RESOURCE),
    ("grants.*", &super::grant::GRANT),
];

/// A map whose field names are all known.
pub(crate) struct Fields<'n> {
    schema: &'static Schema,
    members: &'n [(Key, Node)],
    /// Fields that an unknown one was probably meant to be: nobody calls them missing as well.
    meant: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens the value of `field`, a map, and reports every field that `schema` does not know.
    pub(crate) fn open(cx: &mut Cx<'_>, field: &str, node: &'n Node, schema: &'static Schema) -> Option<Self> {
        let members = super::read::map(cx, field, node)?;
        let known = |key: &Key| schema.names().any(|name| name == &*key.text);
        let mut meant = Vec::new();
        // The field above that says nothing, if there is one: what follows may have been meant to stand below it.
        let mut above: Option<&str> = None;
        for (key, node) in members {
            if known(key) {
                above = Some(&*key.text).filter(|_| is_nothing(node));
            } else {
                meant.extend(unknown_field(cx, key, schema, above));
            }
        }
        meant.append(&mut cx.beside);
        Some(Self { schema, members, meant })
    }

    pub(crate) fn node(&self, name: &str) -> Option<&'n Node> {
        debug_assert!(self.schema.names().any(|known| known == name), "`{name}` stands in no schema");
        self.members.iter().find(|(key, _)| &*key.text == name).map(|(_, node)| node)
    }

    /// Reads one field.
    pub(crate) fn read<T>(
        &self,
        cx: &mut Cx<'_>,
        name: &'static str,
        read: impl FnOnce(&mut Cx<'_>, &'static str, &Node) -> Option<T>,
    ) -> Field<T> {
        let Some(node) = self.node(name) else {
            return if self.meant.contains(&name) { Field::Broken } else { Field::Absent };
        };
        if matches!(node.kind, Kind::Refused) {
            return Field::Broken;
        }
        let before = std::mem::replace(&mut cx.needed, self.schema.required.contains(&name));
        let value = read(cx, name, node);
        cx.needed = before;
        match value {
            Some(value) => Field::Given(At { value, place: cx.place(node.span) }),
            None => Field::Broken,
        }
    }
}

/// Reports a field that is not known here; gives the one that was probably meant.
fn unknown_field(cx: &mut Cx<'_>, key: &Key, schema: &Schema, above: Option<&str>) -> Option<&'static str> {
    let text = &*key.text;
    let near = nearest(text, schema.names());
    let elsewhere = SECTIONS.iter().find_map(|(section, schema)| Some((section, nearest(text, schema.names())?)));
    let help = match (near, elsewhere) {
        (None, _) if above.is_some() => {
            let above = above.unwrap_or_default();
            format!("nothing stands below `{above}:`; if `{text}` belongs there, indent it deeper")
        }
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some((section, near))) => format!("`{near}` is a field of `{section}`"),
        (None, None) => format!("the fields here are {}", list(schema.names())),
    };
    let message = format!("unknown field \"{text}\" in {}", cx.owner);
    cx.report_key(key, message, "unknown field", help);
    near
}

/// Whether nothing at all was written after a field's `:`.
pub(super) fn is_nothing(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar { of: Type::Null, text } if text.is_empty())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}

/// The name that was probably meant: the same but for case and `-` `_` first, then the only one that begins so, then the
/// most alike.
pub(crate) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let bare = |text: &str| text.replace(['-', '_', '.', ' '], "").to_lowercase();
    let wanted = bare(text);
    let mut longer = Vec::new();
    for name in names.clone() {
        let bare = bare(name);
        if bare == wanted {
            return Some(name);
        }
        if wanted.len() >= 3 && bare.starts_with(&wanted) {
            longer.push(name);
        }
    }
    // A word that was broken off goes on in one way, or in several that only likeness can choose from.
    if let [only] = longer.as_slice() {
        return Some(only);
    }
    // A long text is no slip of the fingers, and comparing it would take long.
    if text.len() > 64 {
        return None;
    }
    // Where the lengths differ by so much, so do the texts.
    let alike = |one: usize, two: usize| one.abs_diff(two) * 5 < one.max(two) * 2;
    names
        .map(|name| (bare(name), name))
        .filter(|(bare, _)| alike(bare.chars().count(), wanted.chars().count()))
        .map(|(bare, name)| (strsim::normalized_damerau_levenshtein(&wanted, &bare), name))
        .filter(|(alike, _)| *alike > 0.6)
        .max_by(|(one, a), (two, b)| one.total_cmp(two).then(b.cmp(a)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_begins_so_comes_before_one_that_looks_alike() {
        let profiles = || crate::profile::Profile::ALL.iter().map(|profile| profile.name);
        for (text, near) in [
            ("github", Some("github-actions")),
            ("GitHub", Some("github-actions")),
            ("gitlb", Some("gitlab")),
            ("gitlabs", Some("gitlab")),
            ("kubernets", Some("kubernetes")),
            ("key", Some("keycloak")),
            ("git", None),
            ("azure", None),
        ] {
            assert_eq!(nearest(text, profiles()), near, "{text}");
        }
        // Several begin so: the one that is most alike.
        assert_eq!(nearest("audienc", ["audience", "audienceFrom"].into_iter()), Some("audience"));
    }

    #[test]
    fn the_nearest_name_ignores_case_first_and_then_counts_slips() {
        let names = ["audience", "audienceFrom", "jwksUri", "expires", "resources"];
        for (text, near) in [
            ("Audience", Some("audience")),
            ("audiances", Some("audience")),
            ("jwks_uri", Some("jwksUri")),
            ("expire", Some("expires")),
            ("resource", Some("resources")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, names.into_iter()), near, "{text}");
        }
    }
}
