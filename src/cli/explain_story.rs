//! What is told of a recorded walk.

use serde_json::{Value, json};

use super::explain_change::Change;
use super::explain_knowledge::Remark;
use super::explain_no_change::Obstacle;
use super::explain_relation::{Line, Sites, told};
use super::output::escaped;
use crate::block::Blocks;
use crate::claims::ClaimKey;
use crate::clock::Time;
use crate::json::Json;
use crate::path::{Observed, Outcome, Walk};
use crate::reason::{Accepted, Reason};
use crate::table::{Snapshot, Sources};
use crate::trail::{Assumed, Recorder, SignatureCheck};

/// Everything there is to tell.
pub(super) struct Story<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    /// The path of the URL, without its query.
    pub(super) path: &'a str,
    pub(super) now: Time,
    pub(super) snapshot: &'a Snapshot,
    pub(super) blocks: &'a Blocks,
    /// What is written, to name the lines.
    pub(super) sources: &'a Sources,
    pub(super) walk: &'a Walk<'a, Assumed>,
    pub(super) recorder: &'a Recorder,
    pub(super) payload: Option<&'a Json>,
    /// What is known about what went wrong.
    pub(super) remarks: Vec<Remark>,
    /// What would allow it, or why nothing is offered, where it is refused.
    pub(super) change: Option<Result<Change, Obstacle>>,
}

