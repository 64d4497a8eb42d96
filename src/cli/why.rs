//! `why`: the explanation of one decision, from the decision log.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::log::Logs;
use super::open::Open;
use super::output::{Output, diagnostic, escaped, escaped_json, or_absent, result, trouble, value};
use super::trust::{Blocked, Loaded, load};
use super::why_block::Stands;
use super::{NO, YES};
use crate::clock::{Clock, Time};
use crate::decide::{Failed, Grant};
use crate::logbook::{Names, Record, Who};
use crate::table::Snapshot;

/// Explain one decision from the decision log.
///
/// Says what was decided and why, who called and how sure that is, where they went, which grants came near and in what
/// they differed, which token it was and which table decided. With `--trust` the lines of the table are shown: those
/// very lines where the table still is the one that decided, else the table says so and its lines may not be those. With
/// `--blocks` it shows the line of the block that stood against the caller, and what is written there.
///
/// Exit code: 0 found, 1 no such decision in these logs, 2 could not run.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: credence why 01a200a6-9f3f-761a-b665-b9542fea3a71 --log decisions.jsonl --trust trust.yaml"
)]
pub(super) struct Why {
    /// The id of the decision: `decision_id` of the answer's body, `x-credence-decision-id` of an allowed request.
    decision_id: String,
    #[command(flatten)]
    logs: Logs,
    /// The trust table, to show its lines: a YAML file, or a directory of them.
    #[arg(long, env = "CREDENCE_TRUST", value_name = "PATH")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    blocks: Blocked,
    #[command(flatten)]
    open: Open,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn run(why: &Why) -> u8 {
    match try_run(why) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn try_run(why: &Why) -> Result<u8, String> {
    let mut found = None;
    let counts = why.logs.read(&mut |record| {
        if record.decision_id.eq_ignore_ascii_case(&why.decision_id) {
            found = Some(record);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let Some(record) = found else {
        let hint = "lines may have been dropped (credence_decision_log_dropped_total), or be in another instance's log";
        diagnostic(&value(format!(
            "no decision {:?} among the {} of these logs: {hint}",
            why.decision_id, counts.decisions
        )));
        return Ok(NO);
    };
    let now = Clock::System.now();
    let loaded = match &why.trust {
        Some(path) => Some(load(path, &why.open, now)?),
        None => None,
    };
    let blocks = why.blocks.load_given(now)?;
    let block = record.block.as_deref().map(|name| Stands::by(name, blocks.as_ref()));
    let table = loaded.as_ref().map(|Loaded { snapshot, .. }| snapshot);
    let story = Story { record: &record, table, block };
    result(&match why.output {
        Output::Text => escaped(&story.text()),
        Output::Json => escaped_json(&story.json()),
    });
    Ok(YES)
}

/// One record, a table that may be the one that decided, and the block that stood against the caller.
struct Story<'a> {
    record: &'a Record,
    table: Option<&'a Snapshot>,
    block: Option<Stands<'a>>,
}

impl Story<'_> {
    /// Whether the table at hand is the one that decided; `None` where none is at hand.
    fn is_same_table(&self) -> Option<bool> {
        let table = self.table?;
        Some(self.record.digest() == Some(table.digest.as_str()))
    }

    fn text(&self) -> String {
        let record = self.record;
        let mut out = format!("{} {}{}\n", verdict(record), value(&record.reason), sentence(record));
        out += &format!("  decision {} at {}{}\n", value(&record.decision_id), record.time, status(record));
        out += &self.who();
        out += &self.block.as_ref().map(Stands::text).unwrap_or_default();
        out += &self.place();
        out += &self.grants();
        out += &self.near_misses();
        out += &self.token();
        out += &self.tables();
        if let Some((trace, span)) = &record.trace {
            let span = span.as_ref().map(|span| format!(", span {}", value(span))).unwrap_or_default();
            out += &format!("\ntrace\n  {}{span}\n", value(trace));
        }
        out
    }

    fn who(&self) -> String {
        let record = self.record;
        let standing = match &record.who {
            Who::Nobody => return "\nwho\n  nobody: no token was read\n".to_owned(),
            Who::Principal(_) => "principal: the signature stood, and a grant allowed it",
            Who::Verified(_) => "verified: the signature stood, and it was refused all the same",
            Who::Claimed(_) => {
                "claimed: what an unverified token said of itself (cut to 256 bytes); anyone can write that"
            }
        };
        let (iss, sub) = record.who.names();
        let mut out = format!("\nwho\n  {standing}\n  iss {}\n", or_absent(iss));
        if let Some(realm) = &record.realm {
            out += &format!("  realm {}\n", value(realm));
        }
        out += &format!("  sub {}\n", or_absent(sub));
        if let Some(actor) = &record.actor {
            let told = |iss: &Option<String>, sub: &Option<String>| {
                let (iss, sub) = (iss.as_deref().unwrap_or("(the token's issuer)"), sub.as_deref());
                format!("iss {} sub {}", value(iss), or_absent(sub))
            };
            out += &format!("  acting: {}\n", told(&actor.iss, &actor.sub));
            for before in &actor.before {
                out += &format!("  acted before: {}\n", told(&before.iss, &before.sub));
            }
        }
        if let Some(name) = &record.issuer_name {
            out += &format!("  issuer {}{}\n", value(name), self.site_of_issuer(name));
        }
        out
    }

    fn place(&self) -> String {
        let record = self.record;
        let mut out = "\nwhere\n".to_owned();
        if let Some(http) = &record.http {
            out += &format!("  {} {}{}\n", value(&http.method), value(&http.host), value(&http.path));
        }
        match &record.resource {
            Some(resource) => out += &format!("  resource {}{}\n", value(resource), self.site_of_resource(resource)),
            None => out += "  no resource was picked\n",
        }
        if let Some(address) = &record.source {
            out += &format!("  from {}\n", value(address));
        }
        if let Some(id) = record.http.as_ref().and_then(|http| http.request_id.as_ref()) {
            out += &format!("  request id {}\n", value(id));
        }
        out
    }

    fn grants(&self) -> String {
        let record = self.record;
        let mut out = String::new();
        if !record.grants.is_empty() {
            out += "\ngrants\n";
            for name in &record.grants {
                out += &format!("  {}{}\n", value(name), self.site_of_grant(name));
            }
            let scopes = if record.scopes.is_empty() { "none".to_owned() } else { value(record.scopes.join(" ")) };
            out += &format!("  scopes {scopes}\n");
        }
        if !record.shadow.is_empty() {
            let names: Vec<_> =
                record.shadow.iter().map(|name| format!("{}{}", value(name), self.site_of_grant(name))).collect();
            out += &format!("\nshadow grants that would have allowed it\n  {}\n", names.join("\n  "));
        }
        out
    }

    fn near_misses(&self) -> String {
        let mut out = String::new();
        for miss in &self.record.near_misses {
            out += &format!("\nnearest grant {}{}\n", value(&miss.grant), self.site_of_grant(&miss.grant));
            let grant = self.grant(&miss.grant);
            for failed in &miss.failed {
                let condition = grant.and_then(|grant| self.condition(grant, failed));
                out += &match condition {
                    Some((wanted, site)) => {
                        format!(
                            "  {} differed: must be {}{}\n",
                            value(failed),
                            value(wanted),
                            site.map(|site| format!("  [{}]", value(site))).unwrap_or_default()
                        )
                    }
                    None => format!("  {} differed\n", value(failed)),
                };
            }
        }
        if !out.is_empty() {
            out += "  (the log keeps which conditions differed, never the token's values)\n";
        }
        out
    }

    fn token(&self) -> String {
        let Some(token) = &self.record.token else { return String::new() };
        let date = |seconds: Option<f64>| {
            seconds.map_or_else(|| "absent".to_owned(), |seconds| Time::from_seconds(seconds).to_string())
        };
        let said = |text: &Option<String>| or_absent(text.as_deref());
        let mut out = format!("\ntoken\n  alg {}, kid {}", said(&token.alg), said(&token.kid));
        if self.record.pair().is_some() {
            out += &format!(", typ {}\n  iat {}, exp {}\n", said(&token.typ), date(token.iat), date(token.exp));
            out += &format!("  SHA-256 of jti {}\n", said(&token.jti_hash));
        } else {
            out += ", as it said itself\n";
        }
        out
    }

    fn tables(&self) -> String {
        let Some(table) = &self.record.table else { return "\ntable\n  none was in force\n".to_owned() };
        let mut out =
            format!("\ntable\n  generation {} of that process, sha256 {}\n", table.generation, value(&table.sha256));
        match (self.is_same_table(), self.table) {
            (Some(true), _) => {
                out += "  the table at hand has this very meaning: the lines above are those that decided\n"
            }
            (Some(false), Some(at_hand)) => {
                out += &format!(
                    "  the table at hand is another by now (sha256 {}): the lines above may not be those that decided\n",
                    at_hand.digest
                );
            }
            _ => {}
        }
        out
    }

    /// What a grant asks for under this name of the log, and where it is written.
    fn condition(&self, grant: &Grant, name: &str) -> Option<(String, Option<String>)> {
        let failed = Failed::named(name, grant, self.record.refusal())?;
        let site = if let Failed::Claim(rule) = failed { Some(rule.site.to_string()) } else { None };
        let resource = self.table?.resources.get(grant.resource);
        Some((failed.wanted(grant, resource), site))
    }

    fn grant(&self, name: &str) -> Option<&Grant> {
        self.table?.grants.iter().find(|grant| grant.name.as_str() == name)
    }

    fn site_of_grant(&self, name: &str) -> String {
        let missing = if self.table.is_some() { "  [not in the table at hand]" } else { "" };
        self.grant(name).map_or_else(|| missing.to_owned(), |grant| format!("  [{}]", value(&grant.site)))
    }

    fn site_of_issuer(&self, name: &str) -> String {
        let found = self.table.and_then(|table| table.issuers.iter().find(|issuer| issuer.name.as_str() == name));
        let missing = if self.table.is_some() { "  [not in the table at hand]" } else { "" };
        found.map_or_else(|| missing.to_owned(), |issuer| format!("  [{}]", value(&issuer.site)))
    }

    fn site_of_resource(&self, name: &str) -> String {
        let mut all = self.table.into_iter().flat_map(|table| table.resources.iter());
        let found = all.find(|(_, resource)| resource.name.as_str() == name);
        let missing = if self.table.is_some() { "  [not in the table at hand]" } else { "" };
        found.map_or_else(|| missing.to_owned(), |(_, resource)| format!("  [{}]", value(&resource.site)))
    }

    fn json(&self) -> Value {
        let record = self.record;
        let (iss, sub) = record.who.names();
        let misses: Vec<_> = record
            .near_misses
            .iter()
            .map(|miss| {
                let grant = self.grant(&miss.grant);
                let differs: Vec<_> = miss
                    .failed
                    .iter()
                    .map(|failed| {
                        let found = grant.and_then(|grant| self.condition(grant, failed));
                        let (wanted, site) = found.map_or((None, None), |(wanted, site)| (Some(wanted), site));
                        json!({"condition": failed, "wanted": wanted, "site": site})
                    })
                    .collect();
                json!({"grant": miss.grant, "site": grant.map(|grant| grant.site.to_string()), "differs": differs})
            })
            .collect();
        let grants: Vec<_> = record
            .grants
            .iter()
            .map(|name| json!({"grant": name, "site": self.grant(name).map(|grant| grant.site.to_string())}))
            .collect();
        json!({
            "decision_id": record.decision_id,
            "ts": record.time.to_string(),
            "decision": verdict(record),
            "reason": record.reason,
            "sentence": record.refusal().map(crate::reason::Reason::sentence),
            "observed_reason": record.observed_reason,
            "status": record.status,
            "who": {"standing": record.who.standing(), "iss": iss, "sub": sub, "realm": record.realm},
            "actor": record.actor.as_ref().map(|actor| {
                let pair = |names: &Names| json!({"iss": names.iss, "sub": names.sub});
                let before: Vec<_> = actor.before.iter().map(pair).collect();
                json!({"iss": actor.iss, "sub": actor.sub, "asserted_by": actor.asserted_by, "before": before})
            }),
            "issuer_name": record.issuer_name,
            "block": record.block,
            "block_site": self.block.as_ref().and_then(Stands::site),
            "block_reason": self.block.as_ref().and_then(Stands::reason),
            "resource": record.resource,
            "http": record.http.as_ref().map(|http| json!({
                "method": http.method, "host": http.host, "path": http.path, "request_id": http.request_id,
            })),
            "source": record.source,
            "grants": grants,
            "scopes": record.scopes,
            "shadow": record.shadow,
            "near_miss": misses,
            "token": record.token.as_ref().map(|token| json!({
                "kid": token.kid, "alg": token.alg, "typ": token.typ, "jti_hash": token.jti_hash,
                "iat": token.iat, "exp": token.exp,
            })),
            "table": record.table.as_ref().map(|table| json!({
                "generation": table.generation, "sha256": table.sha256, "is_at_hand": self.is_same_table(),
            })),
            "trace_id": record.trace.as_ref().map(|(trace, _)| trace),
            "span_id": record.trace.as_ref().and_then(|(_, span)| span.as_ref()),
        })
    }
}

const fn verdict(record: &Record) -> &'static str {
    if record.allowed { "allow" } else { "deny" }
}

/// What the reason means.
fn sentence(record: &Record) -> String {
    match (record.refusal(), &record.observed_reason, record.reason.as_str()) {
        (Some(reason), Some(_), _) if record.is_observed() => {
            format!(": only observed, it would have been refused as {reason}: {}", reason.sentence())
        }
        (Some(reason), ..) => format!(": {}", reason.sentence()),
        (None, Some(refused), _) => format!(": only observed, it would have been refused as {}", value(refused)),
        (None, None, "ok") => ": a grant fits".to_owned(),
        (None, None, "anonymous") => ": the place is open to all, so nothing was verified".to_owned(),
        (None, None, _) => ": this version does not know this reason".to_owned(),
    }
}

fn status(record: &Record) -> String {
    record.status.map(|status| format!(", answered with HTTP status {status}")).unwrap_or_default()
}
