//! What is known about what went wrong: about this kind of issuer, and about mistakes that look alike.

use serde_json::{Value, json};

use super::explain_elsewhere::elsewhere;
use super::explain_relation::told;
use super::explain_story::Story;
use super::explain_terms as terms;
use crate::claims::{ClaimRule, Matcher, Scalar};
use crate::decide::{AudienceFrom, Failed, Grant, SubjectRule};
use crate::json::Json;
use crate::profile::Profile;
use crate::reason::Reason;

/// One thing that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    /// Whether the token should change, not the table.
    pub(super) token_side: bool,
    /// One or two sentences.
    pub(super) text: String,
}

impl Remark {
    pub(super) fn token(text: String) -> Self {
        Self { token_side: true, text }
    }

    pub(super) fn table(text: String) -> Self {
        Self { token_side: false, text }
    }

    /// Which side should change, or be asked about first.
    pub(super) const fn side(&self) -> &'static str {
        if self.token_side { "token" } else { "table" }
    }

    pub(super) fn json(&self) -> Value {
        json!({"side": self.side(), "text": self.text})
    }
}

/// Everything that is known about a refusal; what the token should change comes first.
pub(super) fn remarks(story: &Story<'_>) -> Vec<Remark> {
    if story.refusal().is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    unknown_issuer(story, &mut found);
    let issuer = story.walk.facts.issuer;
    let profile = issuer.and_then(|issuer| story.snapshot.profiles.get(&issuer.name)).copied();
    let profile = profile.unwrap_or_else(Profile::generic);
    let nearest = story.walk.facts.near_misses.first();
    let failed = nearest.map(|miss| miss.failed.as_slice()).unwrap_or_default();
    let audience = failed.iter().any(|failed| matches!(failed, Failed::Audience));
    let of_another_kind = [Err(Reason::TypeNotAllowed), Err(Reason::PinMismatch)];
    if audience || story.recorder.steps().iter().any(|step| of_another_kind.contains(&step.outcome)) {
        id_token(story, &mut found);
    }
    for grant in &story.walk.facts.shadow {
        found.push(Remark::table(format!(
            "shadow grant {} fits this call: it only watches, and `mode: enforce` is what makes it allow{}",
            grant.name,
            told(&grant.site)
        )));
    }
    if let Some(miss) = nearest {
        if audience {
            self::audience(story, miss.grant, profile, &mut found);
        }
        for failed in failed {
            match failed {
                Failed::Subject => subject(story, miss.grant, &mut found),
                Failed::Claim(rule) => claim(story, rule, profile, &mut found),
                other => found.extend(terms::remark(story, miss.grant, other)),
            }
        }
    }
    if let Some(issuer) = story.walk.facts.vouching_issuer() {
        for pin in &issuer.pins {
            let value = story.payload.and_then(|payload| pin.key.find(payload));
            if !pin.matcher.holds(value) {
                claim(story, pin, profile, &mut found);
            }
        }
    }
    found.sort_by_key(|remark| !remark.token_side);
    found.dedup();
    found
}

/// An `iss` that nearly is one of the table.
fn unknown_issuer(story: &Story<'_>, found: &mut Vec<Remark>) {
    if story.refusal() != Some(Reason::IssuerUnknown) {
        return;
    }
    let Some(claimed) = story.payload.and_then(|payload| payload.get("iss")).and_then(Json::as_str) else { return };
    let before = found.len();
    for issuer in story.snapshot.issuers.iter() {
        if let Some(how) = slip(issuer.issuer.as_str(), claimed) {
            found.push(Remark::table(format!(
                "`iss` is {claimed:?} and issuer {} has {:?}: they differ only in {how}. An `iss` is compared byte for byte; \
                 write it as the tokens have it{}",
                issuer.name,
                issuer.issuer.as_str(),
                told(&issuer.site)
            )));
        }
    }
    if found.len() == before {
        found.extend(same_host(story, claimed));
    }
}

/// The issuer of the table at the same host whose `iss` begins most like this one.
fn same_host(story: &Story<'_>, claimed: &str) -> Option<Remark> {
    let host = |iss: &str| {
        let (scheme, rest) = iss.split_once("://").filter(|(scheme, _)| *scheme != "spiffe")?;
        Some(format!("{scheme}://{}", rest.split('/').next()?).to_ascii_lowercase())
    };
    let wanted = host(claimed)?;
    let there = story.snapshot.issuers.iter().filter(|issuer| host(issuer.issuer.as_str()).as_ref() == Some(&wanted));
    let alike = |iss: &str| iss.bytes().zip(claimed.bytes()).take_while(|(one, other)| one == other).count();
    let nearest = there.max_by_key(|issuer| alike(issuer.issuer.as_str()))?;
    Some(Remark::table(format!(
        "`iss` is {claimed:?}, and the nearest is issuer {} with {:?}: the same host and another path, which is another issuer. \
         Where one host signs for several realms or tenants the path says for which: ask its operator whose this one is \
         before the table names it{}",
        nearest.name,
        nearest.issuer.as_str(),
        told(&nearest.site)
    )))
}

