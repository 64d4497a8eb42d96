//! Blocks on disk, beside a table.

use std::path::{Path, PathBuf};

use super::credence::{Credence, Serve};

/// A directory with a `blocks.yaml` in it.
#[derive(Debug)]
pub struct Blocks(tempfile::TempDir);

impl Blocks {
    /// Blocks that are each written as `name: {…}` on one line; none for nobody.
    pub fn new(blocks: &[&str]) -> Self {
        let file = Self(super::scratch());
        file.replace(blocks);
        file
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("blocks.yaml")
    }

    /// The directory of the file.
    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Replaces the blocks in one step.
    pub fn replace(&self, blocks: &[&str]) {
        self.replace_raw(document(blocks).as_bytes());
    }

    /// Replaces the file by exactly these bytes, in one step.
    pub fn replace_raw(&self, bytes: &[u8]) {
        let beside = self.dir().join(".blocks.yaml.new");
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(beside, self.path()).unwrap();
    }
}

/// A whole document.
pub fn document(blocks: &[&str]) -> String {
    let head = "apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:";
    match blocks {
        [] => format!("{head} {{}}\n"),
        blocks => format!("{head}\n{}", blocks.iter().map(|block| format!("  {block}\n")).collect::<String>()),
    }
}

/// Prepares `credence serve --trust trust --blocks blocks`.
pub fn serve(trust: impl AsRef<Path>, blocks: impl AsRef<Path>) -> Serve {
    Credence::serve(trust).arg("--blocks").arg(&blocks.as_ref().display().to_string())
}
