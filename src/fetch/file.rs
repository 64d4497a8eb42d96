//! Files that a fetch reads: small regular ones, and secrets only from where secrets may lie.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::error::FetchError;
use crate::keys::FetchResult;

/// The largest key set, certificate file or private key read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// The largest bearer token read, in bytes.
const MAX_TOKEN: u64 = 16 << 10;

/// One source's way to the disk: one read at a time. A disk that hangs lets no read end, so it holds one thread of a
/// source, and not one more with each further try, until none is left for anybody.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Semaphore>);

impl Default for Disk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Disk {
    /// Reads a small regular file. A pipe or a device would never end.
    pub(super) async fn read(&self, path: &Path) -> Result<Vec<u8>, FetchError> {
        self.read_up_to(MAX_FILE, path, None).await
    }

    async fn read_up_to(&self, limit: u64, path: &Path, within: Option<&Path>) -> Result<Vec<u8>, FetchError> {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else {
            let what = "cannot be read: an earlier read for this issuer has not ended; does the disk hang?";
            return Err(FetchError::new(FetchResult::Timeout, path.display(), what));
        };
        let (owned, directory) = (path.to_owned(), within.map(Path::to_owned));
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
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
            Ok(Err(error)) => {
                Err(FetchError::new(FetchResult::File, path.display(), format!("cannot be read: {error}")))
            }
            Err(_) => Err(FetchError::new(FetchResult::Internal, path.display(), "reading it failed")),
        }
    }
}

/// A directory that secrets may be read from, and what its absence means to people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vault<'a> {
    pub(super) disk: &'a Disk,
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
        self.disk.read_up_to(limit, path, Some(directory)).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_a_read_does_not_end_no_other_is_begun() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "pem").unwrap();
        let hanging = Arc::clone(&disk.0).try_acquire_owned().unwrap();
        let error = disk.read(&path).await.unwrap_err();
        assert_eq!(error.result(), FetchResult::Timeout, "{error}");
        let vault = Vault { disk: &disk, directory: Some(folder.path()), field: "bearerTokenFile" };
        assert_eq!(vault.token(&path).await.unwrap_err().result(), FetchResult::Timeout);
        drop(hanging);
        assert_eq!(disk.read(&path).await.unwrap(), b"pem");
        assert_eq!(vault.token(&path).await.unwrap(), b"pem");
    }
}
