//! References that are generated from the code. `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![cfg(test)]

use std::fmt::Write as _;
use std::sync::Arc;

use credence::clock::Time;
use credence::keys::LiveKeys;
use credence::profile::{Profile, Tenancy};
use credence::reason::{Class, Reason};
use credence::table::{self, Code, Compiled, Page, Permissions, SourceFile, Sources, compile};

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
    let never = Reason::ALL.iter().filter(|reason| !reason.is_observable());
    let never: Vec<_> = never.map(|reason| format!("`{reason}`")).collect();
    writeln!(
        text,
        "\nAllowed calls have the reason `ok` (a grant matched), `anonymous` (the place is open to all) or `observed` (refused, and let\n\
         through without identity because the resource only observes: [rolling out](rollout.md)). Then `observed_reason` tells the\n\
         refusal, which is never {}.",
        never.join(" ")
    )
    .unwrap();
    text.push_str(
        "\n\
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
         Generated from `src/table/code.rs` and the pages in `src/table/rules`, whose examples are tests. `credence rule CODE` prints a page.\n\n\
         CR0xx (shape) and CR1xx (refused) are errors: the table does not load. The others warn, and an entry may accept them\n\
         ([how](table.md#accepting-a-warning)). The examples leave out the first two lines of a file, `apiVersion` and `kind`.\n\n\
         | code | severity | what it is about |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let name = code.as_str();
        writeln!(text, "| [{name}](#{}) | {} | {} |", name.to_lowercase(), code.severity().as_str(), code.title())
            .unwrap();
    }
    for code in Code::ALL {
        // Below the title of this page every heading goes one down, and the code alone is the anchor.
        let page = Page::of(*code).markdown().replace("\n## ", "\n### ");
        let (_, body) = page.split_once('\n').unwrap();
        write!(text, "\n## {code}\n\n**{}** ({})\n{body}", code.title(), code.severity().as_str()).unwrap();
    }
    text
}

#[test]
fn the_reference_of_diagnostics_is_up_to_date() {
    fresh("docs/diagnostics.md", &diagnostics());
}

#[test]
fn the_reference_of_fields_is_up_to_date() {
    let head = "# Fields of the trust table and of blocks\n\n\
                Generated from what the readers go by. What they mean together stands in [table.md](table.md) and [blocks.md](blocks.md);\n\
                `credence schema` prints the same for editors.\n\n";
    fresh("docs/fields.md", &format!("{head}{}", table::reference().trim_end().to_owned() + "\n"));
}

#[test]
fn the_schemas_are_up_to_date() {
    fresh("docs/schema/trust-table.schema.json", &format!("{:#}\n", table::table_schema()));
    fresh("docs/schema/trust-blocks.schema.json", &format!("{:#}\n", table::blocks_schema()));
    fresh("docs/schema/trust-table-test.schema.json", &format!("{:#}\n", table::vectors_schema()));
}

fn profiles() -> String {
    let mut text = String::from(
        "# Profiles\n\n\
         Generated from `src/profile` (`credence profiles NAME` prints the same). A profile is what is known about one kind of issuer: it fills in\n\
         what an entry leaves out, refuses what can never be right, and warns of what looks right and is not. It never grants. Each example is\n\
         in [examples/profiles](../examples/profiles) with cases that show who stays outside.\n\n\
         `shared`: one issuer signs for every customer of its operator, so a tenant must be pinned (CR101). In brackets what `with` can do without.\n\n\
         | profile | tenancy | what it is | `with` |\n|---|---|---|---|\n",
    );
    for profile in Profile::ALL {
        let with = profile.parameters.iter().map(|parameter| match parameter.optional {
            true => format!("[`{}`]", parameter.name),
            false => format!("`{}`", parameter.name),
        });
        let with = with.collect::<Vec<_>>().join(" ");
        let (name, tenancy) = (profile.name, tenancy(profile));
        writeln!(text, "| [`{name}`](#{name}) | {tenancy} | {} | {with} |", profile.summary).unwrap();
    }
    for profile in Profile::ALL {
        let (name, summary, link) = (profile.name, profile.summary, profile.documentation);
        write!(
            text,
            "\n## {name}\n{summary}. Facts from [its documentation]({link}), checked on {}.\n",
            profile.checked
        )
        .unwrap();
        for section in profile.sections() {
            write!(text, "\n**{}**\n\n", section.title).unwrap();
            for line in section.lines {
                writeln!(text, "- {line}").unwrap();
            }
        }
        write!(text, "\n```yaml\n{}```\n", profile.starter).unwrap();
    }
    text
}

fn tenancy(profile: &Profile) -> &'static str {
    match profile.tenancy() {
        Some(Tenancy::Shared) => "shared",
        Some(Tenancy::Private) => "private",
        None => "unknown",
    }
}

