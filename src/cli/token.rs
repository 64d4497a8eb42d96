//! Files that a question brings, and the token above all: never from arguments, where others on the machine could read
//! it, and never printed back.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::diagnostic;
use crate::credential::{Parts, Unverified};
use crate::json::Json;

/// A token is read up to this many bytes; a longer one is cut and then refused by its size.
const MAX_TOKEN: u64 = 64 * 1024;

#[derive(Debug, Clone, Args)]
pub(super) struct TokenFile {
    /// The file with the token, `-` for standard input; without it the token in the variable CREDENCE_TOKEN, or none.
    /// Tokens are never taken from arguments, where others on this machine could read them.
    #[arg(long, env = "CREDENCE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenFile {
    /// The token, if there is one.
    ///
    /// # Errors
    /// A sentence, where the file cannot be read.
    pub(super) fn read(&self) -> Result<Option<String>, String> {
        let (text, named) = match self.token_file.as_deref() {
            None => (std::env::var("CREDENCE_TOKEN").ok(), "CREDENCE_TOKEN".to_owned()),
            Some(path) => (Some(read(path, MAX_TOKEN)?), named(path)),
        };
        let Some(text) = text.map(|text| bare(&text).to_owned()).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        match wrapped(&text) {
            Some(help) => Err(format!("{named}: {help}")),
            None => Ok(Some(text)),
        }
    }
}

/// Where answers of token endpoints have the token: OAuth 2.0 (RFC 6749 §5.1), OpenID Connect, GitHub Actions, the
/// TokenRequest API of Kubernetes, and what others call it.
const MEMBERS: [&str; 6] = ["/access_token", "/id_token", "/value", "/status/token", "/token", "/jwt"];

/// How to take the token out of what it was saved in; `None` where it is not in JSON, nor in quotes.
fn wrapped(text: &str) -> Option<String> {
    if text.starts_with(['"', '\'']) {
        return Some("the quotes are no part of a token: `jq -r` prints it without them".to_owned());
    }
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let there = |member: &&str| document.pointer(member).is_some_and(serde_json::Value::is_string);
    Some(MEMBERS.into_iter().find(there).map_or_else(
        || {
            "this is JSON, and no token: a token has three parts with dots between, and what one of them says does not do \
             for the whole"
                .to_owned()
        },
        |member| {
            let path = member.replace('/', ".");
            format!("this is JSON that has the token in `{path}`: `jq -r {path}` takes it out")
        },
    ))
}

/// The token without what stands before it in a header (RFC 6750 §2.1); whoever copied that too is told.
fn bare(text: &str) -> &str {
    let (mut rest, mut cut) = (text.trim(), Vec::new());
    for before in ["Authorization:", "Bearer "] {
        let Some((start, after)) = rest.split_at_checked(before.len()) else { continue };
        if start.eq_ignore_ascii_case(before) {
            rest = after.trim_start();
            cut.push(before.trim_end());
        }
    }
    if !cut.is_empty() {
        diagnostic(&format!("note: `{}` before the token is no part of it and was cut off", cut.join(" ")));
    }
    rest
}

/// What a token says, nothing of it verified; `None` where it cannot be read.
pub(super) fn payload(token: &str) -> Option<Json> {
    Some(Unverified::read(token, &mut Parts::default()).ok()?.into_payload())
}

/// The first so many bytes of a file, `-` for standard input.
///
/// # Errors
/// A sentence that names the file.
pub(super) fn read(path: &Path, most: u64) -> Result<String, String> {
    let mut text = String::new();
    let outcome = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    outcome.map(|_| text).map_err(|error| format!("{}: {error}", named(path)))
}

fn named(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_wrapped_is_told_how_to_unwrap() {
        for (text, path) in [
            (r#"{"access_token":"a.b.c","token_type":"Bearer"}"#, ".access_token"),
            (r#"{"count": 1, "value": "a.b.c"}"#, ".value"),
            (r#"{"kind": "TokenRequest", "status": {"token": "a.b.c"}}"#, ".status.token"),
            (r#"{"token": "a.b.c"}"#, ".token"),
        ] {
            assert!(wrapped(text).unwrap().ends_with(&format!("`jq -r {path}` takes it out")), "{text}");
        }
        for text in [r#"{"iss": "https://a.test", "sub": "b"}"#, "{", r#"["a.b.c"]"#, r#"{"token": 7}"#] {
            assert!(wrapped(text).unwrap().contains("no token"), "{text}");
        }
        assert!(wrapped("\"a.b.c\"").unwrap().contains("quotes"));
        assert_eq!(wrapped("a.b.c"), None);
    }
}
