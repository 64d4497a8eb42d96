//! What `check` found, in the forms that programs read. Every form tells the same findings, sorted by file and line.

mod github;
mod json;
mod sarif;

use clap::ValueEnum;

use crate::table::{Report, Snapshot};

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: as a compiler prints them, on standard error.
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands of GitHub Actions: annotations on the lines of a pull request.
    Github,
}

/// A table, or blocks, that were looked at.
#[derive(Debug)]
pub(super) struct Checked {
    /// What was given as argument.
    pub(super) path: String,
    pub(super) report: Report,
    /// `None` where the table is refused, or these are blocks.
    pub(super) table: Option<Summary>,
    /// `None` where the blocks are refused, or this is a table.
    pub(super) blocks: Option<BlocksSummary>,
}

/// A path that could not be looked at at all: what is not said of it is not known, rather than good.
#[derive(Debug)]
pub(super) struct Unread {
    /// What was given as argument.
    pub(super) path: String,
    /// Why.
    pub(super) message: String,
}

/// What a good table holds.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) issuers: usize,
    pub(super) resources: usize,
    pub(super) grants: usize,
    pub(super) digest: String,
}

/// What good blocks hold.
#[derive(Debug)]
pub(super) struct BlocksSummary {
    pub(super) blocks: usize,
    pub(super) digest: String,
    /// Whether they were held against a table.
    pub(super) held: bool,
}

impl Summary {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            issuers: snapshot.issuers.entries(),
            resources: snapshot.resources.iter().count(),
            grants: snapshot.grants.len(),
            digest: snapshot.digest.to_string(),
        }
    }
}

/// All tables in one document, for standard output; empty for people, who are told one by one.
pub(super) fn written(format: Format, tables: &[Checked], unread: &[Unread]) -> String {
    match format {
        Format::Text => String::new(),
        Format::Json => json::written(tables, unread),
        Format::Sarif => sarif::written(tables, unread),
        Format::Github => github::written(tables, unread),
    }
}
