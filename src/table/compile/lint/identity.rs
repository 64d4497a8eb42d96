//! Claims that do not say who: names that pass to others (CR201), what people can change (CR204), and what these tokens
//! do not carry at all (CR203).

use super::super::super::Code;
use super::super::super::draft::{ClaimDraft, Common, Subject, nearest};
use super::super::issuer::IssuerPlan;
use super::super::{Bench, MAX_SUGGESTED};
use super::{Conditions, asks_for_value, is, settled};
use crate::claims::{ClaimKey, Matcher};
use crate::profile::{Profile, Reusable};

/// What is asked, and of whom, for messages.
struct Asked<'c> {
    owner: &'c str,
    issuer: &'c str,
    claim: &'c ClaimDraft,
    profile: &'static Profile,
    /// Where the tokens come from.
    plan: &'c IssuerPlan<'c>,
    /// Whether it is a pin of the issuer, and no condition of a grant.
    pin: bool,
    /// The entries that may accept it.
    entries: [&'c Common; 2],
}

impl Bench<'_> {
    /// The claims of a grant.
    pub(super) fn matched_names(&mut self, owner: &str, conditions: &Conditions<'_, '_>) {
        let (grant, plan, profile) = (conditions.grant, conditions.plan, conditions.profile);
        let entries = [&grant.common, &plan.draft.common];
        let subject = matches!(grant.subject.value(), Some(Subject::Exact(_)));
        for claim in grant.claims.items() {
            let asked = Asked { owner, issuer: plan.name.as_str(), claim, profile, plan, pin: false, entries };
            let stable = |names: &[&str]| names.iter().any(|name| conditions.settles(name));
            self.name_of(&asked, subject, &stable);
        }
    }

    /// The pins of an issuer, which only each other can settle.
    pub(super) fn pinned_names(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let Some(profile) = plan.profile else { return };
        let entries = [&plan.draft.common, &plan.draft.common];
        for claim in plan.draft.pin_claims.items() {
            let asked = Asked { owner, issuer: plan.name.as_str(), claim, profile, plan, pin: true, entries };
            let stable = |names: &[&str]| names.iter().any(|name| settled(plan, name));
            self.name_of(&asked, false, &stable);
        }
    }

    fn name_of(&mut self, asked: &Asked<'_>, subject: bool, stable: &dyn Fn(&[&str]) -> bool) {
        let (key, matcher, profile) = (&asked.claim.rule.key, &asked.claim.rule.matcher, asked.profile);
        if let Some(help) = misnamed(asked) {
            return self.not_carried(asked, Some(help));
        }
        if profile.complete && !carried(profile, key) {
            return self.not_carried(asked, None);
        }
        if !asks_for_value(matcher) {
            return;
        }
        let name = profile.reusable.iter().find(|reusable| is(reusable.claim, key));
        // A pattern means all names of one tenant, so the tenant's id is as good.
        let tenant = || matches!(matcher, Matcher::Glob(_)) && stable(profile.tenant_ids);
        match name.filter(|reusable| !stable(reusable.stable) && !tenant()) {
            Some(reusable) => self.reused(asked, reusable),
            None if !subject && profile.mutable.iter().any(|claim| is(claim, key)) => self.changed(asked),
            None => {}
        }
    }

    fn reused(&mut self, asked: &Asked<'_>, reusable: &Reusable) {
        let Asked { owner, issuer, claim, profile, entries, pin, .. } = asked;
        let key = &claim.rule.key;
        let message = match pin {
            true => format!("{owner} pins the name in `{key}` alone"),
            false => format!("{owner} knows its callers at issuer \"{issuer}\" by the name in `{key}` alone"),
        };
        let several = matches!(claim.rule.matcher, Matcher::Glob(_)) && !profile.tenant_ids.is_empty();
        let stable = if several { profile.tenant_ids } else { reusable.stable };
        self.warn_either(*entries, Code::CR201, &claim.value, message, reusable.danger, beside(stable));
    }

    fn changed(&mut self, asked: &Asked<'_>) {
        let Asked { owner, issuer, claim, entries, pin, .. } = asked;
        let key = &claim.rule.key;
        let message = match pin {
            true => format!("{owner} pins `{key}`, which must not authorise"),
            false => format!("{owner} believes `{key}` of issuer \"{issuer}\", which must not authorise"),
        };
        let label = "whoever can have this changed, or is given it next, gets in";
        let help = "write `subject:` with the exact `sub`, or match a claim that holds an id";
        self.warn_either(*entries, Code::CR204, &claim.value, message, label, help);
    }

    /// `meant` says what to write instead, where it is known.
    fn not_carried(&mut self, asked: &Asked<'_>, meant: Option<String>) {
        let Asked { owner, issuer, claim, profile, entries, pin, .. } = asked;
        let key = claim.rule.key.as_str();
        // Nobody reads so many; where every claim is misnamed, looking for what was meant would take long.
        let names = profile.claims.iter().map(|(name, _)| *name);
        let names = Some(names).filter(|_| meant.is_none() && self.report.warnings() < MAX_SUGGESTED);
        let near = names.and_then(|names| nearest(key, names));
        let help = match (meant, near) {
            (Some(meant), _) => meant,
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("`credence profiles {}` prints the claims that they carry", profile.name),
        };
        let message = match pin {
            true => format!("{owner} pins `{key}`, and its tokens carry no such claim"),
            false => format!("{owner} asks for `{key}`, and tokens of issuer \"{issuer}\" carry no such claim"),
        };
        let label = if matches!(claim.rule.matcher, Matcher::Absent) { "always absent" } else { "can never match" };
        self.warn_either(*entries, Code::CR203, &claim.key, message, label, help);
    }
}

