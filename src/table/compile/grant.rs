//! One grant: who, where, what.

use std::collections::HashSet;

use super::super::draft::{ActorDraft, At, ClaimDraft, Field, GrantDraft, Subject};
use super::super::{Code, Diagnostic};
use super::exact::ExactIssuer;
use super::issuer::IssuerPlan;
use super::resource::{ResourcePlan, sort_paths};
use super::{Bench, Names};
use crate::claims::Matcher;
use crate::decide::{ActorRule, AudienceFrom, Grant, GrantId, GrantTimes, Mode, Replay, SubjectRule};
use crate::name::{Audience, GrantName, Scope};
use crate::trust::IssuerId;

impl<'a> Bench<'a> {
    /// The grant; `None` if something of it was refused, here or before.
    pub(super) fn grant(&mut self, draft: &'a GrantDraft, names: &Names<'_, 'a>) -> Option<Grant> {
        let owner = format!("grant \"{}\"", draft.name.value);
        self.ended(&owner, &draft.common);
        self.review_due(&owner, &draft.common);
        let issuers = self.issuers_of(&owner, draft, names);
        let exact = self.exact_of(&owner, draft, &issuers);
        let resource = self.resource_of(&owner, draft, names);
        self.who(&owner, draft);
        self.what(&owner, draft);
        self.own_audience(&owner, draft, names);
        self.any_may_write(&owner, draft);
        self.mistyped(&owner, draft);
        self.never(&owner, draft, &issuers, resource);
        for plan in &issuers {
            self.claim_types(&owner, plan.profile, draft.claims.items());
            self.tenant_of_grant(draft, plan);
            self.written_out(&owner, draft, plan);
            self.hinted(&owner, draft, plan, resource);
            self.lint_grant_at(&owner, draft, plan);
        }
        build(draft, exact, resource?)
    }

    /// At which of the exact issuers of its entries the grant holds: at all, or at those that `iss` names. A subject
    /// means something at one exact issuer only, so there it must be said (CR123).
    fn exact_of(&mut self, owner: &str, draft: &GrantDraft, issuers: &[&IssuerPlan<'_>]) -> Vec<IssuerId> {
        let all = || issuers.iter().flat_map(|plan| &plan.exact);
        let Some(wanted) = draft.iss.given() else {
            let several = issuers.iter().find(|plan| plan.exact.len() > 1);
            let (subject, actor) = (draft.subject.given().map(|at| &at.place), draft.actor.given().map(|at| &at.place));
            if let (Some(plan), Some(named), true) = (several, subject.or(actor), draft.iss.is_absent()) {
                let message = format!(
                    "{owner} names {} at issuer \"{}\", which stands for {} issuers",
                    if subject.is_some() { "a subject" } else { "an actor" },
                    plan.name,
                    plan.exact.len()
                );
                let first = plan.exact.first().map_or("", |exact| exact.issuer.as_str());
                let help = format!("say which of them vouches: `iss: {first}`");
                self.report(Code::CR123, named, message, "the same text is someone else at each", help);
            }
            return all().map(|exact| exact.id).collect();
        };
        let judged = !issuers.is_empty() && issuers.iter().all(|plan| !plan.exact.is_empty());
        if judged && issuers.iter().all(|plan| plan.exact.len() == 1) {
            let message = format!("`iss` of {owner} has no effect");
            let label = "its issuers stand for one `iss` each";
            self.report(Code::CR002, &wanted.place, message, label, "remove it");
        }
        let asked: HashSet<&str> = wanted.value.iter().map(|iss| iss.value.as_str()).collect();
        let there: HashSet<&str> = all().map(|exact| exact.issuer.as_str()).collect();
        let named = |exact: &&ExactIssuer| asked.contains(exact.issuer.as_str());
        let stranger = |iss: &&At<String>| !there.contains(iss.value.as_str());
        let strangers: Vec<_> = wanted.value.iter().filter(stranger).collect();
        for iss in strangers.iter().filter(|_| judged) {
            let message = format!("{owner} is for an `iss` that none of its issuers stands for");
            let known = all().map(|exact| exact.issuer.as_str()).collect::<Vec<_>>().join(" ");
            self.report(Code::CR122, &iss.place, message, "can never match", format!("they stand for {known}"));
        }
        let idle = issuers.iter().filter(|plan| !plan.exact.iter().any(|exact| named(&exact)));
        for plan in idle.filter(|_| judged && strangers.is_empty()) {
            let message = format!("{owner} names issuer \"{}\" and none of its `iss`", plan.name);
            let help = "add one of them to `iss`, or remove the issuer";
            self.report(Code::CR122, &wanted.place, message, "it could never vouch here", help);
        }
        all().filter(named).map(|exact| exact.id).collect()
    }

    fn issuers_of<'p>(&mut self, owner: &str, draft: &GrantDraft, names: &Names<'p, 'a>) -> Vec<&'p IssuerPlan<'a>> {
        if draft.issuers.is_absent() {
            let help = "add `issuer:` with the name of an entry under `issuers`, or a list of names";
            self.report(Code::CR002, &draft.name.place, format!("{owner} has no `issuer`"), "whose tokens?", help);
        }
        let mut plans: Vec<&IssuerPlan<'a>> = Vec::new();
        let mut seen = HashSet::new();
        for name in draft.issuers.items() {
            if !self.exists(owner, "issuer", name) {
                continue;
            }
            let Some(plan) = names.issuers.get(name.value.as_str()) else { continue };
            if !seen.insert(name.value.as_str()) {
                let message = format!("{owner} names issuer \"{}\" twice", name.value);
                self.report(Code::CR002, &name.place, message, "", "remove one");
                continue;
            }
            plans.push(plan);
        }
        plans.sort_by(|one, two| one.name.cmp(&two.name));
        plans
    }

