//! `status`: does every replica have the table and the blocks that it should?

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::open::Open;
use super::output::{Output, colours, diagnostic, escaped, escaped_json, result, trouble, value};
use super::trust::load;
use super::{NO, YES};
use crate::clock::Clock;
use crate::fetch;
use crate::table::{CompiledBlocks, Documents, Sources, compile_blocks};

/// Time between two rounds of asking.
const PAUSE: Duration = Duration::from_millis(200);

/// Ask running replicas which table and which blocks they have in force, and wait until all have the expected ones.
///
/// Asks `/readyz` on the admin listener of each. What is expected is compared by the digest of its meaning, so that another
/// order of files or entries is the same. Without `--expect` and `--ready` each is asked once, and all must have the same.
///
/// Exit code: 0 every replica has what is expected, 1 one has not (in time), 2 could not run.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence status http://10.0.0.7:9192 http://10.0.0.8:9192 --expect trust.yaml --expect blocks.yaml"
)]
pub(super) struct StatusOf {
    /// The admin listeners: http://HOST:PORT.
    #[arg(required = true, value_name = "URL", value_parser = url)]
    urls: Vec<String>,
    /// A table or blocks that each must have: a YAML file, or a directory of them. Several: repeat it.
    #[arg(long, env = "CREDENCE_EXPECT", value_name = "PATH")]
    expect: Vec<PathBuf>,
    /// Each must be ready, too: have the keys of every issuer that the table says is `required`. As the probe of a container
    /// whose admin listener nobody reaches from outside: `credence status --ready --timeout 0 http://127.0.0.1:9192`.
    #[arg(long, env = "CREDENCE_READY", value_parser = super::output::switch)]
    ready: bool,
    /// How long to wait for it, in seconds.
    #[arg(long, env = "CREDENCE_TIMEOUT", value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    open: Open,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

fn url(text: &str) -> Result<String, String> {
    let sound = text.starts_with("http://") || text.starts_with("https://");
    if sound { Ok(text.to_owned()) } else { Err("expected http://HOST:PORT".to_owned()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse();
    number.map(Duration::from_secs).map_err(|_| "expected a number of seconds, such as 30".to_owned())
}

pub(super) fn run(verb: &StatusOf) -> u8 {
    match try_run(verb) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

/// What each must have: digests, `None` where nothing is said of them, and whether it must be ready.
#[derive(Default)]
struct Expected {
    ready: bool,
    table: Option<String>,
    blocks: Option<String>,
}

/// What one replica says.
struct Replica {
    url: String,
    said: Result<Value, String>,
}

fn try_run(verb: &StatusOf) -> Result<u8, String> {
    let expected = expected(verb)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let replicas = runtime.block_on(wait(verb, &expected));
    let agree = all_as_expected(&replicas, &expected);
    result(&match verb.output {
        Output::Text => escaped(&replicas.iter().map(|one| one.text(&expected)).collect::<String>()),
        Output::Json => escaped_json(&json!({
            "as_expected": agree,
            "expected": {"table": expected.table, "blocks": expected.blocks},
            "replicas": replicas.iter().map(|one| one.tree(&expected)).collect::<Vec<_>>(),
        })),
    });
    if verb.expect.is_empty() && !have_the_same(replicas.iter().filter(|one| one.said.is_ok())) {
        diagnostic("the replicas that answer do not all have the same table and blocks");
    }
    Ok(if agree { YES } else { NO })
}

/// The digests of what lies at the paths.
fn expected(verb: &StatusOf) -> Result<Expected, String> {
    let mut expected = Expected { ready: verb.ready, ..Expected::default() };
    let now = Clock::System.now();
    let twice =
        |what: &str| format!("--expect: more than one of the paths holds {what}: name one file or directory of it");
    for path in &verb.expect {
        let sources = Sources::read(path);
        let documents = Documents::of(&sources);
        if documents.table {
            let digest = load(path, &verb.open, now)?.snapshot.digest;
            if expected.table.replace(digest).is_some() {
                return Err(twice("a table"));
            }
        }
        if documents.blocks {
            let CompiledBlocks { blocks, report, .. } = compile_blocks(&sources, now, None);
            let Some(blocks) = blocks else {
                diagnostic(&report.render(colours()));
                return Err(format!("{}: the blocks do not load, so nobody can have them", path.display()));
            };
            if expected.blocks.replace(blocks.digest().to_owned()).is_some() {
                return Err(twice("blocks"));
            }
        }
    }
    Ok(expected)
}

/// Asks until all are as expected, or the time is up; once where nothing is expected.
async fn wait(verb: &StatusOf, expected: &Expected) -> Vec<Replica> {
    let end = Instant::now() + verb.timeout;
    loop {
        let replicas = ask(&verb.urls).await;
        let done = (verb.expect.is_empty() && !verb.ready) || all_as_expected(&replicas, expected);
        if done || Instant::now() >= end {
            return replicas;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// All at once, told in the order of the arguments.
async fn ask(urls: &[String]) -> Vec<Replica> {
    let asked: Vec<_> = urls
        .iter()
        .cloned()
        .map(|url| {
            tokio::spawn(async move {
                let body = fetch::readiness(&url).await;
                let said = body.and_then(|body| {
                    let read = serde_json::from_slice::<Value>(&body).ok();
                    read.filter(|said| said["ready"].is_boolean()).ok_or_else(|| {
                        "this is no answer of credence: is it the address of `--admin-listen`?".to_owned()
                    })
                });
                Replica { url, said }
            })
        })
        .collect();
    let mut replicas = Vec::with_capacity(asked.len());
    for one in asked {
        replicas.extend(one.await.ok());
    }
    replicas
}

fn all_as_expected(replicas: &[Replica], expected: &Expected) -> bool {
    let silent = expected.table.is_none() && expected.blocks.is_none();
    replicas.iter().all(|one| one.lacks(expected).is_empty()) && (!silent || have_the_same(replicas.iter()))
}

/// Whether no two of them differ in what they have in force.
fn have_the_same<'a>(replicas: impl Iterator<Item = &'a Replica>) -> bool {
    replicas.map(|one| (one.digest("table"), one.digest("blocks"))).collect::<BTreeSet<_>>().len() <= 1
}

impl Replica {
    /// The digest of what it has in force.
    fn digest(&self, what: &str) -> Option<&str> {
        self.said.as_ref().ok()?.get(what)?.get("sha256")?.as_str()
    }

    fn is_ready(&self) -> bool {
        self.said.as_ref().is_ok_and(|said| said["ready"] == true)
    }

    /// Names of the issuers whose keys it waits for.
    fn awaited(&self) -> String {
        let names = self.said.as_ref().ok().and_then(|said| said["awaited"].as_array());
        names.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    }

    /// What it should have and has not.
    fn lacks(&self, expected: &Expected) -> Vec<&'static str> {
        if self.said.is_err() {
            return vec!["an answer"];
        }
        let of = [("table", &expected.table), ("blocks", &expected.blocks)];
        let wrong = |what, wanted: &Option<String>| wanted.is_some() && self.digest(what) != wanted.as_deref();
        let mut lacks: Vec<_> =
            of.into_iter().filter(|(what, wanted)| wrong(what, wanted)).map(|(what, _)| what).collect();
        // One that has no table in force answers nobody, whatever is expected.
        if self.digest("table").is_none() && !lacks.contains(&"table") {
            lacks.push("table");
        }
        if expected.ready && !self.is_ready() {
            lacks.push("readiness");
        }
        lacks
    }

    fn text(&self, expected: &Expected) -> String {
        let said = match &self.said {
            Ok(said) => said,
            Err(error) => return format!("NO  {}\n      no answer: {}\n", value(&self.url), value(error)),
        };
        let lacks = self.lacks(expected);
        let mut out = format!("{}  {}\n", if lacks.is_empty() { "yes" } else { "NO " }, value(&self.url));
        for (what, error, wanted) in
            [("table", "last_reload_error", &expected.table), ("blocks", "last_blocks_error", &expected.blocks)]
        {
            let state = &said[what];
            let text = |name: &str| value(state[name].as_str().unwrap_or_default());
            out += &match state.is_object() {
                true => format!(
                    "      {what:<6} generation {}, since {}, sha256 {}\n",
                    value(&state["generation"]),
                    text("loaded_at"),
                    text("sha256")
                ),
                false => format!("      {what:<6} none\n"),
            };
            if let (true, Some(wanted)) = (lacks.contains(&what), wanted) {
                out += &format!("      {:<6} expected sha256 {wanted}\n", "");
            }
            if let Some(error) = said[error].as_str() {
                out += &format!("      {:<6} the last change was not taken: {}\n", "", value(error));
            }
        }
        if lacks.contains(&"readiness") {
            out += &format!("      not ready: it waits for the keys of {}\n", value(self.awaited()));
        }
        out
    }

    fn tree(&self, expected: &Expected) -> Value {
        let lacks = self.lacks(expected);
        match &self.said {
            Ok(said) => json!({
                "url": self.url, "as_expected": lacks.is_empty(), "lacks": lacks, "ready": said["ready"],
                "table": said["table"], "blocks": said["blocks"],
                "last_reload_error": said["last_reload_error"], "last_blocks_error": said["last_blocks_error"],
            }),
            Err(error) => json!({"url": self.url, "as_expected": false, "lacks": lacks, "error": error}),
        }
    }
}
