//! Issuers that sign for many customers: whose tokens are meant must be said (CR101, CR109), in a type that the
//! tokens have (CR107).

use super::super::Code;
use super::super::draft::{ClaimDraft, GrantDraft, Subject};
use super::Bench;
use super::issuer::IssuerPlan;
use crate::claims::{ClaimKey, Matcher, Scalar};
use crate::profile::{ClaimType, Profile, Tenancy};

impl Bench<'_> {
    /// A shared issuer with tenant ids must pin one of them to exact values (CR101).
    pub(super) fn tenant(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let (Some(profile), false) = (plan.profile, plan.exact.is_empty()) else { return };
        let Some(wanted) = profile.tenant_ids.first().filter(|_| plan.tenancy == Tenancy::Shared) else { return };
        let pins = &plan.draft.pin_claims;
        let judged = !plan.draft.pins_torn && (pins.is_absent() || pins.given().is_some());
        if !judged || tenant_pins(profile, pins.items()).next().is_some() {
            return;
        }
        let inexact = pins.items().iter().find(|claim| profile.tenant_ids.contains(&claim.rule.key.name()));
        let operator = plan.known.map_or(profile.name, |known| known.operator);
        let message = format!("{owner} signs tokens for every customer of {operator} and pins none");
        let label = match inexact {
            Some(claim) => format!("`pin.claims.{}` is not an exact value", claim.rule.key),
            None => format!("no pin.claims.{wanted}"),
        };
        let help = format!("add `pin: {{claims: {{{wanted}: \"<id>\"}}}}`; {}", profile.tenant_hint);
        self.report(Code::CR101, &plan.draft.name.place, message, label, help);
    }

    /// A star must not stand on a name or a tenant (CR125).
    pub(super) fn written_out(&mut self, owner: &str, grant: &GrantDraft, plan: &IssuerPlan<'_>) {
        let Some(profile) = plan.profile else { return };
        let claims = grant.claims.items().iter().filter_map(|claim| match &claim.rule.matcher {
            Matcher::Glob(glob) => Some((shown(&claim.rule.key), glob.as_str(), &claim.value)),
            _ => None,
        });
        let subject = grant.subject.given().and_then(|subject| match &subject.value {
            Subject::Glob(glob) => Some(("sub", glob.as_str(), &subject.place)),
            Subject::Exact(_) | Subject::Any => None,
        });
        for (claim, text, place) in claims.chain(subject) {
            if let Err(why) = (profile.glob)(claim, text) {
                let message = format!("{owner} has a star on a name: `{claim}` like {text:?}");
                let help = "write the names out; a list holds several: `[first, second]`";
                self.report(Code::CR125, place, message, why, help);
            }
        }
    }

    /// What a grant must say because its issuer is shared.
    pub(super) fn tenant_of_grant(&mut self, grant: &GrantDraft, plan: &IssuerPlan<'_>) {
        let (Some(profile), Tenancy::Shared) = (plan.profile, plan.tenancy) else { return };
        let (name, issuer) = (&grant.name.value, &plan.name);
        if profile.tenant_ids.is_empty() {
            let exact = matches!(grant.subject.value(), Some(Subject::Exact(_)));
            if exact || (!grant.subject.is_absent() && grant.subject.given().is_none()) {
                return;
            }
            let operator = plan.known.map_or("its operator", |known| known.operator);
            let message = format!(
                "grant \"{name}\" names no exact subject, and issuer \"{issuer}\" signs tokens for every customer of {operator}"
            );
            let place = grant.subject.given().map_or(&grant.name.place, |at| &at.place);
            let help =
                "write `subject:` with the exact `sub`, or a list of them: these tokens carry no tenant id to pin";
            self.report(Code::CR101, place, message, "whose token?", help);
            return;
        }
        let pins: Vec<_> = tenant_pins(profile, plan.draft.pin_claims.items()).collect();
        let several =
            !pins.is_empty() && pins.iter().all(|pin| pin.rule.matcher.exact().is_some_and(|values| values.len() > 1));
        let named = tenant_pins(profile, grant.claims.items()).next().is_some();
        if several && !named && !matches!((grant.claims.given(), grant.claims.is_absent()), (None, false)) {
            let claims = pins.iter().map(|pin| pin.rule.key.as_str()).collect::<Vec<_>>().join("`, `");
            let message =
                format!("grant \"{name}\" does not say for which of the tenants of issuer \"{issuer}\" it holds");
            let help = format!(
                "add the exact value: `claims: {{{}: \"<id>\"}}`",
                pins.first().map_or("", |pin| pin.rule.key.as_str())
            );
            self.report(
                Code::CR109,
                &grant.name.place,
                message,
                format!("the issuer pins several values of `{claims}`"),
                help,
            );
        }
    }

    /// Values of a JSON type that no token of this profile carries (CR107).
    pub(super) fn claim_types(&mut self, owner: &str, profile: Option<&Profile>, claims: &[ClaimDraft]) {
        let Some(profile) = profile else { return };
        for claim in claims {
            let Some(kind) = profile.claim_type(claim.rule.key.path()) else { continue };
            let words = WORDS.contains(&shown(&claim.rule.key));
            let Some(help) = remedy(&claim.rule.matcher, kind, words) else { continue };
            let key = &claim.rule.key;
            let message =
                format!("`{key}` of {owner} can never match: tokens of {} carry {} there", profile.name, kind.as_str());
            self.report(Code::CR107, &claim.value, message, format!("not {}", kind.as_str()), help);
        }
    }
}