    fn resource_of<'p>(
        &mut self,
        owner: &str,
        draft: &GrantDraft,
        names: &Names<'p, 'a>,
    ) -> Option<&'p ResourcePlan<'a>> {
        let Some(name) = draft.resource.given() else {
            if draft.resource.is_absent() {
                let help = "add `resource:` with the name of an entry under `resources`";
                self.report(Code::CR002, &draft.name.place, format!("{owner} has no `resource`"), "for what?", help);
            }
            return None;
        };
        self.exists(owner, "resource", name).then(|| names.resources.get(name.value.as_str()).copied()).flatten()
    }

    /// A grant says who it is for (CR120), and why where it is for everybody (CR121).
    fn who(&mut self, owner: &str, draft: &GrantDraft) {
        if draft.subject.is_absent() && draft.claims.is_absent() {
            let help = "add `subject:` with the exact `sub`, or `claims:` that only the intended callers carry";
            self.report(
                Code::CR120,
                &draft.name.place,
                format!("{owner} does not say who: every token of its issuer would do"),
                "neither `subject` nor `claims`",
                help,
            );
        }
        let says_nothing = |claim: &ClaimDraft| matches!(claim.rule.matcher, Matcher::Present | Matcher::Absent);
        let claims = draft.claims.items();
        if draft.subject.is_absent() && !claims.is_empty() && claims.iter().all(says_nothing) {
            let message = format!("{owner} asks for no value of any claim");
            let help = "add a claim with its exact value, or `subject:`; where every token is meant, say so: `subject: any` and a `reason`";
            self.warn(
                &draft.common,
                Code::CR206,
                &draft.name.place,
                message,
                "whoever else has such a token may do this too",
                help,
            );
        }
        let any = draft.subject.given().filter(|subject| matches!(subject.value, Subject::Any));
        if let Some(any) = any.filter(|_| draft.reason.is_absent()) {
            let help = "add `reason:` for whoever reads this next, or name the subjects";
            self.report(
                Code::CR121,
                &any.place,
                format!("{owner} is for any subject and does not say why"),
                "no `reason`",
                help,
            );
        }
    }

    /// A grant says what is allowed (CR130).
    fn what(&mut self, owner: &str, draft: &GrantDraft) {
        let place = &draft.name.place;
        if draft.methods.is_absent() {
            let help = "add `methods: [GET]`, or `methods: any`";
            self.report(Code::CR130, place, format!("{owner} says no methods"), "`methods` is missing", help);
        }
        if draft.paths.is_absent() {
            let help = "add `paths: [/v1/orders/**]`, or `paths: any` for all of the resource";
            self.report(Code::CR130, place, format!("{owner} says no paths"), "`paths` is missing", help);
        }
    }

    /// A grant's own audience needs a reason, and is no other resource's (CR133).
    fn own_audience(&mut self, owner: &str, draft: &GrantDraft, names: &Names<'_, 'a>) {
        let Some(audience) = draft.audience.given() else { return };
        if draft.reason.is_absent() {
            let help = "add `reason:`, or remove `audience:` to use the resource's";
            let message = format!("{owner} replaces the audience of its resource and does not say why");
            self.report(Code::CR002, &audience.place, message, "no `reason`", help);
        }
        let own = draft.resource.value();
        let same = names.audiences.get(audience.value.as_str()).into_iter().flatten();
        let mut others = same.filter(|resource| Some(&resource.name.value) != own);
        if let Some(other) = others.next() {
            let finding = Diagnostic::at(
                Code::CR133,
                &audience.place,
                format!("{owner} takes tokens that were issued for resource \"{}\"", other.name.value),
            )
            .label(format!("the audience of {}", other.name.place))
            .help("use an audience of its own: whoever is sent a token could otherwise use it elsewhere");
            self.report.push(finding);
        }
    }
}

