//! Readers of single values: each gives what it read, or reports what would have fitted (CR002) and gives nothing.

use super::super::{Code, Key, Kind, Node, Type};
use super::fields::{At, Cx};
use crate::name::{is_forbidden_character, is_name, is_scope};
use crate::resource::{HostPattern, Methods, PathPattern, is_method};

/// Longest text of a single value, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// Reports a value of the wrong kind; `want` reads on from "must be".
pub(super) fn wrong(cx: &mut Cx<'_>, field: &str, node: &Node, want: &str, help: &str) {
    let message = match &node.kind {
        Kind::Refused => return,
        Kind::Scalar { of: Type::Null, .. } => format!("`{field}` of {} has no value", cx.owner),
        _ => format!("`{field}` of {} must be {want}", cx.owner),
    };
    cx.misfit(node.span, message, format!("this is {}", node.what()), help);
}

/// A map that is not empty.
pub(super) fn map<'n>(cx: &mut Cx<'_>, field: &str, node: &'n Node) -> Option<&'n [(Key, Node)]> {
    match &node.kind {
        Kind::Map(members) if members.is_empty() => {
            let help = cx.empty("fill it in");
            cx.misfit(node.span, format!("`{field}` is an empty map"), "nothing in it", help);
            None
        }
        Kind::Map(members) => Some(members),
        _ => {
            let glued = match &node.kind {
                Kind::Scalar { text, of: Type::String } => super::super::syntax::glued(text),
                _ => None,
            };
            let help = match glued {
                Some((name, rest)) => format!("put a blank after `{name}:`, as in `{name}: {rest}`"),
                None => String::from("write `name: value` pairs below it"),
            };
            wrong(cx, field, node, "a map", &help);
            None
        }
    }
}

/// A string that is not empty and holds nothing that does not show.
pub(super) fn text(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let Kind::Scalar { text, of } = &node.kind else {
        wrong(cx, field, node, "a string", "write one value");
        return None;
    };
    if *of != Type::String {
        let help = if text.is_empty() { cx.empty("write a value") } else { format!("quote it: `\"{text}\"`") };
        wrong(cx, field, node, "a string", &help);
        return None;
    }
    if text.trim().is_empty() {
        let what = if text.is_empty() { "is the empty string" } else { "holds nothing but blanks" };
        let (message, help) = (format!("`{field}` of {} {what}", cx.owner), cx.empty("write a value"));
        cx.misfit(node.span, message, "nothing in it", help);
        return None;
    }
    if text.len() > MAX_TEXT {
        cx.misfit(node.span, format!("`{field}` of {} is longer than 8 KiB", cx.owner), "", "shorten it");
        return None;
    }
    if let Some(hidden) = text.chars().find(|character| is_forbidden_character(*character)) {
        let message = format!("`{field}` of {} holds a character that does not show", cx.owner);
        cx.misfit(node.span, message, format!("U+{:04X}", u32::from(hidden)), "remove it");
        return None;
    }
    Some(text.to_string())
}

/// As [`text`], for prose: line breaks and tabs may stand in it.
pub(super) fn prose(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar { text: lines, of: Type::String } if !lines.trim().is_empty() && lines.len() <= MAX_TEXT => {
            Some(lines.replace(is_forbidden_character, " "))
        }
        _ => text(cx, field, node),
    }
}

