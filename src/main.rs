//! The program: see [`credence::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    give_memory_back();
    credence::cli::run(std::env::args_os())
}

/// Makes the allocator give freed memory back to the system at once, if nobody said otherwise: the load of a large table
/// needs several times what the table takes. It reads that before `main` begins, from the environment and from nowhere
/// else, so a server begins once more with it; where that fails it goes on as it is.
#[cfg(target_os = "linux")]
fn give_memory_back() {
    use std::os::unix::process::CommandExt as _;
    const DELAY: &str = "MIMALLOC_PURGE_DELAY";

    let mut arguments = std::env::args_os();
    let (name, verb) = (arguments.next(), arguments.next());
    if verb.is_none_or(|verb| verb != "serve") || std::env::var_os(DELAY).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut again = std::process::Command::new(program);
    again.args(std::env::args_os().skip(1)).env(DELAY, "0");
    if let Some(name) = name {
        again.arg0(name);
    }
    // Returns only if it failed.
    let _failed = again.exec();
}
