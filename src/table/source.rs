//! Reading the table's files, bounded, and only from a moment at which nobody writes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::{Code, Diagnostic, Place, Report, Span};

/// Largest file, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// Largest table over all files, in bytes.
const MAX_TOTAL: u64 = 64 << 20;
/// Most files in a directory.
const MAX_FILES: usize = 1000;
/// Most entries looked at in a directory, table files or not.
const MAX_ENTRIES: usize = 100_000;

/// One file, as text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    name: Arc<str>,
    text: Box<str>,
}

impl SourceFile {
    /// A file that is already in memory.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The path as it was given; `<stdin>` for standard input.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What was read from one path: the files, or what stood in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
    directory: bool,
    problems: Report,
    digest: [u8; 32],
}

/// The path changed with each look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unstable;

impl Sources {
    /// Reads `path`: a file, a directory of `*.yaml` and `*.yml`, or `-` for standard input. Never fails: what
    /// could not be read is among the problems.
    pub fn read(path: &Path) -> Self {
        Self::read_by(path, Reader::default())
    }

    /// The digest of what [`Sources::read`] would see, without keeping the texts: for looking again and again.
    pub fn glance(path: &Path) -> [u8; 32] {
        Self::read_by(path, Reader { forget: true, ..Reader::default() }).digest
    }

    fn read_by(path: &Path, mut reader: Reader) -> Self {
        let mut directory = false;
        if path == Path::new("-") {
            let name: Arc<str> = Arc::from("<stdin>");
            let read = bounded(io::stdin().lock());
            reader.take(&name, read);
        } else if path.is_dir() {
            directory = true;
            reader.directory(path);
        } else {
            reader.file(path);
        }
        reader.finish(directory)
    }

    /// Reads `path` until two looks in a row, `pause` apart, see the same names, sizes and bytes (contract
    /// §2.2.12). What they agree on may still be a problem, such as a path that is gone.
    ///
    /// # Errors
    /// [`Unstable`] when no two of `looks` looks agree.
    pub fn read_stable(path: &Path, pause: Duration, looks: u32) -> Result<Self, Unstable> {
        let mut before = Self::read(path);
        for _ in 1..looks.max(2) {
            std::thread::sleep(pause);
            let now = Self::read(path);
            if now.digest == before.digest {
                return Ok(now);
            }
            before = now;
        }
        Err(Unstable)
    }

    /// Files that are already in memory, as if read from a directory; for tests and tools.
    pub fn from_files(files: impl IntoIterator<Item = SourceFile>) -> Self {
        let mut reader = Reader::default();
        for file in files {
            let text = file.text.as_bytes();
            reader.note(&file.name, text.len() as u64, digest(&SHA256, text).as_ref());
            reader.files.push(Arc::new(file));
        }
        reader.finish(true)
    }

    /// The files, sorted by name.
    pub fn files(&self) -> &[Arc<SourceFile>] {
        &self.files
    }

    /// Whether the path was a directory, in which files of another kind are not part of the table.
    pub const fn is_directory(&self) -> bool {
        self.directory
    }

    /// What could not be read.
    pub const fn problems(&self) -> &Report {
        &self.problems
    }

    /// SHA-256 over all names, contents and problems: equal exactly when a look saw the same.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// What a look has gathered so far.
struct Reader {
    /// Only the digest is wanted.
    forget: bool,
    files: Vec<Arc<SourceFile>>,
    problems: Report,
    total: u64,
    seen: Context,
}

impl Default for Reader {
    fn default() -> Self {
        Self { forget: false, files: Vec::new(), problems: Report::default(), total: 0, seen: Context::new(&SHA256) }
    }
}

impl Reader {
    fn directory(&mut self, path: &Path) {
        let name: Arc<str> = path.to_string_lossy().into();
        let names = match table_files(path) {
            Ok(names) => names,
            Err(error) => return self.problem(&name, format!("cannot list the directory: {error}")),
        };
        if names.is_empty() {
            self.problem(&name, "no *.yaml or *.yml file in this directory");
        }
        if names.len() > MAX_FILES {
            return self.problem(&name, format!("{} files: at most {MAX_FILES} are read", names.len()));
        }
        for file in names {
            self.file(&file);
            if self.total > MAX_TOTAL {
                return self.problem(&name, format!("more than {} MiB in all", MAX_TOTAL >> 20));
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let name: Arc<str> = path.to_string_lossy().into();
        if self.forget {
            return self.pass(&name, open(path).and_then(measured));
        }
        self.take(&name, open(path).and_then(bounded));
    }

    /// Notes what [`Reader::take`] would, of a file that was not kept.
    fn pass(&mut self, name: &Arc<str>, read: io::Result<(u64, [u8; 32])>) {
        match read {
            Ok((length, sum)) => self.whole(name, length, &sum),
            Err(error) => self.unreadable(name, &error),
        }
    }

    fn take(&mut self, name: &Arc<str>, read: io::Result<Vec<u8>>) {
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(name, &error),
        };
        self.whole(name, bytes.len() as u64, digest(&SHA256, &bytes).as_ref());
        if bytes.len() as u64 > MAX_FILE {
            return;
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.files.push(Arc::new(SourceFile::new(Arc::clone(name), text))),
            Err(error) => self.not_utf8(name, error.as_bytes(), error.utf8_error().valid_up_to()),
        }
    }

    /// A file, of which one byte more was read than it may have at most.
    fn whole(&mut self, name: &Arc<str>, length: u64, sum: &[u8]) {
        self.note(name, length, sum);
        self.total += length;
        if length > MAX_FILE {
            self.problem(name, format!("larger than {} MiB", MAX_FILE >> 20));
        }
    }

    fn unreadable(&mut self, name: &Arc<str>, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            return self.problem(name, "no such file or directory");
        }
        self.problem(name, format!("cannot be read: {error}"));
    }

