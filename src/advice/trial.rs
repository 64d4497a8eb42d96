//! A proposal on trial: the table with it is compiled, and the very token and request that it is made for walk through it.

use std::sync::Arc;

use super::{Destination, Seen};
use crate::claims::Matcher;
use crate::clock::Time;
use crate::decide::{Failed, Grant, SubjectRule};
use crate::keys::LiveKeys;
use crate::path::{Outcome, Rules, walk};
use crate::reason::{Accepted, Reason};
use crate::request::{AuthzRequest, Headers};
use crate::resource::{CredentialPlace, Methods, PathPattern, RequestPath};
use crate::table::{Compiled, Permissions, Severity, Snapshot, SourceFile, Sources, compile};
use crate::trail::Recorder;

/// What the proposal is called among the files of the table.
const PROPOSAL: &str = "the proposal";
/// A proposal is a part of a table; this makes it a file.
const HEAD: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n";

/// The table that is there.
#[derive(Debug, Clone, Copy)]
pub struct Table<'s> {
    /// What it came to.
    pub snapshot: &'s Snapshot,
    /// As it is written.
    pub sources: &'s Sources,
    /// What it may count on.
    pub permissions: &'s Permissions,
}

/// A token and a call, for which a proposal is made.
pub(super) struct Trial<'a> {
    pub(super) seen: &'a Seen<'a>,
    pub(super) table: Option<Table<'a>>,
    /// The text of the token. It goes into the walk and nowhere else.
    pub(super) token: &'a str,
}

/// What came of a trial.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Why the table with the proposal does not load, or means more than the call.
    pub(super) unfit: Vec<String>,
    /// Why this token is refused all the same.
    pub(super) refused: Vec<(Reason, String)>,
    /// What the rules warn of.
    pub(super) warnings: Vec<String>,
}