/// How two texts differ that people take for the same.
fn slip(wanted: &str, given: &str) -> Option<&'static str> {
    let scheme = |text: &str| text.trim_start_matches("https://").trim_start_matches("http://").to_owned();
    if wanted == given {
        None
    } else if wanted.trim_end_matches('/') == given.trim_end_matches('/') {
        Some("a `/` at the end")
    } else if wanted.trim() == given.trim() {
        Some("blanks around it")
    } else if wanted.eq_ignore_ascii_case(given) {
        Some("upper and lower case")
    } else if scheme(wanted) == scheme(given) {
        Some("`https://`")
    } else {
        None
    }
}

/// OpenID Connect Core §2, §3.1.3.6 and §3.3.2.11: claims that only ID tokens have.
fn id_token(story: &Story<'_>, found: &mut Vec<Remark>) {
    let there = |name: &&str| story.payload.is_some_and(|payload| payload.get(name).is_some());
    let mut marks: Vec<_> = ["nonce", "at_hash", "c_hash"].into_iter().filter(there).collect();
    // So Keycloak says it, in the payload.
    if story.payload.and_then(|payload| payload.get("typ")).and_then(Json::as_str) == Some("ID") {
        marks.insert(0, "typ: ID");
    }
    if !marks.is_empty() {
        found.push(Remark::token(format!(
            "the token has `{}`, as ID tokens have: an ID token tells a client who logged in, and is for nobody else. \
             Send the access token",
            marks.join("`, `")
        )));
    }
}

fn audience(story: &Story<'_>, grant: &Grant, profile: &Profile, found: &mut Vec<Remark>) {
    let given: Vec<&str> = match story.payload.and_then(|payload| payload.get("aud")) {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let wanted = grant.audience.as_str();
    if grant.audience_from == AudienceFrom::ClientId {
        found.push(Remark::token(format!(
            "the token is that of another client: ask its issuer for one as the client {wanted:?}"
        )));
        return;
    }
    if given.is_empty() {
        found.push(Remark::token(format!(
            "the token is for nobody: ask its issuer for one with the audience {wanted:?}"
        )));
    }
    for given in given {
        let other = story.snapshot.resources.iter().find(|(_, resource)| resource.audience.as_str() == given);
        found.push(if profile.default_audiences.contains(&given) {
            Remark::token(format!(
                "audience {given:?} is what tokens of {} have where nobody asked for one, so that many services share it: \
                 ask for a token with the audience {wanted:?}",
                profile.name
            ))
        } else if let Some((_, resource)) = other {
            Remark::token(format!(
                "audience {given:?} is that of resource {}: the token is for another service. Ask for one with {wanted:?}",
                resource.name
            ))
        } else if let Some(how) = slip(wanted, given) {
            Remark::token(format!(
                "audience {given:?} differs from {wanted:?} only in {how}; audiences are compared byte for byte"
            ))
        } else {
            Remark::token(format!("the token is for {given:?}: ask its issuer for one with the audience {wanted:?}"))
        });
    }
}

fn subject(story: &Story<'_>, grant: &Grant, found: &mut Vec<Remark>) {
    let Some(given) = story.payload.and_then(|payload| payload.get("sub")).and_then(Json::as_str) else { return };
    let Some(SubjectRule::Exact(subjects)) = &grant.subject else { return };
    for wanted in subjects {
        if let Some(how) = slip(wanted, given) {
            found.push(Remark::table(format!(
                "`sub` differs from the grant's only in {how}; it is compared byte for byte"
            )));
        } else if without_ids(wanted) == without_ids(given) {
            found.push(Remark::table(
                "`sub` is in its other live form: the same names, with or without `@ID` behind them. Names pass to others \
                 and the form changes; match the id claims instead of `sub`"
                    .to_owned(),
            ));
        }
    }
}

/// A subject without the ids behind its names: `repo:acme@9919/payments@5:x` is `repo:acme/payments:x`.
fn without_ids(subject: &str) -> String {
    let mut out = String::new();
    let mut rest = subject;
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        let digits = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_id = digits.len() < after.len() && digits.chars().next().is_none_or(|next| matches!(next, '/' | ':'));
        if !is_id {
            out.push('@');
        }
        rest = if is_id { digits } else { after };
    }
    out.push_str(rest);
    out
}

