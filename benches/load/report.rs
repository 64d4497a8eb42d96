//! Goals, figures and verdicts: as a table for people and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::args::Args;
use crate::machine::{Machine, load_average};
use crate::stats::Spread;

/// What the median of a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// The figure is there to be read.
    None,
}

/// Whether a goal was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// There is a figure and no goal.
    Told,
    /// There is no figure; the row says why.
    Unmeasured,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) case: String,
    /// The goal in words, and as a number.
    pub(crate) words: String,
    pub(crate) goal: Goal,
    pub(crate) unit: &'static str,
    pub(crate) figure: Option<Spread>,
    pub(crate) verdict: Verdict,
    /// What the figure is made of, in short.
    pub(crate) made_of: String,
    /// Cost and goal as multiples of the null server's, for the plot.
    pub(crate) bar: Option<(f64, f64)>,
    /// Everything that was measured.
    pub(crate) detail: Value,
}

impl Row {
    /// Judges a figure: its median must not exceed `limit`.
    pub(crate) fn new(case: impl Into<String>, words: &str, limit: f64, unit: &'static str, rounds: &[f64]) -> Self {
        Self::judged(case, words, Goal::AtMost(limit), unit, rounds)
    }

    /// A figure that has no goal.
    pub(crate) fn told(case: impl Into<String>, unit: &'static str, rounds: &[f64]) -> Self {
        Self::judged(case, "", Goal::None, unit, rounds)
    }

    /// Judges a figure by a goal of any kind.
    pub(crate) fn judged(case: impl Into<String>, words: &str, goal: Goal, unit: &'static str, rounds: &[f64]) -> Self {
        let figure = Spread::of(rounds);
        let verdict = verdict(figure, goal);
        let (made_of, detail) = (String::new(), Value::Null);
        Self { case: case.into(), words: words.into(), goal, unit, figure, verdict, made_of, bar: None, detail }
    }

    /// A row without a figure.
    pub(crate) fn unmeasured(case: impl Into<String>, why: impl Into<String>) -> Self {
        Self { made_of: why.into(), ..Self::told(case, "", &[]) }
    }

    /// A row, or the reason why there is none.
    pub(crate) fn or_why(case: &str, row: Outcome<Self>) -> Self {
        row.unwrap_or_else(|error| Self::unmeasured(case, error.to_string()))
    }

    pub(crate) fn made_of(mut self, text: impl Into<String>) -> Self {
        self.made_of = text.into();
        self
    }

    pub(crate) fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// For the plot: cost and goal as multiples of the null server's cost.
    pub(crate) const fn bar(mut self, cost: f64, goal: f64) -> Self {
        self.bar = Some((cost, goal));
        self
    }

    fn json(&self) -> Value {
        json!({
            "case": self.case, "goal": self.words, "bound": self.goal.bound(), "limit": self.goal.limit(),
            "unit": self.unit,
            "figure": self.figure.map(Spread::json), "verdict": self.verdict.word(),
            "made_of": self.made_of, "times_null": self.bar.map(|(cost, goal)| json!({"cost": cost, "goal": goal})),
            "detail": self.detail,
        })
    }
}

impl Goal {
    const fn limit(self) -> Option<f64> {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) => Some(limit),
            Self::None => None,
        }
    }

    const fn bound(self) -> Option<&'static str> {
        match self {
            Self::AtMost(_) => Some("at most"),
            Self::AtLeast(_) => Some("at least"),
            Self::None => None,
        }
    }
}

/// Judges the median. What is no number is no figure.
pub(crate) fn verdict(figure: Option<Spread>, goal: Goal) -> Verdict {
    let Some(median) = figure.map(|figure| figure.median).filter(|median| !median.is_nan()) else {
        return Verdict::Unmeasured;
    };
    let met = match goal {
        Goal::AtMost(limit) => median <= limit,
        Goal::AtLeast(limit) => median >= limit,
        Goal::None => return Verdict::Told,
    };
    if met { Verdict::Met } else { Verdict::Missed }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Told => "no goal",
            Self::Unmeasured => "not measured",
        }
    }
}

/// All rows of a run, and where it ran.
pub(crate) struct Report {
    machine: Machine,
    settings: Value,
    pub(crate) rows: Vec<Row>,
    load_after: String,
}

impl Report {
    pub(crate) fn new(args: &Args) -> Self {
        let settings = json!({
            "rounds": args.rounds(), "seconds": args.window().as_secs_f64(), "connections": args.connections,
            "streams": args.streams, "distinct_tokens": args.distinct(), "quick": args.quick, "serve_args": args.serve_arg,
        });
        Self { machine: Machine::here(), settings, rows: Vec::new(), load_after: String::new() }
    }

    /// Adds rows and shows them at once: a long run is watched.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        for row in &rows {
            eprintln!("  {}: {} {} {}", row.case, figure(row), row.verdict.word(), row.made_of);
        }
        self.rows.extend(rows);
    }

    /// Notes what the machine was doing at the end.
    pub(crate) fn finish(&mut self) {
        self.load_after = load_average();
    }

    /// The table.
    pub(crate) fn text(&self) -> String {
        let head = ["case", "figure", "spread", "goal", "verdict", "made of"].map(str::to_owned);
        let line = |row: &Row| {
            let goal = row.words.clone();
            [row.case.clone(), figure(row), spread(row), goal, row.verdict.word().to_owned(), row.made_of.clone()]
        };
        let lines: Vec<_> = std::iter::once(head).chain(self.rows.iter().map(line)).collect();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut text =
            format!("\n{}\nload average {} before, {} after\n\n", self.machine, self.machine.load, self.load_after);
        for line in &lines {
            for (column, cell) in line.iter().enumerate() {
                let padding = if column + 1 == line.len() { 0 } else { width(column) - cell.chars().count() + 2 };
                // Writing to a String cannot fail.
                let _ = write!(text, "{cell}{}", " ".repeat(padding));
            }
            text.push('\n');
        }
        let of = |verdict| self.rows.iter().filter(|row| row.verdict == verdict).count();
        let _ = write!(text, "\n{} met, {} missed", of(Verdict::Met), of(Verdict::Missed));
        for (verdict, words) in [(Verdict::Told, "without a goal"), (Verdict::Unmeasured, "not measured")] {
            if of(verdict) > 0 {
                let _ = write!(text, ", {} {words}", of(verdict));
            }
        }
        text
    }

    /// Everything, for machines.
    pub(crate) fn write_json(&self, path: &Path) -> Outcome {
        let all = json!({
            "machine": self.machine.json(), "settings": self.settings, "load_average_after": self.load_after,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        Ok(std::fs::write(path, format!("{all:#}\n"))?)
    }
}

fn figure(row: &Row) -> String {
    row.figure.map_or_else(|| "-".into(), |figure| format!("{} {}", short(figure.median), row.unit))
}

fn spread(row: &Row) -> String {
    row.figure.map_or_else(String::new, |figure| format!("{}..{}", short(figure.min), short(figure.max)))
}

/// Three digits or so.
pub(crate) fn short(number: f64) -> String {
    if number.abs() < 10.0 { format!("{number:.2}") } else { format!("{number:.1}") }
}
