//! What holds for every verb.

use crate::support::credence::command;
use crate::world::{run, with_input};

/// The verbs, as `credence help` lists them.
fn verbs() -> Vec<String> {
    let help = run(&["--help"]).out;
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    // A verb stands two columns in; what goes on below it stands further in.
    let verb = |line: &str| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')).map(str::to_owned);
    list.lines().filter_map(verb).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_verb_has_help_with_an_example() {
    let verbs = verbs();
    for needed in ["serve", "check", "explain", "version", "completion"] {
        assert!(verbs.iter().any(|verb| verb == needed), "no {needed} in {verbs:?}");
    }
    for verb in verbs.iter().filter(|verb| *verb != "help") {
        let ended = run(&[verb, "--help"]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{verb}");
        assert!(ended.out.contains(&format!("Example: credence {verb}")), "{verb} has no example: {}", ended.out);
    }
}

#[test]
fn the_readme_has_a_line_for_every_question_and_shows_what_the_program_says() {
    let readme = include_str!("../../README.md");
    let part = readme.split("## Asking the table questions").nth(1).unwrap().split("\n## ").next().unwrap();
    let no_questions = ["serve", "issuer", "man", "version", "completion", "help"];
    for verb in verbs().iter().filter(|verb| !no_questions.contains(&verb.as_str())) {
        assert!(part.lines().any(|line| line.starts_with(&format!("| `credence {verb}"))), "no line for {verb}");
    }
    let shown = part.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let mut commands = 0;
    for one in shown.split("$ credence ").skip(1) {
        let (command, output) = one.split_once('\n').unwrap();
        let args: Vec<_> = command.split(' ').chain(["--at", "2026-11-21T12:00:00Z"]).collect();
        assert_eq!(run(&args).out, output, "{command}");
        commands += 1;
    }
    assert_eq!(commands, 2);
}

#[test]
fn the_version_is_told() {
    let version = format!("credence {}\n", env!("CARGO_PKG_VERSION"));
    for args in [&["version"][..], &["--version"], &["-V"]] {
        let ended = run(args);
        assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, version.as_str(), ""), "{args:?}");
    }
}

#[test]
fn completion_scripts_are_there_and_name_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = run(&["completion", shell]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{shell}");
        assert!(ended.out.contains("explain") && ended.out.contains("token-file"), "{shell}");
    }
    // The shell itself has to understand it.
    let script = run(&["completion", "bash"]).out;
    let mut bash = std::process::Command::new("bash");
    bash.args(["-n"]);
    if std::process::Command::new("bash").arg("--version").output().is_ok() {
        let ended = with_input(bash, &script);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    }
    assert_eq!(run(&["completion", "cmd.exe"]).code, 2);
}

#[test]
fn every_verb_has_a_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    let ended = run(&["man", "--dir", directory.path().to_str().unwrap()]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let program = std::fs::read_to_string(directory.path().join("credence.1")).unwrap();
    for verb in verbs().iter().filter(|verb| *verb != "help") {
        let page = std::fs::read_to_string(directory.path().join(format!("credence-{verb}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains("Example: credence"), "{verb}: {page}");
        let written = verb.replace('-', "\\-");
        assert!(program.contains(&format!("credence\\-{written}(1)")), "{verb} is not on the first page");
        assert_eq!(run(&["man", verb]).out, page);
    }
    assert_eq!(run(&["man", "frobnicate"]).code, 2);
}

#[test]
fn the_schemas_are_json_and_name_what_they_are_of() {
    for (kind, name) in [("table", "TrustTable"), ("test", "TrustTableTest")] {
        let schema: serde_json::Value = serde_json::from_str(&run(&["schema", kind]).out).unwrap();
        assert_eq!(schema.pointer("/properties/kind/const"), Some(&serde_json::Value::from(name)));
    }
}

#[test]
fn what_is_not_understood_is_2_and_on_standard_error() {
    for args in [&["frobnicate"][..], &["check", "--frobnicate"], &["explain"], &["serve"], &[]] {
        let ended = run(args);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{args:?}");
        assert!(!ended.err.is_empty(), "{args:?}");
    }
}

#[test]
fn there_are_no_colours_where_no_terminal_is_or_where_nobody_wants_them() {
    let check = |no_color: Option<&str>| {
        let mut command = command(&["check", "-"]);
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        with_input(command, "issuers: {").err
    };
    for no_color in [None, Some(""), Some("1")] {
        let told = check(no_color);
        assert!(told.contains("error[") && !told.contains('\u{1b}'), "{told:?}");
    }
}

/// `script` gives the program a terminal. Where there is none of it, this is left to the reader of `output.rs`.
#[test]
fn a_terminal_gets_colours_unless_no_color_is_set() {
    let on_a_terminal = |variable: &str| {
        let shell = format!("{variable} {} check /dev/null", crate::support::credence::binary().display());
        let mut command = std::process::Command::new("script");
        crate::support::process::environment(&mut command).args(["-qec", &shell, "/dev/null"]).env_remove("NO_COLOR");
        command.output().ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(coloured) = on_a_terminal("") else { return };
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    assert!(!on_a_terminal("NO_COLOR=1").unwrap().contains("\u{1b}["));
}

#[test]
fn standard_input_is_read_once() {
    let url = "https://a.test/";
    for (args, told) in [
        (&["explain", "--trust", "-", "--token-file", "-", "GET", url][..], "--trust and --token-file"),
        (&["explain", "--trust", "-", "--keys", "-", "GET", url], "--trust and --keys"),
        (&["inspect", "--trust=-", "--token-file=-"], "--trust and --token-file"),
        (&["list", "--trust", "-", "--blocks", "-"], "--trust and --blocks"),
        (&["diff", "-", "-"], "OLD and NEW"),
        (&["check", "-", "-"], "PATHS and PATHS"),
    ] {
        let ended = run(args);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{args:?}");
        assert!(ended.err.contains("`-` is standard input") && ended.err.contains(told), "{args:?}: {}", ended.err);
    }
    // One variable may stand for two arguments: what it names is still one thing.
    let mut check = command(&["check"]);
    check.env("CREDENCE_TRUST", "-");
    assert!(with_input(check, "kind: TrustTable").err.contains("CR0"));
}

#[test]
fn a_name_that_is_like_no_other_leads_to_none() {
    for (args, near) in [
        (["rule", "CR999"], None),
        (["rule", "CR1O1"], Some("CR101")),
        (["man", "nope"], None),
        (["man", "serv"], Some("serve")),
        (["profiles", "github"], Some("github-actions")),
        (["profiles", "zzz"], None),
    ] {
        let ended = run(&args);
        assert_eq!(ended.code, 2, "{args:?}");
        let told = ended.err.contains("the nearest is");
        assert_eq!(told, near.is_some(), "{args:?}: {}", ended.err);
        assert!(near.is_none_or(|near| ended.err.contains(&format!("the nearest is {near:?}"))), "{}", ended.err);
    }
}