impl Trial<'_> {
    /// By what the call is allowed already, the signature assumed.
    pub(super) fn already(&self) -> Option<String> {
        let (table, call) = (self.table?.snapshot, self.seen.destination?);
        let entries = self.seen.entries.iter().map(|entry| Some(entry.name.as_str()));
        entries.chain([None]).find_map(|signer| self.walk(table, call, signer).ok())
    }

    /// The table with these sections, of which this is the grant.
    pub(super) fn with(&self, yaml: &str, grant: &str) -> Verdict {
        let Compiled { snapshot, report } = self.compile(yaml);
        let mut verdict = Verdict::default();
        for finding in report.sorted() {
            let help = finding.help_text().map(|help| format!("; {help}")).unwrap_or_default();
            let text = format!("{}: {}{help}", finding.code(), finding.message());
            let ours = finding.site().is_some_and(|site| *site.file == *PROPOSAL);
            match finding.code().severity() {
                Severity::Error => verdict.unfit.push(text),
                // What is to be filled in is told by the proposal itself.
                Severity::Warning if finding.message().contains("replace-me") => {}
                Severity::Warning if ours => verdict.warnings.push(text),
                Severity::Warning => {}
            }
        }
        let Some(table) = snapshot else { return verdict };
        let written = table.grants.iter().find(|one| one.name.as_str() == grant);
        if !written.is_some_and(is_exact) {
            verdict.unfit.push("it would let in more than this call".to_owned());
        }
        if let Some(call) = self.seen.destination {
            let signer = self.seen.entries.first().map(|entry| entry.name.as_str());
            verdict.refused = self.walk(&table, call, signer).err().unwrap_or_default();
        }
        verdict
    }

    fn compile(&self, yaml: &str) -> Compiled {
        let files = self.table.iter().flat_map(|table| table.sources.files());
        let files = files.map(|file| SourceFile::new(file.name().clone(), file.text()));
        let sources = Sources::from_files(files.chain([SourceFile::new(PROPOSAL, format!("{HEAD}{yaml}"))]));
        let none = Permissions::default();
        let permissions = self.table.map_or(&none, |table| table.permissions);
        compile(&sources, permissions, self.seen.now, |need| Arc::new(LiveKeys::unfetched(need.rules)))
    }

    /// By what the call is allowed, or everything that is in its way. The signature is assumed, and the token is judged at
    /// a time at which it is in force: an old one can be had anew. The table is judged by what holds now.
    fn walk(
        &self,
        table: &Snapshot,
        call: Destination<'_>,
        signer: Option<&str>,
    ) -> Result<String, Vec<(Reason, String)>> {
        let mut request =
            AuthzRequest { method: call.method, host: call.host, target: call.target, ..AuthzRequest::default() };
        let (header, value) = place(table, &request).carry(self.token);
        request.headers = Headers::new(vec![(header, value.as_bytes())], false);
        let (valid, now) = (self.time(), self.seen.now);
        let (mut by, mut failures) = (String::new(), Vec::new());
        for at in [valid, now] {
            let mut recorder = Recorder::signed_by(signer);
            let walked = walk(Rules::without_blocks(table), &request, at, &mut recorder);
            for step in recorder.steps() {
                let of_the_token = matches!(step.subject, "times" | "age");
                let counts = step.subject != "signature" && (at == valid || !of_the_token);
                let Some(reason) = step.outcome.err().filter(|_| counts) else { continue };
                let near = walked.facts.near_misses.first().filter(|_| step.subject == "grants");
                let lacks = near.map(|miss| lacking(&miss.failed)).unwrap_or_default();
                let failure = (reason, format!("{reason}: {}{lacks}", step.note.text));
                if !failures.contains(&failure) {
                    failures.push(failure);
                }
            }
            match &walked.outcome {
                Outcome::Allowed(permit) => {
                    by = permit.grants().map(|grant| grant.as_str()).collect::<Vec<_>>().join(", ");
                }
                Outcome::Open(_) => by = format!("an open place ({}), without a token", Accepted::Anonymous.code()),
                // What is only observed is a refusal all the same: it ends one day.
                Outcome::Refused(_) | Outcome::Observed(_) => {
                    let reason = walked.outcome.refusal().filter(|_| failures.is_empty());
                    failures.extend(reason.map(|reason| (reason, format!("{reason}: {}", reason.sentence()))));
                }
            }
        }
        if failures.is_empty() { Ok(by) } else { Err(failures) }
    }

    /// An instant at which the token is in force: now, else when it begins.
    fn time(&self) -> Time {
        let now = self.seen.now;
        let begins = ["iat", "nbf"].into_iter().filter_map(|claim| self.seen.number(claim)).reduce(f64::max);
        match (begins, self.seen.number("exp")) {
            (Some(begins), _) if now.seconds() < begins => Time::from_seconds(begins),
            (begins, Some(ends)) if now.seconds() >= ends => {
                Time::from_seconds(begins.filter(|begins| *begins < ends).unwrap_or(ends - 1.0))
            }
            _ => now,
        }
    }
}

/// Where the resource of the call wants its token.
fn place<'s>(table: &'s Snapshot, request: &AuthzRequest<'_>) -> &'s CredentialPlace {
    let found = RequestPath::read(request.path()).ok().and_then(|path| table.resources.find(request, path).ok());
    found.map_or(&CredentialPlace::Authorization, |place| &place.resource.credential)
}

fn lacking(failed: &[Failed<'_>]) -> String {
    let names: Vec<_> = failed.iter().map(ToString::to_string).collect();
    format!(" (differs: {})", names.join(", "))
}

/// Whether a grant means one subject or the claims of one token, and one call, with no pattern anywhere: what a stranger
/// wrote must not become one.
fn is_exact(grant: &Grant) -> bool {
    let one = |subject: &SubjectRule| matches!(subject, SubjectRule::Exact(all) if all.len() == 1);
    let exact =
        |matcher: &Matcher| matches!(matcher, Matcher::Equals(_) | Matcher::ContainsAny(_) | Matcher::ContainsAll(_));
    grant.subject.as_ref().is_none_or(one)
        && grant.actor.as_ref().is_none_or(|actor| one(&actor.subject))
        && grant.claims.iter().all(|rule| exact(&rule.matcher))
        && matches!(&grant.methods, Methods::These(methods) if methods.len() == 1)
        && grant.paths.iter().all(PathPattern::is_exact)
}