/// What to write instead of a claim that is there under another name: one inside another, or one of other tokens.
fn misnamed(asked: &Asked<'_>) -> Option<String> {
    let (key, profile) = (&asked.claim.rule.key, asked.profile);
    if profile.claim_type(key.path()).is_none()
        && let Some(pointer) = profile.pointer_for(key.name())
    {
        return Some(format!("it lies inside another claim: write the JSON Pointer, `{pointer}`"));
    }
    // Where an entry stands for several, they are alike.
    let iss = asked.plan.exact.first()?.issuer.as_str();
    (profile.carries)(iss, key.name()).err().map(str::to_owned)
}

/// What to write beside a name.
pub(super) fn beside(stable: &[&str]) -> String {
    match stable {
        [] => String::from("match a claim that holds an id, which stays, instead"),
        ["sub", ..] => String::from("write `subject:` with the exact `sub` beside it"),
        [id, ..] => format!("add the id beside it, which stays: `claims: {{{id}: \"<id>\"}}`"),
    }
}

/// Whether tokens of the profile carry a claim, or one inside it.
fn carried(profile: &Profile, key: &ClaimKey) -> bool {
    let inside = |known: &str| {
        let Some(pointer) = known.strip_prefix('/') else { return false };
        let mut names = pointer.split('/');
        key.path().iter().all(|name| names.next() == Some(name.as_str()))
    };
    profile.claim_type(key.path()).is_some()
        || profile.families.iter().any(|(start, _)| key.top().starts_with(start))
        || profile.claims.iter().any(|(known, _)| inside(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_inside_another_and_a_customers_own_are_carried() {
        let carries =
            |profile: &str, claim: &str| carried(Profile::find(profile).unwrap(), &ClaimKey::parse(claim).unwrap());
        assert!(carries("kubernetes", "/kubernetes.io/pod"));
        assert!(carries("kubernetes", "/kubernetes.io/pod/uid"));
        assert!(carries("github-actions", "/repository"));
        assert!(carries("github-actions", "repo_property_team"));
        assert!(!carries("kubernetes", "/kubernetes.io/pods"));
        assert!(!carries("kubernetes", "namespace"));
        assert!(!carries("github-actions", "repositry"));
    }

    #[test]
    fn an_id_is_asked_for_by_its_name() {
        assert!(beside(&["repository_id", "x"]).contains("`claims: {repository_id: \"<id>\"}`"));
        assert!(beside(&["sub"]).contains("`subject:`"));
    }
}
