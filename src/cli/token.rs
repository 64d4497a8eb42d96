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
        let text = match self.token_file.as_deref() {
            None => std::env::var("CREDENCE_TOKEN").ok(),
            Some(path) => Some(read(path, MAX_TOKEN)?),
        };
        Ok(text.map(|text| bare(&text).to_owned()).filter(|text| !text.is_empty()))
    }
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
    let named = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
    outcome.map(|_| text).map_err(|error| format!("{named}: {error}"))
}