impl Story<'_> {
    /// Whether it is let through all the same, because its resource only observes.
    pub(super) const fn observed(&self) -> Option<&Observed<'_>> {
        match &self.walk.outcome {
            Outcome::Observed(observed) => Some(observed),
            _ => None,
        }
    }

    /// Why it is refused, or would be if its resource did more than observe.
    pub(super) fn refusal(&self) -> Option<Reason> {
        self.recorder.first_failure().or(self.walk.outcome.refusal())
    }

    fn code(&self) -> &'static str {
        match (&self.walk.outcome, self.refusal()) {
            (Outcome::Observed(_), _) => Accepted::Observed.code(),
            (_, Some(reason)) => reason.code(),
            (Outcome::Open(_), None) => Accepted::Anonymous.code(),
            (_, None) => Accepted::Ok.code(),
        }
    }

    /// A top-level claim, as JSON.
    pub(super) fn claim(&self, name: &str) -> String {
        self.claim_at(&ClaimKey::named(name))
    }

    /// A claim, as JSON.
    pub(super) fn claim_at(&self, key: &ClaimKey) -> String {
        let value = self.payload.and_then(|payload| key.find(payload));
        value.map_or_else(|| "absent".to_owned(), |value| json!(value).to_string())
    }

    pub(super) fn text(&self) -> String {
        let mut out = match self.refusal() {
            Some(reason) if let Some(observed) = self.observed() => format!(
                "allow {}: {} only observes until {}; it would be deny {reason}: {}\n",
                self.code(),
                observed.resource().name,
                observed.entry().until,
                reason.sentence()
            ),
            Some(reason) => format!("deny {reason}: {}\n", reason.sentence()),
            None if self.recorder.signature() == SignatureCheck::NotChecked => {
                format!("allow {}, SIGNATURE NOT CHECKED\n", self.code())
            }
            None => format!("allow {}\n", self.code()),
        };
        out += &format!("  {} {}\n\n", self.method, self.url);
        for step in self.recorder.steps() {
            let mark = step.outcome.map_or_else(|reason| format!("FAIL {reason}"), |()| "ok".to_owned());
            let site = step.note.site.as_ref().map(told).unwrap_or_default();
            out += &format!("{mark:<24} {:<16} {}{site}\n", step.subject, step.note.text);
        }
        out += &self.principal();
        out += &self.relations();
        if !self.remarks.is_empty() {
            out += "\nwhat is known about this, and on which side it is\n";
            for remark in &self.remarks {
                out += &format!("  {}: {}\n", remark.side(), remark.text);
            }
        }
        match &self.change {
            Some(Ok(change)) => out += &change.text(self.remarks.iter().any(|remark| remark.token_side)),
            Some(Err(why)) => out += &format!("\nno change of the table is offered: {why}\n"),
            None => {}
        }
        escaped(&out)
    }

    fn principal(&self) -> String {
        let (Outcome::Allowed(permit), None) = (&self.walk.outcome, self.refusal()) else { return String::new() };
        let (issuer, subject) = permit.principal().pair();
        let scopes: Vec<_> = permit.scopes().iter().map(|scope| scope.as_str()).collect();
        let realm = permit.principal().realm().map(|realm| format!("  realm {realm}\n")).unwrap_or_default();
        let actor = permit.actor().map(|acting| {
            let (issuer, subject) = acting.pair();
            format!("actor, as {} says\n  iss {issuer}\n  sub {subject}\n", acting.asserted_by())
        });
        format!(
            "\nprincipal\n  iss {issuer}\n{realm}  sub {subject}\n{}scopes\n  {}\n",
            actor.unwrap_or_default(),
            scopes.join(" ")
        )
    }

    /// The nearest relations that the table expects, condition by condition.
    fn relations(&self) -> String {
        let mut out = String::new();
        let pins = Line::pins(self);
        if self.refusal().is_some() && !pins.is_empty() {
            let issuer = self.walk.facts.vouching_issuer();
            let (name, site) = issuer.map(|issuer| (issuer.name.to_string(), told(&issuer.site))).unwrap_or_default();
            out += &format!("\nevery token of issuer {name}{site}\n");
            pins.iter().for_each(|line| out += &line.text());
        }
        for miss in &self.walk.facts.near_misses {
            out += &format!("\nnearest grant {}{}\n", miss.grant.name, told(&miss.grant.site));
            Line::all(self, miss, &Sites(Some(self.sources))).iter().for_each(|line| out += &line.text());
        }
        out
    }

    pub(super) fn json(&self) -> Value {
        let steps: Vec<_> = self
            .recorder
            .steps()
            .iter()
            .map(|step| {
                json!({
                    "step": step.subject,
                    "ok": step.outcome.is_ok(),
                    "reason": step.outcome.err().map(Reason::code),
                    "detail": step.note.text,
                    "site": step.note.site.as_ref().map(ToString::to_string),
                })
            })
            .collect();
        let near = self.walk.facts.near_misses.iter().map(|miss| {
            let lines = Line::all(self, miss, &Sites(Some(self.sources)));
            json!({
                "grant": miss.grant.name,
                "site": miss.grant.site.to_string(),
                "differs": lines.iter().filter(|line| !line.holds).map(Line::json).collect::<Vec<_>>(),
                "relation": lines.iter().map(Line::json).collect::<Vec<_>>(),
            })
        });
        let permit = match (&self.walk.outcome, self.refusal()) {
            (Outcome::Allowed(permit), None) => Some(permit),
            _ => None,
        };
        json!({
            "decision": if self.refusal().is_some() && self.observed().is_none() { "deny" } else { "allow" },
            "reason": self.code(),
            "observed_reason": self.observed().map(|observed| observed.refusal().code()),
            "sentence": self.refusal().map(Reason::sentence),
            "resource": self.walk.facts.resource.map(|resource| resource.name.as_str()),
            "issuer_name": self.walk.facts.issuer.map(|issuer| issuer.name.as_str()),
            "block": self.walk.facts.block.map(|block| block.name.as_str()),
            "signature": match self.recorder.signature() {
                SignatureCheck::NotReached => "not_reached",
                SignatureCheck::NotChecked => "not_checked",
                SignatureCheck::Checked => "checked",
            },
            "steps": steps,
            "principal": permit.map(|permit| json!(permit.principal())),
            "realm": permit.and_then(|permit| permit.principal().realm().map(|realm| realm.as_str())),
            "actor": permit.and_then(|permit| permit.actor()).map(|acting| json!(acting)),
            "grants": permit.map(|permit| permit.grants().map(|grant| grant.as_str()).collect::<Vec<_>>()),
            "scopes": permit.map(|permit| permit.scopes().iter().map(|scope| scope.as_str()).collect::<Vec<_>>()),
            "pins": Line::pins(self).iter().map(Line::json).collect::<Vec<_>>(),
            "near_miss": near.collect::<Vec<_>>(),
            "known": self.remarks.iter().map(Remark::json).collect::<Vec<_>>(),
            "change": self.change.as_ref().and_then(|change| change.as_ref().ok()).map(Change::json),
            "no_change": self.change.as_ref().and_then(|change| change.as_ref().err()).map(ToString::to_string),
        })
    }
}