fn build(draft: &GrantDraft, issuers: Vec<IssuerId>, resource: &ResourcePlan<'_>) -> Option<Grant> {
    let subject = match &draft.subject {
        Field::Absent => None,
        Field::Broken => return None,
        Field::Given(subject) => Some(subject_rule(&subject.value)),
    };
    let actor = match &draft.actor {
        Field::Absent => None,
        Field::Broken => return None,
        Field::Given(actor) => Some(actor_rule(&actor.value)),
    };
    let mut claims: Vec<_> = draft.claims.items().iter().map(|claim| claim.rule.clone()).collect();
    claims.sort_by(|one, two| one.key.cmp(&two.key));
    let mut scopes: Vec<_> = draft.scopes.items().iter().map(|at| Scope::new(at.value.as_str())).collect();
    scopes.sort();
    scopes.dedup();
    let mut paths = draft.paths.value()?.clone();
    sort_paths(&mut paths);
    let audience = match draft.audience.value() {
        Some(audience) => Audience::new(audience.as_str()),
        None => resource.resource.as_ref()?.audience.clone(),
    };
    Some(Grant {
        id: GrantId::default(),
        name: GrantName::new(draft.name.value.as_str()),
        site: draft.name.place.site(),
        issuers,
        resource: resource.id,
        subject,
        claims,
        actor,
        methods: draft.methods.value()?.clone(),
        paths,
        scopes,
        audience,
        audience_from: draft.audience_from.value().copied().unwrap_or(AudienceFrom::Audience),
        replay: draft.replay.value().copied().unwrap_or(Replay::Allow),
        times: GrantTimes {
            starts: draft.starts.value().copied(),
            expires: draft.common.expires.value().copied(),
            max_token_age: draft.max_token_age.value().copied(),
        },
        mode: draft.mode.value().copied().unwrap_or(Mode::Enforce),
        forward_claims: draft.forward_claims.items().to_vec(),
    })
}

fn actor_rule(actor: &ActorDraft) -> ActorRule {
    ActorRule { subject: subject_rule(&actor.subject.value), max_depth: actor.max_depth }
}

fn subject_rule(subject: &Subject) -> SubjectRule {
    match subject {
        Subject::Exact(subjects) => {
            let mut subjects: Vec<_> = subjects.iter().map(|at| at.value.clone()).collect();
            subjects.sort();
            subjects.dedup();
            SubjectRule::Exact(subjects)
        }
        Subject::Glob(glob) => SubjectRule::Glob(glob.clone()),
        Subject::Any => SubjectRule::Any,
    }
}
