//! Every command that the documentation writes down, parsed as the program parses it.

use clap::Parser as _;
use clap::error::ErrorKind;

use super::Cli;

/// A command as it is written, and whether it is whole: one in running text may leave out what the text says.
struct Written {
    page: String,
    command: String,
    whole: bool,
}

/// Those of a page: in blocks, where the line starts with them, and in backquotes.
fn commands(page: &str, text: &str) -> Vec<Written> {
    let mut found = Vec::new();
    let mut add = |command: &str, whole| {
        let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
        found.push(Written { page: page.to_owned(), command, whole });
    };
    let (mut prose, mut fenced) = (String::new(), false);
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        let bare = line.trim_start();
        if bare.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let block = fenced || line.starts_with("    ");
        match bare.strip_prefix("$ ").unwrap_or(bare) {
            command if block && command.starts_with("credence ") => add(command, true),
            _ if block => {}
            _ => {
                prose += line;
                prose.push(' ');
            }
        }
    }
    prose.split('`').skip(1).step_by(2).filter(|span| span.starts_with("credence ")).for_each(|span| add(span, false));
    found
}

/// The words of a command, without what the shell takes of it.
fn words(command: &str) -> Vec<String> {
    let stop = |word: &&str| !matches!(*word, "#" | ">" | "|" | ">>" | "2>" | "&&" | "&");
    command.split_whitespace().take_while(stop).map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

fn pages() -> Vec<String> {
    let readmes = std::fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path().join("README.md"));
    let docs = std::fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path());
    let all = docs.chain(readmes).chain([std::path::PathBuf::from("README.md")]);
    all.filter(|path| path.extension().is_some_and(|end| end == "md") && path.exists())
        .map(|path| path.display().to_string())
        .collect()
}

#[test]
fn every_command_of_the_documentation_is_one_that_the_program_takes() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for Written { page, command, whole } in commands(&page, &std::fs::read_to_string(&page).unwrap()) {
            seen += 1;
            let Err(error) = Cli::try_parse_from(words(&command)) else { continue };
            let bearable = match error.kind() {
                ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand => !whole,
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
                _ => false,
            };
            if !bearable {
                wrong.push(format!("{page}: {command}\n{error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 60, "only {seen} were found");
}

#[test]
fn a_verb_a_flag_or_a_value_that_is_not_there_is_found() {
    for (text, found) in [
        ("so `credence frobnicate` does", ErrorKind::InvalidSubcommand),
        ("so `credence list\n--until 3d` does", ErrorKind::UnknownArgument),
        ("```console\n$ credence check --fail-on nothing \\\n  trust.yaml > out\n```", ErrorKind::InvalidValue),
        ("    credence explain GET https://a.test/", ErrorKind::MissingRequiredArgument),
    ] {
        let all = commands("page", text);
        let [one] = all.as_slice() else { panic!("{text}") };
        assert_eq!(Cli::try_parse_from(words(&one.command)).unwrap_err().kind(), found, "{}", one.command);
    }
}
