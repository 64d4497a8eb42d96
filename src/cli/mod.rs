//! The command line: one file a verb.
//!
//! In: arguments. Out: an exit code, results on standard output, diagnostics on standard error. It must never decide
//! anything by itself: every verb calls the same rooms as the server.

mod asked;
mod backtest;
mod can;
mod check;
mod collisions;
mod diff;
mod explain;
mod explain_change;
mod explain_elsewhere;
mod explain_keys;
mod explain_knowledge;
mod explain_no_change;
mod explain_own_grant;
mod explain_relation;
mod explain_story;
mod explain_terms;
mod findings;
mod inspect;
mod issuer;
mod list;
mod log;
mod man;
mod nearest;
mod open;
mod output;
mod probe_check;
mod probe_report;
mod probe_stanza;
mod probe_story;
mod profiles;
mod reach;
mod render;
mod rule;
mod schema;
mod serve;
mod sheet;
mod status;
mod test;
mod test_coverage;
mod test_judge;
mod test_report;
mod token;
mod trust;
mod who_can;
mod why;
mod why_block;
#[cfg(test)]
mod written;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Yes.
const YES: u8 = 0;
/// No.
const NO: u8 = 1;
/// Could not run.
const TROUBLE: u8 = 2;

/// Should this issuer be believed about this subject for this resource?
///
/// Credence is the external authorization service (ext_authz v3) that Envoy, Istio and Envoy Gateway ask about every
/// request. What is trusted stands in one table; what is not written there is denied.
#[derive(Debug, Parser)]
#[command(name = "credence", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

// What a verb does stands at its arguments: a comment here would hide all but its own words from `--help`.
#[derive(Debug, Subcommand)]
enum Verb {
    Serve(Box<serve::Serve>),
    Check(check::Check),
    Test(test::Test),
    Explain(explain::Explain),
    Inspect(inspect::Inspect),
    Why(why::Why),
    Can(can::Can),
    WhoCan(who_can::WhoCanArgs),
    Reach(reach::ReachArgs),
    List(list::List),
    Diff(diff::Diff),
    Collisions(collisions::CollisionsArgs),
    Backtest(backtest::Backtest),
    Render(render::Render),
    Issuer(issuer::Issuer),
    Profiles(profiles::Profiles),
    Status(status::StatusOf),
    Rule(rule::Rule),
    Schema(schema::SchemaOf),
    Man(man::ManPages),
    /// Print the version.
    ///
    /// Example: credence version
    Version,
    /// Print the completion script of a shell.
    ///
    /// Example: credence completion bash > /etc/bash_completion.d/credence
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the program and returns its exit code: 0 yes, 1 no, 2 could not run.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(told(&quoted(error))),
    };
    let code = match cli.verb {
        Verb::Serve(serve) => serve::run(*serve),
        Verb::Check(check) => check::run(&check),
        Verb::Explain(explain) => explain::run(&explain),
        Verb::Inspect(inspect) => inspect::run(&inspect),
        Verb::Why(why) => why::run(&why),
        Verb::Test(test) => test::run(&test),
        Verb::Backtest(backtest) => backtest::run(&backtest),
        Verb::Render(render) => render::run(&render),
        Verb::Issuer(issuer) => issuer::run(&issuer),
        Verb::Profiles(profiles) => profiles::run(&profiles),
        Verb::Status(status) => status::run(&status),
        Verb::Rule(rule) => rule::run(&rule),
        Verb::Schema(schema) => schema::run(&schema),
        Verb::Man(man) => man::run(&man, Cli::command()),
        Verb::List(list) => list::run(&list),
        Verb::Reach(reach) => reach::run(&reach),
        Verb::WhoCan(who) => who_can::run(&who),
        Verb::Can(can) => can::run(&can),
        Verb::Collisions(collisions) => collisions::run(&collisions),
        Verb::Diff(diff) => diff::run(&diff),
        Verb::Version => output::result(&format!("credence {}\n", env!("CARGO_PKG_VERSION"))),
        Verb::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "credence", &mut script);
            output::result(&String::from_utf8_lossy(&script))
        }
    };
    ExitCode::from(output::ended(code))
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut program = Cli::command();
    let given = program.try_get_matches_from_mut(arguments)?;
    if let Some((verb, given)) = given.subcommand() {
        let asked = standard_inputs(&program, verb, given);
        if let [first, second, ..] = asked.as_slice() {
            let message = format!(
                "`-` is standard input, which can be read once: {first} and {second} both ask for it. Give one of them as a file"
            );
            return Err(program.error(ErrorKind::ArgumentConflict, message));
        }
    }
    Cli::from_arg_matches(&given).map_err(|error| error.format(&mut program))
}

/// The arguments that are `-`. A variable that stands for several of them is given once.
fn standard_inputs(program: &clap::Command, verb: &str, given: &ArgMatches) -> Vec<String> {
    let arguments = program.find_subcommand(verb).into_iter().flat_map(clap::Command::get_arguments);
    let (mut asked, mut variables) = (Vec::new(), Vec::new());
    for argument in arguments {
        let id = argument.get_id().as_str();
        let times = given.get_raw(id).into_iter().flatten().filter(|value| *value == "-").count();
        if given.value_source(id) == Some(ValueSource::EnvVariable) {
            if times == 0 || variables.contains(&argument.get_env()) {
                continue;
            }
            variables.push(argument.get_env());
        }
        let name = argument.get_long().map_or_else(|| id.to_uppercase(), |long| format!("--{long}"));
        asked.extend(std::iter::repeat_n(name, times));
    }
    asked
}

/// Prints what is wrong with the arguments. `--help` and `--version` are no errors, and go to standard output.
fn told(error: &clap::Error) -> u8 {
    let written = error.print();
    if error.use_stderr() { TROUBLE } else { output::printed(written) }
}

/// What is wrong with the arguments, which are quoted in it like any other value from outside.
fn quoted(mut error: clap::Error) -> clap::Error {
    let escaped = |given: &ContextValue| match given {
        ContextValue::String(text) => Some(ContextValue::String(output::value(text))),
        ContextValue::Strings(texts) => Some(ContextValue::Strings(texts.iter().map(output::value).collect())),
        _ => None,
    };
    let given: Vec<_> = error.context().filter_map(|(kind, given)| Some((kind, escaped(given)?))).collect();
    for (kind, text) in given {
        error.insert(kind, text);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_every_verb_that_judges_tells_its_exit_codes() {
        let questions = ["list", "reach", "who-can", "can", "collisions", "diff"];
        for verb in ["check", "explain", "why", "test", "backtest", "render"].into_iter().chain(questions) {
            let mut cli = Cli::command();
            let help = cli.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
            assert!(help.contains("Exit code: 0") && help.contains("Example: credence"), "{help}");
        }
    }

    #[test]
    fn the_command_line_is_sound_and_every_flag_has_a_variable() {
        Cli::command().debug_assert();
        let verbs: Vec<_> = Cli::command().get_subcommands().cloned().collect();
        for verb in verbs.iter().flat_map(|verb| std::iter::once(verb).chain(verb.get_subcommands())) {
            for argument in verb.get_arguments().filter(|argument| argument.get_long().is_some()) {
                let long = argument.get_long().unwrap();
                if matches!(long, "help" | "version") {
                    continue;
                }
                let variable = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                let expected = format!("CREDENCE_{}", long.to_uppercase().replace('-', "_"));
                assert_eq!(variable, expected, "{} --{long}", verb.get_name());
            }
        }
    }
}
