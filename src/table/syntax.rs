//! Syntax errors in the words of whoever wrote the table.

/// What a syntax error of the parser means to the person who wrote the table, and what to do.
pub(super) fn explain(info: &str, text: &str, rest: &str) -> (String, &'static str) {
    let first = rest.chars().next();
    if let Some(line) = text.lines().position(is_conflict_marker) {
        let message = format!("merge conflict markers, the first on line {}", line + 1);
        return (
            message,
            "resolve the conflict: keep one side, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`",
        );
    }
    match first {
        _ if text.trim_start().starts_with('<') => (
            String::from("this looks like HTML or XML, not YAML"),
            "see where the file came from: an error page of a server?",
        ),
        Some('*') if info.contains("anchor") => (
            String::from("a plain value cannot begin with `*`"),
            "quote it: `\"*.example.com\"` (YAML reads `*` as an alias, which is not allowed)",
        ),
        Some(character @ ('@' | '`' | '%')) if info.contains("unexpected character") => {
            (format!("a plain value cannot begin with `{character}`"), "quote the value")
        }
        _ if info.contains("tab") => (String::from("a tab where YAML wants spaces"), "indent with spaces"),
        _ if info.contains("mapping values are not allowed") => (
            String::from("a `:` where no key can stand"),
            "quote a value that holds `: `, or check the indentation of this line and the one above",
        ),
        _ if info.contains("quoted scalar") => (String::from("a quoted string is not closed"), "close the quote"),
        _ if info.contains("flow sequence") => {
            (String::from("a list that began with `[` is not closed, or a comma is missing"), "check the brackets")
        }
        _ if info.contains("flow mapping") => {
            (String::from("a map that began with `{` is not closed, or a comma is missing"), "check the braces")
        }
        None => (
            String::from("the file ends inside a value"),
            "see that the file is complete, and that every bracket and quote is closed",
        ),
        _ => (format!("this is not YAML: {info}"), "check the indentation and the quotes around here"),
    }
}

/// A field without a blank after its `:`, such as `issuer:https://…`: the name, and what follows.
pub(super) fn glued(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.trim().split_once(':')?;
    let word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (word && !rest.is_empty() && !rest.starts_with([' ', '/', ':'])).then_some((name, rest))
}

/// The nearest line above a place, or its own, that is such a field: where it begins, and where its `:` ends.
pub(super) fn glued_above(text: &str, at: usize) -> Option<(usize, usize)> {
    let end = text.get(at..)?.find('\n').map_or(text.len(), |more| at + more);
    let mut begins = end;
    for line in text.get(..end)?.rsplit('\n').take(3) {
        begins = begins.checked_sub(line.len())?;
        if let Some((name, _)) = glued(line) {
            let first = begins + line.len() - line.trim_start().len();
            return Some((first, first + name.len() + 1));
        }
        begins = begins.saturating_sub(1);
    }
    None
}

fn is_conflict_marker(line: &str) -> bool {
    ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|marker| line.starts_with(marker))
}
