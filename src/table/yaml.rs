//! YAML text → tree, with every construct refused that could make one table mean two things.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use super::offsets::Offsets;
use super::place::narrow;
use super::syntax::{explain, glued_above};
use super::text;
use super::{Code, Diagnostic, Key, Kind, Node, Place, Report, SourceFile, Span, Type};

/// Deepest nesting of lists and maps.
const MAX_DEPTH: usize = 32;

/// Most values in one file.
const MAX_NODES: usize = 2_000_000;

/// In a map of at most so many members all keys are held against all.
const SMALL: usize = 16;

/// Reads one file as exactly one YAML document. The tree is there as far as it could be read; anything in the report
/// refuses it. Every finding here is CR005, but for doubled keys (CR004) and keys that are no strings (CR002).
pub(crate) fn parse(file: &Arc<SourceFile>) -> (Option<Node>, Report) {
    parse_within(file, MAX_NODES)
}

fn parse_within(file: &Arc<SourceFile>, max_nodes: usize) -> (Option<Node>, Report) {
    let (report, readable) = text::judge(file);
    let mut reader = Reader::new(file, max_nodes, report);
    if readable {
        reader.document();
    }
    (reader.root, reader.report)
}

/// A list or map that is not closed yet.
enum Open {
    List(Vec<Node>),
    Map {
        members: Vec<(Key, Node)>,
        /// The key whose value comes next; `Some(None)` where the key was refused.
        pending: Option<Option<Key>>,
        /// Whether fields are missing that a merge key would have put in.
        merged: bool,
        /// Whether a key was refused, so that its member is missing.
        torn: bool,
    },
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    offsets: Offsets<'a>,
    report: Report,
    open: Vec<(Open, Span)>,
    nodes: usize,
    max_nodes: usize,
    documents: usize,
    root: Option<Node>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a Arc<SourceFile>, max_nodes: usize, report: Report) -> Self {
        Self {
            file,
            offsets: Offsets::new(file.text()),
            report,
            open: Vec::new(),
            nodes: 0,
            max_nodes,
            documents: 0,
            root: None,
        }
    }

    fn document(&mut self) {
        let mut parser = Parser::new_from_str(self.file.text());
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok((event, span)) => (event, self.span(span.start, span.end)),
                Err(error) => return self.syntax(&error),
            };
            if !self.event(event, span) {
                return;
            }
        }
        if self.documents == 0 {
            let finding = Diagnostic::about(Code::CR005, self.file.name(), "the file holds nothing but comments");
            self.report.push(finding.help("see that the file is complete, or give it another ending than `.yaml`"));
        }
    }

    /// Takes one event; says whether to go on.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(_) => return self.document_start(span),
            Event::Alias(_) => {
                self.push(
                    span,
                    "YAML aliases are not allowed",
                    "an alias",
                    "write the value out; quote it if the `*` is meant literally",
                );
                self.complete(Kind::Refused, span);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let marked = self.properties(anchor, tag.is_some(), span);
                let kind = self.scalar(&text, style, marked, span);
                self.complete(kind, span);
            }
            Event::SequenceStart(anchor, tag) => {
                self.properties(anchor, tag.is_some(), span);
                return self.begin(Open::List(Vec::new()), span);
            }
            Event::MappingStart(anchor, tag) => {
                self.properties(anchor, tag.is_some(), span);
                return self.begin(Open::Map { members: Vec::new(), pending: None, merged: false, torn: false }, span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        self.nodes += 1;
        if self.nodes > self.max_nodes {
            self.push(
                span,
                &format!("more than {} values in one file", self.max_nodes),
                "",
                "split the table over several files",
            );
            return false;
        }
        true
    }

    fn document_start(&mut self, span: Span) -> bool {
        self.documents += 1;
        if self.documents > 1 {
            self.push(
                span,
                "more than one YAML document in one file",
                "a second document begins",
                "put each document into its own file",
            );
        } else {
            self.directive();
        }
        self.documents == 1
    }

    /// Before the first document, a line that begins with `%`: it can say that what follows is to be read otherwise.
    fn directive(&mut self) {
        let (text, mut start) = (self.file.text(), 0);
        for line in text.split_inclusive('\n') {
            let bare = line.trim_start_matches('\u{feff}');
            if bare.starts_with('%') {
                let from = start + line.len() - bare.len();
                let span = Span::locate(text, from, from + bare.trim_end().len());
                let help = "remove the line: a table is YAML 1.2, and has no tags";
                return self.push(span, "YAML directives are not allowed", "a directive", help);
            }
            if !bare.trim().is_empty() && !bare.trim_start().starts_with('#') {
                return;
            }
            start += line.len();
        }
    }

    /// Refuses anchors and tags; says whether there was one.
    fn properties(&mut self, anchor: usize, tagged: bool, span: Span) -> bool {
        if anchor != 0 {
            self.push(span, "YAML anchors are not allowed", "an anchor", "write the value out where it is needed");
        }
        if tagged {
            self.push(span, "YAML tags are not allowed", "a tag", "remove it; quote the value to make it a string");
        }
        anchor != 0 || tagged
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, marked: bool, span: Span) -> Kind {
        let plain = style == ScalarStyle::Plain;
        if plain
            && text == "<<"
            && let Some((Open::Map { pending: None, merged, .. }, _)) = self.open.last_mut()
        {
            *merged = true;
            self.push(span, "YAML merge keys are not allowed", "a merge key", "write the fields out");
            return Kind::Refused;
        }
        if marked {
            return Kind::Refused;
        }
        let of = if plain { Type::of_plain(text) } else { Type::String };
        Kind::Scalar { text: text.into(), of }
    }

    fn begin(&mut self, open: Open, span: Span) -> bool {
        if self.open.len() >= MAX_DEPTH {
            self.too_deep(span);
            return false;
        }
        self.open.push((open, span));
        true
    }

    fn too_deep(&mut self, span: Span) {
        self.push(span, &format!("nested more than {MAX_DEPTH} deep"), "", "no field of a table is this deep");
    }

    fn close(&mut self, end: Span) {
        let Some((open, mut span)) = self.open.pop() else { return };
        // Block lists and maps begin with an empty span: their first line stands for them.
        let first_line =
            || self.file.text().get(span.start as usize..).and_then(|rest| rest.split(['\n', '\r']).next());
        span.end = if span.end > span.start {
            end.end
        } else {
            span.start + narrow(first_line().map_or(0, |line| line.trim_end().len()))
        };
        let kind = match open {
            Open::List(items) => Kind::List(items),
            // What it would have without the merge is not what was meant, and not judged.
            Open::Map { merged: true, .. } => Kind::Refused,
            // It is empty only because of what was refused.
            Open::Map { torn: true, members, .. } if members.is_empty() => Kind::Refused,
            Open::Map { members, .. } => Kind::Map(self.unique(members)),
        };
        self.complete(kind, span);
    }

    /// Keeps the first of each key and reports the others.
    fn unique(&mut self, mut members: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
        let doubled = doubled(&members);
        if doubled.is_empty() {
            return members;
        }
        for (later, earlier) in &doubled {
            let (Some((key, _)), Some((first, _))) = (members.get(*later), members.get(*earlier)) else { continue };
            let place = self.place(first.span);
            let finding =
                Diagnostic::at(Code::CR004, &self.place(key.span), format!("\"{}\" is defined twice", key.text))
                    .label(format!("first at {place}"))
                    .help("keep one of the two");
            self.report.push(finding);
        }
        let mut position = 0..;
        members.retain(|_| !position.next().is_some_and(|at| doubled.contains_key(&at)));
        members
    }

    /// A value is whole: it becomes an item, a key, a member, or the root.
    fn complete(&mut self, kind: Kind, span: Span) {
        let node = Node { kind, span };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some((Open::List(items), _)) => items.push(node),
            Some((Open::Map { members, pending, .. }, _)) => match pending.take() {
                Some(Some(key)) => members.push((key, node)),
                Some(None) => {}
                None => {
                    let key = self.key(node);
                    if let Some((Open::Map { pending, torn, .. }, _)) = self.open.last_mut() {
                        *torn |= key.is_none();
                        *pending = Some(key);
                    }
                }
            },
        }
    }

    /// A key is a string, and nothing else.
    fn key(&mut self, node: Node) -> Option<Key> {
        let what = node.what();
        match node.kind {
            Kind::Scalar { text, of: Type::String } => return Some(Key { text, span: node.span }),
            Kind::Refused => {}
            Kind::Scalar { of: Type::Null, .. } => {
                let finding = Diagnostic::at(Code::CR002, &self.place(node.span), "a key is missing before the `:`");
                self.report.push(finding.help("write the name of the field"));
            }
            Kind::Scalar { text, .. } => {
                let finding = Diagnostic::at(Code::CR002, &self.place(node.span), "a key must be a string");
                self.report.push(finding.label(format!("this is {what}")).help(format!("quote it: `\"{text}\"`")));
            }
            Kind::List(_) | Kind::Map(_) => {
                let message = "a list or map cannot be a key";
                self.push(node.span, message, &format!("this is {what}"), "quote it, if it was meant as text");
            }
        }
        None
    }

    fn syntax(&mut self, error: &ScanError) {
        let mut span = self.span(*error.marker(), *error.marker());
        let text = self.file.text();
        if text.get(span.start as usize..).is_none_or(|rest| rest.trim().is_empty()) {
            // The parser stands behind the end; the last thing written is where the eye must go.
            let last = text.trim_end().len();
            span = Span::locate(text, last, last);
        }
        let info = error.info();
        if info.contains("tab") {
            span = self.tab_before(span);
        }
        if info.contains("recursion limit") {
            return self.too_deep(span);
        }
        let mapping = info.contains("mapping values are not allowed") || info.contains("simple key");
        if let Some((first, colon)) = glued_above(text, span.start as usize).filter(|_| mapping) {
            let name = text.get(first..colon).unwrap_or_default();
            let message = format!("no blank after `{name}`");
            return self.push(Span::locate(text, first, colon), &message, "", "write a blank after the `:`");
        }
        let (message, help) = explain(info, text, text.get(span.start as usize..).unwrap_or_default().trim());
        self.push(span, &message, "", help);
    }

    /// The first tab among the blanks before that place, where the parser stands behind it.
    fn tab_before(&self, span: Span) -> Span {
        let text = self.file.text();
        let before = text.get(..span.start as usize).unwrap_or_default();
        let blanks = before.trim_end_matches([' ', '\t']).len();
        let tab = before.get(blanks..).and_then(|blanks| blanks.find('\t'));
        tab.map_or(span, |tab| Span::locate(text, blanks + tab, blanks + tab + 1))
    }

    fn push(&mut self, span: Span, message: &str, label: &str, help: &str) {
        let finding = Diagnostic::at(Code::CR005, &self.place(span), message).label(label).help(help);
        self.report.push(finding);
    }

    fn place(&self, span: Span) -> Place {
        Place { file: Arc::clone(self.file), span }
    }

    fn span(&self, start: Marker, end: Marker) -> Span {
        Span {
            start: narrow(self.offsets.byte(start.index())),
            end: narrow(self.offsets.byte(end.index())),
            line: narrow(start.line()),
            column: narrow(start.col() + 1),
        }
    }
}

/// The positions of keys that stand there already, each with the position of the first. Most maps are small, and a look
/// at all pairs is cheaper for them than any set.
fn doubled(members: &[(Key, Node)]) -> BTreeMap<usize, usize> {
    if members.len() <= SMALL {
        let first = |at: usize, key: &Key| members.iter().take(at).position(|(other, _)| other.text == key.text);
        return members.iter().enumerate().filter_map(|(at, (key, _))| Some((at, first(at, key)?))).collect();
    }
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(members.len());
    let mut doubled = BTreeMap::new();
    for (at, (key, _)) in members.iter().enumerate() {
        let earlier = *first.entry(&key.text).or_insert(at);
        if earlier != at {
            doubled.insert(at, earlier);
        }
    }
    doubled
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