fn claim(story: &Story<'_>, rule: &ClaimRule, profile: &Profile, found: &mut Vec<Remark>) {
    let name = rule.key.as_str();
    let value = story.payload.and_then(|payload| rule.key.find(payload));
    if let Some(reusable) = profile.reusable.iter().find(|reusable| reusable.claim == name) {
        let stable = reusable.stable.iter().find_map(|claim| {
            let value = story.payload?.get(claim)?;
            Some(format!("; this token has {claim} {}", json!(value)))
        });
        found.push(Remark::table(format!(
            "claim {name} is a name that can pass to someone else ({}), so that another value may be another owner{}",
            reusable.danger,
            stable.unwrap_or_default()
        )));
    }
    if profile.mutable.contains(&name) {
        found.push(Remark::table(format!(
            "claim {name} can be changed by those whom it describes: it must not authorise"
        )));
    }
    if let Some(text) = wrong_type(&rule.matcher, value) {
        found.push(Remark::table(format!("claim {name}: {text}")));
    }
    let wanted = rule.matcher.exact().unwrap_or_default().iter();
    for (wanted, given) in wanted.filter_map(|wanted| Some((wanted, value?.as_str()?))) {
        if let Scalar::String(wanted) = wanted
            && let Some(how) = slip(wanted, given)
        {
            found.push(Remark::table(format!("claim {name} differs only in {how}; claims are compared byte for byte")));
        }
    }
    if matches!(rule.matcher, Matcher::Absent) || value.is_some() {
        return;
    }
    match story.payload.and_then(|payload| elsewhere(payload, &rule.matcher)) {
        Some(place) => found.push(Remark::table(format!(
            "the token has no claim {name}, and what the table wants of it stands in {place}. Ask the issuer's operator \
             whether it means the same there, before the grant names it"
        ))),
        None => found.push(Remark::token(format!("the token has no claim {name}: see whether its issuer can put it in"))),
    }
}

/// The same value as another JSON type.
fn wrong_type(matcher: &Matcher, value: Option<&Json>) -> Option<&'static str> {
    let (value, wanted) = (value?, matcher.exact()?);
    let same = |text: &str, wanted: &Scalar| match wanted {
        Scalar::String(wanted) => wanted == text,
        other => other.to_string() == text,
    };
    match value {
        Json::String(text) if wanted.iter().any(|one| !matches!(one, Scalar::String(_)) && same(text, one)) => {
            Some("the token has a string, the table none: put the value in quotes")
        }
        Json::Number(_) | Json::Bool(_)
            if wanted.iter().any(|one| matches!(one, Scalar::String(_)) && same(&json!(value).to_string(), one)) =>
        {
            Some("the table has a string, the token none: take the quotes away")
        }
        Json::Array(elements) if wanted.iter().any(|one| elements.iter().any(|element| one.equals(element))) => {
            Some("the token has a list that holds the value: write `{contains: …}`")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_live_forms_of_a_subject_are_one_without_their_ids() {
        let plain = "repo:acme/payments:environment:production";
        assert_eq!(without_ids("repo:acme@9919/payments@512345678:environment:production"), plain);
        assert_eq!(without_ids(plain), plain);
        for other in ["user@example.test", "a@1b", "x@", "@7/x"] {
            assert_eq!(without_ids(other), if other == "@7/x" { "/x" } else { other });
        }
    }

    #[test]
    fn a_slip_is_named_and_another_value_is_none() {
        assert_eq!(slip("https://a.test", "https://a.test/"), Some("a `/` at the end"));
        assert_eq!(slip("https://a.test", "https://A.test"), Some("upper and lower case"));
        assert_eq!(slip("https://a.test", "http://a.test"), Some("`https://`"));
        assert_eq!(slip("https://a.test", "https://b.test"), None);
        assert_eq!(slip("a", "a"), None);
    }

    #[test]
    fn a_value_of_another_type_is_recognised() {
        let number = Matcher::Equals(Scalar::Number(9919.0));
        let text = Matcher::Equals(Scalar::String("9919".to_owned()));
        assert!(wrong_type(&number, Some(&Json::String("9919".into()))).unwrap().contains("in quotes"));
        assert!(wrong_type(&text, Some(&Json::Number(9919.0))).unwrap().contains("quotes away"));
        assert!(wrong_type(&text, Some(&Json::Array(vec![Json::String("9919".into())]))).unwrap().contains("contains"));
        assert_eq!(wrong_type(&text, Some(&Json::String("7".into()))), None);
    }
}
