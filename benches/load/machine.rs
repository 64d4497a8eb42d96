//! Where and when a run took place, so that a figure can be believed elsewhere.

use std::fmt;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{now, root};

/// The machine, the compiler and the source of a run.
#[derive(Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    rustc: String,
    commit: String,
    date: String,
    /// Load average at the start.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let changed = !said("git", &["status", "--porcelain"]).is_empty();
        Self {
            cpu: model.map_or_else(|| "unknown CPU".into(), |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["rev-parse", "--short=12", "HEAD"]) + if changed { " with changes" } else { "" },
            date: jiff::Timestamp::from_second(now().cast_signed()).map(|time| time.to_string()).unwrap_or_default(),
            load: load_average(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "kernel": self.kernel, "rustc": self.rustc, "commit": self.commit,
            "date": self.date, "load_average_before": self.load,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} cores, Linux {}", self.cpu, self.cores, self.kernel)?;
        write!(f, "{}, commit {}, {}", self.rustc, self.commit, self.date)
    }
}

/// Of one, five and fifteen minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
