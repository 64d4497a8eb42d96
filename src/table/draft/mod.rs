//! What was typed: every entry with the place of each value, read but not yet believed to make sense together.
#![expect(
    clippy::vec_box,
    reason = "a draft has a kilobyte and more: gathered and sorted it would be copied again and again"
)]

mod abreast;
mod actor;
mod block;
mod claims;
mod common;
mod fields;
mod grant;
pub(super) mod head;
mod issuer;
mod jwks;
mod keys;
mod misplaced;
mod read;
mod resource;
pub(super) mod schema;
mod times;
pub(super) mod vectors;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use actor::ActorDraft;
pub(super) use block::{BlockDraft, read as read_blocks};
pub(super) use claims::ClaimDraft;
pub(super) use common::Common;
pub(crate) use fields::nearest;
pub(super) use fields::{At, Cx, Field};
pub(super) use grant::{GrantDraft, Subject};
pub(super) use issuer::IssuerDraft;
pub(super) use keys::{Jwks, KeysDraft};
pub(super) use resource::{AnonymousDraft, ResourceDraft};
pub(super) use vectors::{CaseDraft, Presented as PresentedDraft, read as read_vectors};

use super::yaml::parse;
use super::{Code, Diagnostic, Node, Report, SourceFile, Sources};
use crate::name::is_name;
use abreast::abreast;
use fields::Fields;
use head::Belongs;

/// All entries of all files; of a name that stands twice the first. Each in a box: they are large, and sorted and moved.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) issuers: Vec<Box<IssuerDraft>>,
    pub(super) resources: Vec<Box<ResourceDraft>>,
    pub(super) grants: Vec<Box<GrantDraft>>,
    /// Names of issuers and of resources that were seen, readable entries or not.
    pub(super) issuer_names: BTreeSet<String>,
    pub(super) resource_names: BTreeSet<String>,
    /// Whether a file or section could not be read, so that a name may be missing only for that.
    pub(super) torn: bool,
}

/// Reads every file, and reports everything that is wrong with each by itself.
pub(super) fn read(sources: &Sources, report: &mut Report) -> Draft {
    report.append(sources.problems().clone());
    let mut draft = Draft { torn: report.refuses(), ..Draft::default() };
    let mut tables = 0;
    for (part, found) in abreast(sources.files(), |file| Draft::of(file, sources.is_directory())) {
        tables += usize::from(part.is_some());
        draft.extend(part.unwrap_or_default());
        report.append(found);
    }
    if let (Some(file), 0, false) = (sources.files().first(), tables, report.refuses()) {
        let directory = std::path::Path::new(&**file.name()).parent();
        let name = directory.map_or_else(|| file.name().to_string(), |path| path.display().to_string());
        let finding = Diagnostic::about(Code::CR006, &name.into(), "no file here has `kind: TrustTable`");
        report.push(finding.help("a table begins with `apiVersion: credence.dev/v1alpha1` and `kind: TrustTable`"));
    }
    draft.issuers = unique(draft.issuers, "issuer", |entry| &entry.name, report);
    draft.resources = unique(draft.resources, "resource", |entry| &entry.name, report);
    draft.grants = unique(draft.grants, "grant", |entry| &entry.name, report);
    draft
}

impl Draft {
    /// What one file holds; `None` if it is no part of the table.
    fn of(file: &Arc<SourceFile>, in_directory: bool) -> (Option<Self>, Report) {
        let mut draft = Self::default();
        let (root, mut found) = parse(file);
        let root = match root {
            Some(root) if root.members().is_some() || !found.refuses() => root,
            _ => return (Some(Self { torn: true, ..draft }), found),
        };
        let mut cx = Cx::new(file, &mut found, String::from("the table"));
        match head::judge(&mut cx, &root, in_directory, head::TABLE) {
            Belongs::Elsewhere => return (None, Report::default()),
            Belongs::Nowhere => {}
            Belongs::Here => draft.sections(&mut cx, &root),
        }
        (Some(draft), found)
    }

