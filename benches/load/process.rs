//! What the operating system knows about a process: CPU time and memory, from `/proc`.

use std::fs;

use crate::Outcome;

/// CPU time of a process so far, by two books that the kernel keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    /// Nanoseconds on a CPU of all threads alive (`/proc/PID/task/*/schedstat`): fine, but a thread that has ended is gone.
    pub(crate) alive: u64,
    /// Nanoseconds of all threads that ever were (`utime` + `stime` of `/proc/PID/stat`), in steps of 10 ms.
    pub(crate) ever: u64,
}

impl Cpu {
    /// Reads both books.
    pub(crate) fn of(pid: u32) -> Outcome<Self> {
        let mut alive = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between the listing and the reading.
            if let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) {
                alive += first_number(&text).ok_or("schedstat cannot be read")?;
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(Self { alive, ever: ticks(&stat).ok_or("stat cannot be read")? * (1_000_000_000 / TICKS) })
    }

    /// Time spent since `before`. Where threads have ended in between, the coarse book is the right one.
    pub(crate) fn since(self, before: Self) -> u64 {
        let (fine, coarse) = (self.alive.saturating_sub(before.alive), self.ever.saturating_sub(before.ever));
        if coarse > fine + fine / 10 + 40_000_000 { coarse } else { fine }
    }
}

/// `USER_HZ`: 100 on every Linux that Rust runs on.
const TICKS: u64 = 100;

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// `utime` + `stime`: fields 14 and 15, counted behind the name, which may hold spaces and brackets.
pub(crate) fn ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Seconds of CPU of all children that have ended (`cutime` + `cstime` of `/proc/self/stat`), in steps of 10 ms.
pub(crate) fn children() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, behind) = stat.rsplit_once(')').ok_or("stat cannot be read")?;
    let fields = behind.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(fields.sum::<Result<f64, _>>()? / TICKS as f64)
}

/// The most that was ever resident, in MiB.
pub(crate) fn peak(pid: u32) -> Outcome<f64> {
    of_status(pid, "VmHWM:")
}

/// Nanoseconds that this thread was on a CPU. The kernel brings the book up to date when a thread yields.
pub(crate) fn own_thread() -> Outcome<u64> {
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(first_number(&text).ok_or("schedstat cannot be read")?)
}

/// Resident memory in MiB.
pub(crate) fn resident(pid: u32) -> Outcome<f64> {
    of_status(pid, "VmRSS:")
}

/// A line of `/proc/PID/status` in kB, as MiB.
fn of_status(pid: u32, name: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("a line of status is missing")?;
    Ok(first_number(line).ok_or("status cannot be read")? as f64 / 1024.0)
}