/// The claim as profiles name it.
pub(super) fn shown(key: &ClaimKey) -> &str {
    if key.name().is_empty() { key.as_str() } else { key.name() }
}

/// Exact conditions on a tenant's stable id.
fn tenant_pins<'c>(profile: &'static Profile, claims: &'c [ClaimDraft]) -> impl Iterator<Item = &'c ClaimDraft> {
    claims
        .iter()
        .filter(|claim| profile.tenant_ids.contains(&claim.rule.key.name()))
        .filter(|claim| claim.rule.matcher.exact().is_some())
}

/// Claims that are words with blanks between where they are text (RFC 8693 §4.2; Entra's `scp`).
const WORDS: [&str; 2] = ["scope", "scp"];

/// What to write instead of a condition that a claim of this type can never meet; `None` where it can. `words`: the text
/// there is a list of words.
fn remedy(matcher: &Matcher, kind: ClaimType, words: bool) -> Option<String> {
    let of = |scalar: &Scalar| match scalar {
        Scalar::String(_) => ClaimType::String,
        Scalar::Number(_) => ClaimType::Number,
        Scalar::Bool(_) => ClaimType::Bool,
    };
    let quote = |scalar: &Scalar| match (scalar, kind) {
        (Scalar::String(text), _) => format!("write `{text}` without quotes"),
        (other, _) => format!("quote it: `\"{other}\"`"),
    };
    match (matcher, kind) {
        (Matcher::Present | Matcher::Absent, _) => None,
        (Matcher::Equals(_) | Matcher::OneOf(_), ClaimType::Strings) => {
            Some(String::from("match one element with `{contains: …}`"))
        }
        (Matcher::Equals(scalar), _) => (of(scalar) != kind).then(|| quote(scalar)),
        (Matcher::OneOf(scalars), _) => scalars.iter().find(|scalar| of(scalar) != kind).map(quote),
        (Matcher::ContainsAny(scalars) | Matcher::ContainsAll(scalars), ClaimType::Strings) => scalars
            .iter()
            .find(|scalar| of(scalar) != ClaimType::String)
            .map(|scalar| format!("quote it: `\"{scalar}\"`")),
        (Matcher::ContainsAny(wanted) | Matcher::ContainsAll(wanted), ClaimType::String) if words => {
            let word = |scalar: &Scalar| match scalar {
                Scalar::String(text) => text.clone(),
                other => other.to_string(),
            };
            let first = wanted.first().map(word).unwrap_or_default();
            let several = if wanted.len() > 1 { " with the one that the call needs" } else { "" };
            Some(format!("it is text of words with blanks between: write `{{word: {first}}}`{several}"))
        }
        (Matcher::ContainsAny(_) | Matcher::ContainsAll(_), _) => {
            Some(String::from("it is a single value: write it alone, or a list of values of which one must be equal"))
        }
        (Matcher::Glob(_), ClaimType::String) | (Matcher::Word(_), ClaimType::String | ClaimType::Strings) => None,
        (Matcher::Glob(_) | Matcher::Word(_), _) => Some(String::from("match the exact value")),
    }
}
