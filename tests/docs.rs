//! References that are generated from the code. `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![cfg(test)]

use std::fmt::Write as _;

use credence::reason::{Class, Reason};
use credence::table::{self, Code};

fn reasons() -> String {
    let mut text = String::from(
        "# Reasons\n\n\
         Generated from `src/reason.rs`. The list is closed and in the order of judgement: where several apply, the first is the answer\n\
         (`log_unavailable` and `internal` override all). The client sees status, challenge and class; the reason stands in the decision\n\
         log, in Envoy's dynamic metadata and, with `--deny-detail reason`, in the body.\n\n\
         | reason | HTTP | gRPC `status.code` | `WWW-Authenticate` | what happened |\n|---|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let class = reason.class();
        let challenge = match class {
            Class::Unavailable => "– (`Retry-After`)".to_owned(),
            Class::Unauthorized => "`Bearer realm=\"credence\"`".to_owned(),
            _ => format!("… `error=\"{}\"`", class.error()),
        };
        let status = class.http_status(false);
        let grpc_caller = class.http_status(true);
        let status =
            if status == grpc_caller { status.to_string() } else { format!("{status}, {grpc_caller} to gRPC callers") };
        writeln!(text, "| `{reason}` | {status} | {} | {challenge} | {} |", class.grpc_code(), reason.sentence())
            .unwrap();
    }
    text.push_str(
        "\nAllowed calls have the reason `ok` (a grant matched) or `anonymous` (the place is open to all).\n\n\
         The body of a refusal is `{\"decision_id\": …, \"error\": …}`; `error` is the challenge's code, `unauthorized` where nothing was\n\
         presented, `temporarily_unavailable` for 503.\n",
    );
    text
}

#[test]
fn the_reference_of_reasons_is_up_to_date() {
    fresh("docs/reasons.md", &reasons());
}

fn diagnostics() -> String {
    let mut text = String::from(
        "# Diagnostics\n\n\
         Generated from `src/table/code.rs`. CR0xx (shape) and CR1xx (refused) are errors: the table does not load. The others warn. What is\n\
         reserved is not looked at yet by this version.\n\n\
         | code | severity | what it is about |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let reserved = if printed(code.as_str()) { "" } else { " (reserved)" };
        writeln!(text, "| {code} | {}{reserved} | {} |", code.severity().as_str(), code.title()).unwrap();
    }
    text
}

/// Whether some room of the table names the code, beside the list itself.
fn printed(code: &str) -> bool {
    fn holds(directory: &std::path::Path, word: &str) -> bool {
        std::fs::read_dir(directory).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                return holds(&path, word);
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            !name.contains("test") && name != "code.rs" && std::fs::read_to_string(&path).unwrap().contains(word)
        })
    }
    holds(std::path::Path::new("src/table"), &format!("Code::{code}"))
}

#[test]
fn the_reference_of_diagnostics_is_up_to_date() {
    fresh("docs/diagnostics.md", &diagnostics());
}

#[test]
fn the_reference_of_fields_is_up_to_date() {
    let head = "# Fields of the trust table\n\n\
                Generated from what the reader of tables goes by. What they mean together, with examples, stands in [table.md](table.md);\n\
                `credence schema` prints the same for editors.\n\n";
    fresh("docs/fields.md", &format!("{head}{}", table::reference().trim_end().to_owned() + "\n"));
}

#[test]
fn the_schemas_are_up_to_date() {
    fresh("docs/schema/trust-table.schema.json", &format!("{:#}\n", table::table_schema()));
    fresh("docs/schema/trust-table-test.schema.json", &format!("{:#}\n", table::vectors_schema()));
}

fn fresh(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{path} is stale: UPDATE_DOCS=1 cargo test --test docs");
}
