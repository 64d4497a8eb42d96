//! What the operating system says of this process, under the names that dashboards of processes ask for. Linux only, as
//! in the libraries for other languages; elsewhere, and where `/proc` is not readable, these series are missing.

use std::fs;

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as model;

/// Ticks of a second in `/proc` (USER_HZ): part of the kernel's interface, and the same on every architecture that this runs on.
const TICKS: f64 = 100.0;

/// The families `process_*` of this moment.
pub(super) fn families() -> Vec<model::MetricFamily> {
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let stat = stat.as_deref().and_then(Stat::read);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let gauges = [
        ("process_start_time_seconds", "When the process began, since 1970", stat.as_ref().and_then(Stat::began)),
        ("process_resident_memory_bytes", "Memory of the process that is in RAM", kibibytes(&status, "VmRSS:")),
        ("process_virtual_memory_bytes", "Address space of the process", kibibytes(&status, "VmSize:")),
        ("process_open_fds", "Open file descriptors, each connection is one", open_files()),
        ("process_max_fds", "File descriptors that may be open at once", max_files()),
        ("process_threads", "Threads of the process", number(&status, "Threads:")),
    ];
    let gauge = |value| model::Metric { gauge: Some(model::Gauge { value }), ..Default::default() };
    let counter =
        |value| model::Metric { counter: Some(model::Counter { value, ..Default::default() }), ..Default::default() };
    let spent = stat.map(|stat| stat.spent).map(|value| {
        let help = "Processor time of the process, in the kernel too";
        family("process_cpu_seconds_total", help, model::MetricType::Counter, counter(value))
    });
    let gauges = gauges
        .into_iter()
        .filter_map(|(name, help, value)| Some(family(name, help, model::MetricType::Gauge, gauge(value?))));
    spent.into_iter().chain(gauges).collect()
}

fn family(name: &str, help: &str, kind: model::MetricType, metric: model::Metric) -> model::MetricFamily {
    let help = format!("{help}.");
    model::MetricFamily { name: name.into(), help, r#type: kind.into(), metric: vec![metric], ..Default::default() }
}

/// Of `/proc/self/stat`.
struct Stat {
    /// Seconds of processor time.
    spent: f64,
    /// Seconds from the start of the machine to that of the process.
    after_boot: f64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, and may hold anything.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // proc(5) counts from one, and here the third comes first.
        let ticks = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS);
        Some(Self { spent: ticks(14)? + ticks(15)?, after_boot: ticks(22)? })
    }

    fn began(&self) -> Option<f64> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        Some(number(&machine, "btime")? + self.after_boot)
    }
}

/// The first number on the line that begins with this word.
fn number(text: &str, word: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn kibibytes(text: &str, word: &str) -> Option<f64> {
    Some(number(text, word)? * 1024.0)
}

fn open_files() -> Option<f64> {
    // The directory that is being read is one of them.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(f64::from(u32::try_from(open).unwrap_or(u32::MAX)))
}

/// The soft limit; `unlimited` is none.
fn max_files() -> Option<f64> {
    number(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_called_anything_is_read_by_its_last_parenthesis() {
        let fields: Vec<String> = (3..=52).map(|field: u32| (field * 100).to_string()).collect();
        let stat = Stat::read(&format!("7 (a) b (1 2 3)) S {}", fields[1..].join(" "))).unwrap();
        assert_eq!((stat.spent, stat.after_boot), (29.0, 22.0));
        for text in ["", "7 (a)", "7 (a) S 1 2", "7 a S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23"] {
            assert!(Stat::read(text).is_none(), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn all_of_this_process_is_told_and_could_be_true() {
        let _open: Vec<_> = (0..20).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let families = families();
        let of = |name: &str| {
            let family = families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no {name}"));
            let metric = &family.metric[0];
            metric.gauge.as_ref().map(|gauge| gauge.value).or(metric.counter.as_ref().map(|one| one.value)).unwrap()
        };
        let now = crate::clock::Clock::System.now().seconds();
        let began = of("process_start_time_seconds");
        assert!(began > now - 24.0 * 3600.0 && began < now + 60.0, "{began} {now}");
        assert!(of("process_resident_memory_bytes") > 1e6);
        assert!(of("process_virtual_memory_bytes") > of("process_resident_memory_bytes"));
        assert!((20.0..of("process_max_fds")).contains(&of("process_open_fds")));
        assert!(of("process_threads") >= 1.0);
        assert!(of("process_cpu_seconds_total") >= 0.0);
    }
}
