//! `man`: the manual pages, made from what `--help` says.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::YES;
use super::nearest::unknown;
use super::output::{result, trouble};

/// Print the manual page of the program or of a verb, or write all of them.
///
/// Exit code: 0, 2 where they cannot be written.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence man --dir /usr/local/share/man/man1")]
pub(super) struct ManPages {
    /// Write every page into this directory, as `credence.1`, `credence-serve.1` and so on.
    #[arg(long, env = "CREDENCE_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The verb; without it the program.
    #[arg(conflicts_with = "dir")]
    verb: Option<String>,
}

pub(super) fn run(man: &ManPages, program: Command) -> u8 {
    // Help is written for terminals; variables and their values are no part of a page.
    let program = program.disable_help_subcommand(true);
    match (&man.dir, &man.verb) {
        (Some(dir), _) => match write_all(dir, &program) {
            Ok(()) => YES,
            Err(error) => trouble(format!("{}: {error}", dir.display())),
        },
        (None, None) => page(program).map_or_else(trouble, |text| result(&text)),
        (None, Some(verb)) => match program.get_subcommands().find(|command| command.get_name() == verb) {
            Some(command) => page(named(command, verb)).map_or_else(trouble, |text| result(&text)),
            None => {
                let known = unknown("verb", verb, program.get_subcommands().map(Command::get_name));
                trouble(format!("{known}: `credence --help` lists them"))
            }
        },
    }
}

fn write_all(dir: &Path, program: &Command) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for command in program.get_subcommands() {
        let name = format!("credence-{}", command.get_name());
        std::fs::write(dir.join(format!("{name}.1")), page(named(command, command.get_name()))?)?;
    }
    std::fs::write(dir.join("credence.1"), page(program.clone())?)
}

/// A verb as a program of its own, as `man credence-check` finds it.
fn named(verb: &Command, name: &str) -> Command {
    verb.clone().display_name(format!("credence-{name}")).bin_name(format!("credence {name}"))
}

fn page(command: Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    Man::new(command).manual("credence").render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