#[test]
fn the_reference_of_profiles_is_up_to_date() {
    fresh("docs/profiles.md", &profiles());
}

#[test]
fn the_guide_of_the_table_names_every_profile() {
    let guide = std::fs::read_to_string("docs/table.md").unwrap();
    for profile in Profile::ALL {
        assert!(guide.contains(&format!("`{}`", profile.name)), "docs/table.md does not name {}", profile.name);
    }
}

fn fresh(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{path} is stale: UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn the_readme_leads_to_every_page_and_every_example() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    for directory in ["docs", "docs/install", "examples"] {
        for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            let is_page = entry.extension().is_some_and(|end| end == "md");
            if is_page || (directory == "examples" && entry.is_dir()) {
                let link = format!("]({})", entry.display());
                assert!(readme.contains(&link), "README.md has no link {link}");
            }
        }
    }
}

#[test]
fn every_link_to_a_file_of_ours_leads_somewhere() {
    let examples = std::fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path().join("README.md"));
    let docs = ["docs", "docs/install"].into_iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
    let docs = docs.map(|entry| entry.unwrap().path());
    let own = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(std::path::PathBuf::from);
    let mut seen = 0;
    for page in docs.chain(examples).chain(own).filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let Ok(text) = std::fs::read_to_string(&page) else { continue };
        // What stands in backquotes is no link.
        let text: String = text.split('`').step_by(2).collect();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '\n']).next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if !anchor.is_empty() {
                let titles = std::fs::read_to_string(&target).unwrap();
                let slug = |title: &str| {
                    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
                    title.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
                };
                let mut titles = titles.lines().filter(|line| line.starts_with('#'));
                let there = titles.any(|title| slug(title.trim_start_matches('#')) == anchor);
                assert!(there, "{}: {link} leads to no heading", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Words of the pages that begin like this.
fn named(start: &str) -> Vec<(String, String)> {
    let examples = std::fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path().join("README.md"));
    let docs = ["docs", "docs/install"].into_iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
    let docs = docs.map(|entry| entry.unwrap().path());
    let pages = docs.chain(examples).chain([std::path::PathBuf::from("README.md")]);
    let mut found = Vec::new();
    for page in pages.filter(|path| path.extension().is_some_and(|end| end == "md") && path.exists()) {
        let text = std::fs::read_to_string(&page).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        found.extend(
            words.filter(|word| word.starts_with(start)).map(|word| (page.display().to_string(), word.to_owned())),
        );
    }
    found
}

#[test]
fn every_rule_and_every_metric_that_a_page_names_is_there() {
    for (page, word) in named("CR") {
        let is_code = word.len() == 5 && word.bytes().skip(2).all(|byte| byte.is_ascii_digit());
        assert!(!is_code || Code::parse(&word).is_some(), "{page} names {word}");
    }
    let reference = std::fs::read_to_string("docs/observability.md").unwrap();
    let metrics = reference.split("## Metrics").nth(1).unwrap();
    let listed: String = metrics.lines().filter(|line| line.starts_with("| `credence_")).collect();
    let mut seen = 0;
    // In Envoy's access log there are names of ours that are no metrics.
    for (page, word) in named("credence_").into_iter().filter(|(page, _)| page != "docs/install/envoy.md") {
        // The series of a classic histogram.
        let family = word.strip_suffix("_bucket").unwrap_or(&word);
        assert!(
            listed.contains(&format!("`{family}`")),
            "{page} names {word}, which docs/observability.md does not list"
        );
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
}

/// The whole tables of a page.
fn tables(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let fenced = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    fenced.filter(|text| text.contains("kind: TrustTable\n")).map(str::to_owned).collect()
}

#[test]
fn the_tables_of_the_documentation_load_without_a_word() {
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let mut pages = vec!["README.md".to_owned()];
    pages.extend(std::fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path().display().to_string()));
    let mut seen = 0;
    for page in pages.iter().filter(|page| page.ends_with(".md") && !page.ends_with("diagnostics.md")) {
        for table in tables(page) {
            let sources = Sources::from_files([SourceFile::new(page.as_str(), table)]);
            let Compiled { report, .. } =
                compile(&sources, &Permissions::default(), now, |need| Arc::new(LiveKeys::unfetched(need.rules)));
            assert!(report.is_empty(), "{}", report.render(false));
            seen += 1;
        }
    }
    assert!(seen >= 2);
}