    fn extend(&mut self, part: Self) {
        let Self { issuers, resources, grants, issuer_names, resource_names, torn } = part;
        self.issuers.extend(issuers);
        self.resources.extend(resources);
        self.grants.extend(grants);
        self.issuer_names.extend(issuer_names);
        self.resource_names.extend(resource_names);
        self.torn |= torn;
    }

    fn sections(&mut self, cx: &mut Cx<'_>, root: &Node) {
        let Some(fields) = Fields::open(cx, "the table", root, &schema::TABLE) else { return };
        self.torn |= self.note_names(&fields).is_none();
        self.issuers.extend(entries(cx, &fields, &ISSUERS, IssuerDraft::read));
        cx.owner = String::from("the table");
        self.resources.extend(entries(cx, &fields, &RESOURCES, ResourceDraft::read));
        cx.owner = String::from("the table");
        self.grants.extend(entries(cx, &fields, &GRANTS, GrantDraft::read));
    }

    /// Keeps the names of both sections; `None` where one of them is no map.
    fn note_names(&mut self, fields: &Fields<'_>) -> Option<()> {
        for (section, names) in [("issuers", &mut self.issuer_names), ("resources", &mut self.resource_names)] {
            let Some(node) = fields.node(section) else { continue };
            names.extend(node.members()?.iter().map(|(key, _)| key.text.to_string()));
        }
        Some(())
    }
}

/// One of the three maps of a table.
struct Section {
    name: &'static str,
    /// What each of its entries is.
    what: &'static str,
    schema: &'static schema::Schema,
}

const ISSUERS: Section = Section { name: "issuers", what: "issuer", schema: &issuer::ISSUER };
const RESOURCES: Section = Section { name: "resources", what: "resource", schema: &resource::RESOURCE };
const GRANTS: Section = Section { name: "grants", what: "grant", schema: &grant::GRANT };

/// The entries of one section: a map from names.
fn entries<T>(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    section: &Section,
    read: fn(&mut Cx<'_>, At<String>, &Node) -> Option<T>,
) -> Vec<Box<T>> {
    let what = section.what;
    let Some(node) = fields.node(section.name) else { return Vec::new() };
    let Some(members) = read::map(cx, section.name, node) else { return Vec::new() };
    let misplaced = misplaced::fields(cx, members, section.schema);
    let mut found = Vec::with_capacity(members.len());
    for (at, (key, node)) in members.iter().enumerate() {
        if misplaced.passed_over.contains(&at) {
            continue;
        }
        cx.beside = misplaced.of(at);
        let place = cx.place(key.span);
        if !is_name(&key.text) {
            let message = format!("{:?} cannot be the name of {} {what}", key.text, article(what));
            let finding = Diagnostic::at(Code::CR002, &place, message)
                .help("a name has lower-case letters, digits, `-` and `.`, begins and ends with a letter or digit, at most 63");
            cx.report.push(finding);
        }
        cx.owner = format!("{what} \"{}\"", key.text);
        found.extend(read(cx, At { value: key.text.to_string(), place }, node).map(Box::new));
    }
    found
}

fn article(what: &str) -> &'static str {
    if what.starts_with('i') { "an" } else { "a" }
}

/// Keeps the first entry of each name, and reports the others (CR004); inside one file the parser has done so.
fn unique<T>(entries: Vec<Box<T>>, what: &str, name: fn(&T) -> &At<String>, report: &mut Report) -> Vec<Box<T>> {
    let mut first = BTreeMap::new();
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        let At { value, place } = name(&entry).clone();
        match first.get(&value) {
            Some(earlier) => report.push(
                Diagnostic::at(Code::CR004, &place, format!("{what} \"{value}\" is defined twice"))
                    .label(format!("first at {earlier}"))
                    .help("names are unique across all files: rename one, or make one entry of the two"),
            ),
            None => {
                first.insert(value, place);
                kept.push(entry);
            }
        }
    }
    kept
}