pub(super) fn boolean(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<bool> {
    match node.kind {
        Kind::Scalar { of: Type::Boolean(value), .. } => Some(value),
        _ => {
            wrong(cx, field, node, "`true` or `false`", "write `true` or `false`, without quotes");
            None
        }
    }
}

/// A list that is not empty. Items that do not fit are reported and left out.
pub(super) fn list<T>(
    cx: &mut Cx<'_>,
    field: &str,
    node: &Node,
    item: fn(&mut Cx<'_>, &str, &Node) -> Option<T>,
) -> Option<Vec<At<T>>> {
    let Kind::List(nodes) = &node.kind else {
        let help = match &node.kind {
            Kind::Scalar { text, .. } if matches!(field, "methods" | "paths") && text.eq_ignore_ascii_case("any") => {
                format!("for all of them write `{field}: any`, in lower case")
            }
            Kind::Scalar { text, of } if *of != Type::Null => {
                format!("write a list: `{field}: [{}]`", text.split_whitespace().collect::<Vec<_>>().join(", "))
            }
            _ => format!("write a list: `{field}: [first, second]`"),
        };
        wrong(cx, field, node, "a list", &help);
        return None;
    };
    if nodes.is_empty() {
        let message = format!("`{field}` of {} is an empty list", cx.owner);
        let example = match field {
            "methods" => "write `methods: [GET]`, or `methods: any`",
            "paths" => "write `paths: [/v1/orders/**]`, or `paths: any`",
            _ => "fill it in",
        };
        let help = cx.empty(example);
        cx.misfit(node.span, message, "nothing in it", help);
        return None;
    }
    let mut items = Vec::with_capacity(nodes.len());
    for node in nodes {
        if let Some(value) = item(cx, field, node) {
            items.push(At { value, place: cx.place(node.span) });
        }
    }
    (!items.is_empty()).then_some(items)
}

/// One value, or a list of them.
pub(super) fn one_or_list<T>(
    cx: &mut Cx<'_>,
    field: &str,
    node: &Node,
    item: fn(&mut Cx<'_>, &str, &Node) -> Option<T>,
) -> Option<Vec<At<T>>> {
    if matches!(node.kind, Kind::List(_)) {
        return list(cx, field, node, item);
    }
    Some(vec![At { value: item(cx, field, node)?, place: cx.place(node.span) }])
}

/// A map from texts to texts.
pub(super) fn pairs(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (key, value) in map(cx, field, node)? {
        found.extend(text(cx, &key.text, value).map(|value| (key.text.to_string(), value)));
    }
    found.sort();
    Some(found)
}

pub(super) fn name(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    if is_name(&text) {
        return Some(text);
    }
    let message = format!("`{field}` of {} must be the name of an entry", cx.owner);
    let lower = text.to_lowercase();
    let help = if is_name(&lower) {
        format!("names are lower-case: write `{lower}`")
    } else {
        String::from("a name has lower-case letters, digits, `-` and `.`, at most 63")
    };
    cx.misfit(node.span, message, "not a name", help);
    None
}

pub(super) fn scope(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<String> {
    let text = text(cx, field, node)?;
    if is_scope(&text) {
        return Some(text);
    }
    let help = "a scope has no blank, comma, quote or backslash (RFC 6749 §3.3); write several as a list";
    cx.misfit(node.span, format!("{text:?} is not a scope"), "", help);
    None
}

pub(super) fn host(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<HostPattern> {
    let text = text(cx, field, node)?;
    let pattern = HostPattern::parse(&text);
    if pattern.is_none() {
        let help = if text.contains("://") {
            "write the host alone: `api.example.com`, or `api.example.com:8443`"
        } else {
            "a host is `api.example.com`, `api.example.com:8443`, `\"*.example.com\"` (one label) or `\"[::1]\"`; IDNs as A-labels"
        };
        cx.misfit(node.span, format!("{text:?} is not a host that a request can have"), "", help);
    }
    pattern
}

fn path(cx: &mut Cx<'_>, field: &str, node: &Node) -> Option<PathPattern> {
    let text = text(cx, field, node)?;
    match PathPattern::parse(&text) {
        Ok(pattern) => Some(pattern),
        Err(fault) => {
            let message = format!("path {text:?} of {} cannot stand here", cx.owner);
            let help = if text.eq_ignore_ascii_case("any") {
                "for every path of the resource write `paths: any`, without a list"
            } else {
                "write it as it arrives after normalising: `/v1/orders`, `/v1/orders/*/items`, `/v1/orders/**`"
            };
            cx.report(Code::CR131, node.span, message, fault.to_string(), help);
            None
        }
    }
}

/// A list of paths.
pub(super) fn paths(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Vec<PathPattern>> {
    Some(list(cx, field, node, path)?.into_iter().map(|at| at.value).collect())
}

/// A list of paths, or `any`.
pub(super) fn paths_or_any(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Vec<PathPattern>> {
    if is_any(node) { Some(vec![PathPattern::everything()]) } else { paths(cx, field, node) }
}

fn method(cx: &mut Cx<'_>, _field: &str, node: &Node) -> Option<String> {
    let text = text(cx, "methods", node)?;
    let upper = text.to_ascii_uppercase();
    let every = matches!(upper.as_str(), "ANY" | "ALL" | "*");
    if is_method(&text) && !every {
        return Some(text);
    }
    let help = if every {
        String::from("for every method write `methods: any`, without a list")
    } else if is_method(&upper) {
        format!("methods are compared exactly: write `{upper}`")
    } else {
        String::from("a method is an upper-case word such as `GET`")
    };
    cx.misfit(node.span, format!("{text:?} is not a method"), "", help);
    None
}

/// A list of methods, or `any`.
pub(super) fn methods(cx: &mut Cx<'_>, field: &'static str, node: &Node) -> Option<Methods> {
    if is_any(node) {
        return Some(Methods::Any);
    }
    let mut methods: Vec<_> = list(cx, field, node, method)?.into_iter().map(|at| at.value).collect();
    methods.sort();
    methods.dedup();
    Some(Methods::These(methods))
}

/// The word `any`.
pub(super) fn is_any(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar { text, of: Type::String } if &**text == "any")
}
