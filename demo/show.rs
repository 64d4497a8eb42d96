//! How the demo tells its story: one line a request, what was sent on the left, what came out on the right.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use serde_json::Value;

use crate::World;
use crate::support::http::Response;
use crate::support::upstream::Echo;

/// The page on which the steps are written, and the count of those that came out wrong.
pub(crate) struct Stage {
    colour: bool,
    steps: usize,
    failed: usize,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, steps: 0, failed: 0 }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Who is there.
    pub(crate) fn scene(&self, world: &World) {
        println!(
            "{}",
            self.paint("1", "credence: should this issuer be believed about this subject for this resource?")
        );
        println!();
        println!("  client ──▶ Envoy 1.40 ──▶ upstream      two issuers vouch for the same sub, {:?}:", crate::SUBJECT);
        println!("               │  ▲                       ci       {}", world.ci.url());
        println!(
            "               ▼  │                                may POST /v1/services/payments/**, from refs/heads/main"
        );
        println!("             credence ◀── trust.yaml      partner  {}", world.partner.url());
        println!("                                                   may GET /v1/status");
    }

    /// Begins a group of steps.
    pub(crate) fn part(&self, title: &str) {
        println!();
        println!("{}", self.paint("1", title));
    }

    /// One request: its answer has to be `status`, and credence's own log has to give `reason`.
    pub(crate) fn expect(&mut self, world: &World, sent: &str, response: &Response, status: u16, reason: &str) {
        let line = decision(world, response);
        let logged = line["reason"].as_str().unwrap_or("nothing in the log");
        let right = response.status == status && logged == reason;
        let mut out = format!("{} · {logged}", response.status);
        if let Some(miss) = line["near_miss"].get(0) {
            let failed: Vec<&str> = miss["failed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let grant = miss["grant"].as_str().unwrap_or("?");
            out.push_str(&format!(" · nearest grant {grant} differs in {}", failed.join(", ")));
        }
        self.line(right, sent, &out);
        if !right {
            println!("      expected {status} · {reason}");
        }
    }

    /// Something else that has to hold.
    pub(crate) fn check(&mut self, what: &str, holds: bool) {
        self.line(holds, what, "");
    }

    fn line(&mut self, right: bool, left: &str, rest: &str) {
        self.steps += 1;
        self.failed += usize::from(!right);
        let mark = if right { self.paint("32", "✔") } else { self.paint("31", "✘") };
        println!("{}", format!("  {mark} {left:<48}{rest}").trim_end());
    }

    /// Headers that the upstream received.
    pub(crate) fn seen(&self, headers: &[(&str, &str)]) {
        for (index, (name, value)) in headers.iter().enumerate() {
            let label = if index == 0 { "the upstream saw" } else { "" };
            println!("      {label:<18}{}", self.paint("36", &format!("{name}: {value}")));
        }
    }

    /// The sum; gives the number of steps that came out wrong.
    pub(crate) fn end(&self) -> usize {
        println!();
        match self.failed {
            0 => println!("{}", self.paint("32", &format!("All {} steps came out as they should.", self.steps))),
            failed => {
                println!("{}", self.paint("31", &format!("{failed} of {} steps came out otherwise.", self.steps)))
            }
        }
        self.failed
    }

    /// What to try while everything runs.
    pub(crate) fn keep(&self, gateway: SocketAddr, admin: SocketAddr, host: &str, deploy: &str) {
        let curl = |token: &str, rest: &str| {
            println!(
                "  curl -i -H 'Host: {host}' -H \"Authorization: Bearer $(cat demo-run/{token}.token)\" \\\n       {rest}"
            );
        };
        println!();
        println!("{}", self.paint("1", "Everything is still running; Ctrl-C ends it. To try, from this folder:"));
        println!();
        curl("ci", &format!("-X POST http://{gateway}{deploy}"));
        curl("partner", &format!("-X POST http://{gateway}{deploy}"));
        curl("partner", &format!("http://{gateway}/v1/status"));
        println!();
        println!("  tail -n 1 demo-run/decisions.jsonl        what credence thought of it");
        println!("  edit demo-run/trust.yaml                  then ask again");
        println!("  curl -s http://{admin}/readyz    whether the edit was taken, and if not, why not");
        println!("  target/debug/credence check demo-run/trust.yaml");
        println!("  target/debug/credence explain --trust demo-run/trust.yaml --token-file demo-run/partner.token \\");
        println!("       POST http://{host}{deploy}");
    }
}

/// The line of credence's decision log for a response: its id is in the refusal's body or among the headers that the
/// upstream echoes.
fn decision(world: &World, response: &Response) -> Value {
    let id = match response.status {
        200 => Echo::of(response).one("x-credence-decision-id").to_owned(),
        _ => serde_json::from_slice::<Value>(&response.body).unwrap_or_default()["decision_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    };
    if id.is_empty() { Value::Null } else { world.credence.decision(&id) }
}
