//! `schema`: the table's language for editors.

use clap::{Args, ValueEnum};

use super::output::result;
use crate::table::{blocks_schema, table_schema, vectors_schema};

/// Print the JSON Schema of a trust table, so that editors complete it and mark slips.
///
/// Made from what the table's reader goes by. It judges one value at a time; what several say together only `check` can
/// tell. Name it in the first line of a table: `# yaml-language-server: $schema=trust-table.schema.json`.
///
/// Exit code: 0.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence schema > trust-table.schema.json")]
pub(super) struct SchemaOf {
    /// Of which kind of file.
    #[arg(value_enum, default_value_t = Kind::Table)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// `kind: TrustTable`
    Table,
    /// `kind: TrustBlocks`
    Blocks,
    /// `kind: TrustTableTest`
    Test,
}

pub(super) fn run(schema: &SchemaOf) -> u8 {
    let schema = match schema.kind {
        Kind::Table => table_schema(),
        Kind::Blocks => blocks_schema(),
        Kind::Test => vectors_schema(),
    };
    result(&format!("{schema:#}\n"))
}
