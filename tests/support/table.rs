//! A trust table on disk, replaced the way careful people and Kubernetes do it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory with a `trust.yaml` in it.
#[derive(Debug)]
pub struct Table {
    dir: PathBuf,
    _scratch: Option<TempDir>,
}

impl Table {
    /// Writes `yaml` (without `apiVersion` and `kind`, which are put before it) as a new table.
    pub fn new(yaml: &str) -> Self {
        Self::raw(document(yaml).as_bytes())
    }

    /// Like [`Table::new`], in a directory that stays.
    pub fn at(dir: &Path, yaml: &str) -> Self {
        let table = Self { dir: dir.to_owned(), _scratch: None };
        table.replace(yaml);
        table
    }

    /// A table of exactly these bytes.
    pub fn raw(bytes: &[u8]) -> Self {
        let scratch = super::scratch();
        let table = Self { dir: scratch.path().to_owned(), _scratch: Some(scratch) };
        table.replace_raw(bytes);
        table
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.dir.join("trust.yaml")
    }

    /// The directory of the file, for keys and certificates that the table names.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Replaces the table in one step: written beside, then renamed over.
    pub fn replace(&self, yaml: &str) {
        self.replace_raw(document(yaml).as_bytes());
    }

    /// Replaces the file by exactly these bytes, in one step.
    pub fn replace_raw(&self, bytes: &[u8]) {
        let beside = self.dir.join(".trust.yaml.new");
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(beside, self.path()).unwrap();
    }

    /// Writes into the file that is there, as an editor without care does.
    pub fn edit_in_place(&self, yaml: &str) {
        std::fs::write(self.path(), document(yaml)).unwrap();
    }

    /// The text of the table.
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

/// A whole document, ending in a newline, around the three maps.
pub fn document(yaml: &str) -> String {
    format!("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n{}\n", yaml.trim_end())
}
