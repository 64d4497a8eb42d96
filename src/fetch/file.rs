//! Files that a fetch reads: small regular ones, and secrets only from where secrets may lie.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::FetchError;
use crate::keys::FetchResult;

/// The largest key set, certificate file or private key read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The largest bearer token read, in bytes.
const MAX_TOKEN: u64 = 16 << 10;

/// Reads a small regular file. A pipe or a device would never end.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    read_up_to(MAX_FILE, path, None).await
}

/// A directory that secrets may be read from, and what its absence means to people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vault<'a> {
    pub(super) directory: Option<&'a Path>,
    /// The field that names the secret.
    pub(super) field: &'a str,
}

impl Vault<'_> {
    /// Reads a private key. The file must really lie under the directory: a link out of it, or a path that climbs
    /// out, is refused; a link within, as a mounted Secret has them, is followed.
    pub(super) async fn read(self, path: &Path) -> Result<Vec<u8>, FetchError> {
        self.read_up_to(MAX_FILE, path).await
    }

    /// Reads a bearer token by the same rule: one line of visible ASCII, at most 16 KiB, which is all that a header
    /// value can carry in one way only.
    pub(super) async fn token(self, path: &Path) -> Result<Vec<u8>, FetchError> {
        let mut token = self.read_up_to(MAX_TOKEN, path).await?;
        if token.last() == Some(&b'\n') {
            token.pop();
        }
        let refuse = |what: &str| Err(FetchError::new(FetchResult::File, path.display(), what));
        if token.is_empty() {
            return refuse(&format!("is empty, and should hold a token ({})", self.field));
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return refuse(&format!("holds more than one token of visible ASCII on one line ({})", self.field));
        }
        Ok(token)
    }

    async fn read_up_to(self, limit: u64, path: &Path) -> Result<Vec<u8>, FetchError> {
        let Some(directory) = self.directory else {
            let what = format!("{} is read only from under the directory that --secrets-dir names", self.field);
            return Err(FetchError::new(FetchResult::File, path.display(), what));
        };
        read_up_to(limit, path, Some(directory)).await
    }
}

async fn read_up_to(limit: u64, path: &Path, within: Option<&Path>) -> Result<Vec<u8>, FetchError> {
    let (owned, directory) = (path.to_owned(), within.map(Path::to_owned));
    let read = tokio::task::spawn_blocking(move || {
        let real = match &directory {
            Some(directory) => resolve(&owned, directory)?,
            None => owned,
        };
        if !std::fs::metadata(&real)?.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&real)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    match read.await {
        Ok(Ok(bytes)) if bytes.len() as u64 > limit => {
            Err(FetchError::new(FetchResult::TooLarge, path.display(), format!("more than {limit} bytes")))
        }
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(FetchError::new(FetchResult::File, path.display(), format!("cannot be read: {error}"))),
        Err(_) => Err(FetchError::new(FetchResult::Internal, path.display(), "reading it failed")),
    }
}

/// Where `path` really is, if that is under where `directory` really is.
fn resolve(path: &Path, directory: &Path) -> std::io::Result<PathBuf> {
    let real = std::fs::canonicalize(path)?;
    let home = std::fs::canonicalize(directory)
        .map_err(|error| std::io::Error::other(format!("the directory {}: {error}", directory.display())))?;
    if real.starts_with(&home) {
        return Ok(real);
    }
    let what = format!(
        "it does not lie under {}, where secrets are read from, or a link leads out of there",
        directory.display()
    );
    Err(std::io::Error::other(what))
}
