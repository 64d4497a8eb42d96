//! `check`: is this table good?

use std::fs;

use crate::support::credence::command;
use crate::support::scratch;
use crate::support::table::{Table, document};
use crate::world::{Ended, run, with_input};

pub(crate) const GOOD: &str = "\
issuers:
  ci: {issuer: \"https://ci.acme.test\", owner: team@acme.test, reviewBy: 2099-01-01}
resources:
  api: {audience: https://api.acme.test, hosts: [api.acme.test]}
grants:
  own: {issuer: ci, resource: api, subject: x, methods: [GET], paths: any}
";

/// Two mistakes, on lines 6 and 8.
const BAD: &str = "\
issuers:
  ci: {issuer: \"https://ci.acme.test\", owner: team@acme.test, reviewBy: 2099-01-01}
resources:
  api: {audienze: https://api.acme.test, audience: https://api.acme.test, hosts: [api.acme.test]}
grants:
  own: {issuer: cx, resource: api, subject: x, methods: [GET], paths: any}
";

pub(crate) fn check(table: &Table, more: &[&str]) -> Ended {
    let path = table.path().display().to_string();
    run(&[&["check", &path], more].concat())
}

#[test]
fn a_good_table_is_0_and_told_in_one_line_with_its_digest() {
    let ended = check(&Table::new(GOOD), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    assert!(ended.out.contains("1 issuers, 1 resources, 1 grants"), "{}", ended.out);
    let digest = ended.out.trim().rsplit(' ').next().unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |yaml: &str| {
        let ended = check(&Table::new(yaml), &[]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out.trim().rsplit(' ').next().unwrap().to_owned()
    };
    let same = GOOD.replace("resources:", "# a remark\nresources:").replace("[GET]", "[ 'GET' ]");
    assert_eq!(digest(GOOD), digest(&same));
    assert_ne!(digest(GOOD), digest(&GOOD.replace("[GET]", "[PUT]")));
    assert_ne!(digest(GOOD), digest(&GOOD.replace("subject: x", "subject: y")));
}

#[test]
fn a_bad_table_is_1_and_every_problem_is_told_with_place_and_remedy() {
    let table = Table::new(BAD);
    let ended = check(&table, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    for (code, line) in [("CR001", 6), ("CR003", 8)] {
        let (_, rest) =
            ended.err.split_once(&format!("error[{code}]")).unwrap_or_else(|| panic!("no {code} in {}", ended.err));
        assert!(rest.contains(&format!("{}:{line}:", table.path().display())), "{}", ended.err);
    }
    assert!(ended.err.contains("audience") && ended.err.contains("= help: "), "{}", ended.err);
}

#[test]
fn a_path_that_is_not_there_is_2_and_named() {
    let ended = run(&["check", "/nowhere/trust.yaml"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("/nowhere/trust.yaml: no such file"), "{}", ended.err);
}

#[test]
fn of_several_paths_the_worst_counts_and_each_is_told() {
    let (good, bad) = (Table::new(GOOD), Table::new(BAD));
    let (good, bad) = (good.path().display().to_string(), bad.path().display().to_string());
    let ended = run(&["check", &bad, &good]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains(&good) && ended.err.contains(&bad));
    assert_eq!(run(&["check", &bad, &good, "/nowhere"]).code, 2);
    assert_eq!(run(&["check", &good, &good]).code, 0);
}

#[test]
fn standard_input_is_a_table_too() {
    let stdin = |text: &str| with_input(command(&["check", "-"]), text);
    assert_eq!(stdin(&document(GOOD)).code, 0);
    let bad = stdin(&document(BAD));
    assert_eq!(bad.code, 1);
    assert!(bad.err.contains("<stdin>:6:"), "{}", bad.err);
    assert_eq!(stdin("").code, 1);
    let cut = stdin(document(GOOD).trim_end());
    assert!(cut.code == 1 && cut.err.contains("CR005"), "{}", cut.err);
}

#[test]
fn a_directory_is_one_table_of_many_files() {
    let dir = scratch();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let (head, grants) = GOOD.split_once("grants:").unwrap();
    write("10-base.yaml", &document(head));
    write("20-grants.yml", &document(&format!("grants:{grants}")));
    write("payments_test.yaml", "apiVersion: credence.dev/v1alpha1\nkind: TrustTableTest\ncases: []\n");
    write(".hidden.yaml", "{");
    write("notes.txt", "{");
    let path = dir.path().display().to_string();
    let ended = run(&["check", &path]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("1 issuers, 1 resources, 1 grants"), "{}", ended.out);
    write("30-twice.yaml", &document(&format!("grants:{grants}")));
    let ended = run(&["check", &path]);
    assert_eq!(ended.code, 1);
    let told =
        ended.err.contains("CR004") && ended.err.contains("20-grants.yml") && ended.err.contains("30-twice.yaml");
    assert!(told, "{}", ended.err);
}

#[test]
fn warnings_pass_unless_asked_for_and_time_can_be_chosen() {
    let table = Table::new(&GOOD.replace("paths: any", "paths: any, expires: 2026-03-31"));
    let before = ["--at", "2025-06-01T00:00:00Z"];
    let after = ["--at", "2026-06-01T00:00:00Z"];
    let strict = ["--fail-on", "warning"];
    let ended = check(&table, &after);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("warning[CR303]") && ended.err.contains("trust.yaml:8:"), "{}", ended.err);
    assert!(ended.out.contains("sha256"), "a warned table is good");
    assert_eq!(check(&table, &[after, strict].concat()).code, 1);
    let ended = check(&table, &[before, strict].concat());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(check(&Table::new(GOOD), &strict).code, 0);
    let day = check(&table, &["--at", "2026-06-01"]);
    assert!(day.code == 0 && day.err.contains("warning[CR303]"), "a date is its first second: {}", day.err);
    for bad in ["yesterday", "2026-06-31", "2026-06-01T00:00:00"] {
        let ended = check(&table, &["--at", bad]);
        assert_eq!(ended.code, 2, "{bad}");
        assert!(ended.err.contains("RFC 3339"), "{}", ended.err);
    }
}

#[test]
fn variables_stand_for_flags() {
    let (good, ended) = (Table::new(GOOD), Table::new(&GOOD.replace("paths: any", "paths: any, expires: 2020-01-01")));
    let with = |table: &Table, fail_on: &str| {
        let mut command = command(&["check"]);
        command.env("CREDENCE_TRUST", table.path()).env("CREDENCE_FAIL_ON", fail_on);
        with_input(command, "").code
    };
    assert_eq!(with(&good, "warning"), 0);
    assert_eq!(with(&ended, "warning"), 1);
    assert_eq!(with(&ended, "error"), 0);
    assert_eq!(with(&good, "sometimes"), 2);
}

#[test]
fn a_hostile_table_cannot_move_the_cursor() {
    let table = Table::new(&GOOD.replace("own:", "\"own\\x1b[2J\\u202e\":"));
    let ended = check(&table, &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.is_plain(), "{:?}", ended.err);
}

/// A warning on line 9, whose name holds what a workflow command would trip over.
const WARNED: &str = "\
issuers:
  ci: {issuer: \"https://ci.acme.test\", owner: team@acme.test, reviewBy: 2099-01-01}
resources:
  api: {audience: https://api.acme.test, hosts: [api.acme.test]}
grants:
  own: {issuer: ci, resource: api, subject: x, methods: [GET], paths: any}
  mail: {issuer: ci, resource: api, claims: {email: 'a%0A,b'}, methods: [GET], paths: any}
";

pub(crate) fn json(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.out))
}

#[test]
fn json_tells_the_same_findings_to_programs_on_standard_output() {
    let table = Table::new(BAD);
    let ended = check(&table, &["-o", "json"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""));
    let told = json(&ended);
    assert_eq!(told["schema"], "credence.check/v1");
    let told = &told["tables"][0];
    assert_eq!((&told["ok"], &told["errors"], &told["warnings"]), (&false.into(), &2.into(), &0.into()));
    let first = &told["findings"][0];
    assert_eq!(first["code"], "CR001");
    assert_eq!(first["severity"], "error");
    assert_eq!(first["file"], table.path().display().to_string());
    let place = ["line", "column", "end_line", "end_column"].map(|name| first[name].as_u64().unwrap());
    assert_eq!(place, [6, 9, 6, 17], "{first}");
    assert!(first["help"].as_str().unwrap().contains("audience"), "{first}");
    assert_eq!((&told["left_out"], &told["sha256"]), (&0.into(), &serde_json::Value::Null));
    let good = check(&Table::new(GOOD), &["-o", "json"]);
    let told = &json(&good)["tables"][0];
    assert_eq!((good.code, &told["ok"], &told["grants"]), (0, &true.into(), &1.into()));
    assert_eq!(told["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn of_a_flood_of_findings_json_keeps_a_thousand_and_counts_the_rest() {
    let mut many = String::from("issuers:\n");
    for number in 0..700 {
        many.push_str(&format!("  i{number}: {{issuer: \"https://i{number}.acme.test\"}}\n"));
    }
    many.push_str("grants:\n  late: {issuer: i1, resource: nowhere, subject: x, methods: [GET], paths: any}\n");
    let ended = check(&Table::new(&many), &["-o", "json"]);
    let told = &json(&ended)["tables"][0];
    assert_eq!((&told["errors"], &told["warnings"]), (&1.into(), &1400.into()));
    assert_eq!((told["findings"].as_array().unwrap().len(), &told["left_out"]), (1000, &401.into()));
    let findings = told["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["code"] == "CR003"), "warnings hide no error");
}

#[test]
fn sarif_has_what_its_schema_requires_and_a_help_page_for_each_rule() {
    let tables = [Table::new(BAD), Table::new(WARNED)];
    let paths = tables.each_ref().map(|table| table.path().display().to_string());
    let ended = run(&["check", &paths[0], &paths[1], "-o", "sarif"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""));
    let told = json(&ended);
    assert_eq!(told["version"], "2.1.0");
    let [run] = told["runs"].as_array().unwrap().as_slice() else { panic!("{told}") };
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "credence");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["id"].as_str().unwrap().starts_with("CR"), "{rule}");
        assert!(rule["shortDescription"]["text"].is_string() && rule["fullDescription"]["text"].is_string(), "{rule}");
        assert!(rule["help"]["text"].as_str().unwrap().contains("## Bad"), "{rule}");
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(rules[index]["defaultConfiguration"]["level"], result["level"]);
        assert!(result["message"]["text"].as_str().unwrap().contains("\nHelp: "), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("file:///"), "{result}");
        for name in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][name].as_u64().unwrap() >= 1, "{result}");
        }
    }
    let levels: Vec<_> = results.iter().map(|result| result["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "error", "warning"]);
}

#[test]
fn a_file_as_a_whole_has_no_region() {
    let table = Table::raw(b"kind: TrustTable");
    let told = json(&check(&table, &["-o", "sarif"]));
    let results = told["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["locations"][0]["physicalLocation"]["artifactLocation"].is_object()));
    let ended = check(&table, &["-o", "github"]);
    assert!(ended.out.lines().all(|line| line.starts_with("::error file=")), "{}", ended.out);
}

#[test]
fn github_shows_findings_at_their_lines_and_no_table_writes_commands() {
    let table = Table::new(WARNED);
    let ended = check(&table, &["-o", "github"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let start =
        format!("::warning file={},line=9,col=53,endLine=9,endColumn=61,title=CR204::grant ", table.path().display());
    assert!(ended.out.starts_with(&start), "{} is not {start}", ended.out);
    assert_eq!(ended.out.lines().count(), 1);
    assert!(ended.out.contains("%0Ahelp: "), "{}", ended.out);
    assert_eq!(check(&table, &["-o", "github", "--fail-on", "warning"]).code, 1);
    assert_eq!(check(&Table::new(GOOD), &["-o", "github"]).out, "");
    let hostile = Table::new(&GOOD.replace("own:", "\"own\\n::error::x%0A\":"));
    let ended = check(&hostile, &["-o", "github"]);
    assert!(ended.out.lines().all(|line| line.starts_with("::error file=")), "{}", ended.out);
}

#[test]
fn a_probe_is_told_as_text() {
    let ended = check(&Table::new(GOOD), &["--probe", "-o", "json"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("`--probe`"), "{}", ended.err);
}

#[test]
fn a_rule_has_a_page_and_the_rules_a_list() {
    let ended = run(&["rule", "cr101"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.starts_with("# CR101: shared issuer that pins no tenant (error)\n"), "{}", ended.out);
    assert!(ended.out.contains("## Bad") && ended.out.contains("## Good"), "{}", ended.out);
    assert!(!ended.out.contains("## Accepting it"));
    assert!(run(&["rule", "CR401"]).out.contains("## Accepting it"));
    let list = run(&["rule"]);
    assert!(list.out.lines().count() > 40 && list.out.contains("CR302  warning  no owner\n"), "{}", list.out);
    let page = json(&run(&["rule", "CR401", "-o", "json"]));
    assert_eq!((&page["code"], &page["acceptable"]), (&"CR401".into(), &true.into()));
    assert!(json(&run(&["rule", "-o", "json"])).as_array().unwrap().len() > 40);
    let ended = run(&["rule", "CR999"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("`credence rule` lists them"), "{}", ended.err);
}

#[test]
fn findings_that_are_not_told_are_counted_in_every_form() {
    let bad: String = (0..2500).map(|n| format!("  i{n}: {{issuer: https://i{n}.test, nonsense: 1}}\n")).collect();
    let table = Table::raw(format!("apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n{bad}").as_bytes());
    let path = table.path().display().to_string();
    let told = |output: &str| run(&["check", "-o", output, &path]);
    let json: serde_json::Value = serde_json::from_str(&told("json").out).unwrap();
    let errors = json["tables"][0]["errors"].as_u64().unwrap();
    let warnings = json["tables"][0]["warnings"].as_u64().unwrap();
    assert!(errors >= 2500, "{errors}");
    assert_eq!(json["tables"][0]["left_out"], errors + warnings - 1000);
    let rest = errors + warnings - 100;
    assert!(told("text").err.ends_with(&format!("\n… and {rest} more\n")), "no rest of {rest}");
    let github = told("github").out;
    let last = github.lines().last().unwrap();
    assert!(last.ends_with(&format!("{} more findings are left out", errors + warnings - 1000)), "{last}");
}