    fn not_utf8(&mut self, name: &Arc<str>, bytes: &[u8], good: usize) {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let place = Place { file: Arc::new(SourceFile::new(Arc::clone(name), "")), span: Span::locate("", 0, 0) };
            let finding = Diagnostic::at(Code::CR005, &place, "the text is UTF-16, not UTF-8").hidden();
            return self.problems.push(finding.help("save the file as UTF-8"));
        }
        let byte = bytes.get(good).copied().unwrap_or_default();
        let text: Box<str> = String::from_utf8_lossy(bytes).into();
        let span = Span::locate(&text, good, good + char::REPLACEMENT_CHARACTER.len_utf8());
        let place = Place { file: Arc::new(SourceFile { name: Arc::clone(name), text }), span };
        self.problems.push(
            Diagnostic::at(Code::CR005, &place, "the text is not UTF-8")
                .label(format!("byte 0x{byte:02x}"))
                .help("save the file as UTF-8"),
        );
    }

    fn problem(&mut self, name: &Arc<str>, message: impl AsRef<str>) {
        let message = message.as_ref();
        self.note(name, message.len() as u64, digest(&SHA256, message.as_bytes()).as_ref());
        let help = "give one file, or a directory of `*.yaml` and `*.yml` files, that this process may read";
        self.problems.push(Diagnostic::about(Code::CR005, name, message).help(help));
    }

    /// Takes a name and what was found there, by its length and SHA-256, into the digest.
    fn note(&mut self, name: &str, length: u64, sum: &[u8]) {
        self.seen.update(&(name.len() as u64).to_be_bytes());
        self.seen.update(name.as_bytes());
        self.seen.update(&length.to_be_bytes());
        self.seen.update(sum);
    }

    fn finish(self, directory: bool) -> Sources {
        let digest = self.seen.finish().as_ref().try_into().unwrap_or_default();
        Sources { files: self.files, directory, problems: self.problems, digest }
    }
}

/// The table files of a directory: `*.yaml` and `*.yml`, no dot-files (a ConfigMap keeps its old self in `..data`),
/// no `*_test.yaml`; sorted.
fn table_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)?.take(MAX_ENTRIES) {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        let stem = text.strip_suffix(".yaml").or_else(|| text.strip_suffix(".yml"));
        if stem.is_some_and(|stem| !text.starts_with('.') && !stem.ends_with("_test")) {
            files.push(directory.join(&name));
        }
    }
    files.sort();
    Ok(files)
}

/// Opens a regular file, symbolic links followed. A fifo or device is refused before it could hang the reader.
fn open(path: &Path) -> io::Result<File> {
    let regular = |metadata: fs::Metadata| {
        if metadata.is_file() { Ok(()) } else { Err(io::Error::other("not a regular file")) }
    };
    regular(fs::metadata(path)?)?;
    let file = File::open(path)?;
    regular(file.metadata()?)?;
    Ok(file)
}

/// Reads one byte more than a file may have, and no further.
fn bounded(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Length and SHA-256 of what [`bounded`] would read, a piece at a time.
fn measured(from: impl io::Read) -> io::Result<(u64, [u8; 32])> {
    let (mut from, mut sum, mut length) = (from.take(MAX_FILE + 1), Context::new(&SHA256), 0);
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok((length, sum.finish().as_ref().try_into().unwrap_or_default())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        length += read as u64;
        sum.update(piece.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
