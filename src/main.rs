//! The program: see [`credence::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    credence::cli::run(std::env::args_os())
}
