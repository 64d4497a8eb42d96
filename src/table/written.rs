//! Where a value is written, for whoever proposes to change it.

use super::{Place, Sources, yaml};

/// The place of a value: the section, the entry, and the fields that lead to it. `None` where nothing is written there.
pub fn written(sources: &Sources, path: &[&str]) -> Option<Place> {
    sources.files().iter().find_map(|file| {
        let (root, _) = yaml::parse(file);
        let root = root?;
        let node = path.iter().try_fold(&root, |node, name| node.member(name))?;
        Some(Place { file: file.clone(), span: node.span })
    })
}

impl Place {
    /// The text that stands there; of a block list or map, its first line.
    pub fn text(&self) -> Option<&str> {
        let (start, end) = (usize::try_from(self.span.start).ok()?, usize::try_from(self.span.end).ok()?);
        self.file.text().get(start..end)
    }

    /// The file with other text there.
    pub fn replaced(&self, text: &str) -> Option<String> {
        let (start, end) = (usize::try_from(self.span.start).ok()?, usize::try_from(self.span.end).ok()?);
        let whole = self.file.text();
        Some(format!("{}{text}{}", whole.get(..start)?, whole.get(end..)?))
    }
}
