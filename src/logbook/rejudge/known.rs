//! What a line and the table of its time tell about the claims of a token, of which no value was kept.

use super::Rejudged;
use super::possible::Outcome;
use crate::claims::{ClaimKey, ClaimRule, Matcher, Scalar};
use crate::decide::{AudienceFrom, Grant, Mode};
use crate::json::Json;
use crate::reason::Reason;

/// The names that a log uses for fields of a grant; a claim of the same name cannot be told apart from them.
const FIELDS: [&str; 9] =
    ["audience", "subject", "actor", "methods", "paths", "starts", "expires", "maxTokenAge", "replay"];

/// Conditions that are known to hold, or not to.
#[derive(Debug, Default)]
pub(super) struct Known<'s> {
    rules: Vec<(&'s ClaimRule, bool)>,
    /// By `aud`: whether the value is among them.
    audiences: Vec<(&'s str, bool)>,
    /// By `client_id`.
    client_ids: Vec<(&'s str, bool)>,
    /// Whether `aud` is absent or empty.
    pub(super) names_no_audience: Option<bool>,
}

impl<'s> Known<'s> {
    /// A condition held, or did not.
    pub(super) fn rule(&mut self, rule: &'s ClaimRule, held: bool) {
        self.rules.push((rule, held));
    }

    /// The audience of a grant was the token's, or was not.
    pub(super) fn audience(&mut self, grant: &'s Grant, held: bool) {
        let value = grant.audience.as_str();
        match grant.audience_from {
            AudienceFrom::Audience => {
                self.audiences.push((value, held));
                if held {
                    self.names_no_audience = Some(false);
                }
            }
            AudienceFrom::ClientId => self.client_ids.push((value, held)),
        }
    }

    /// This grant fitted: its audience and its claims are the token's.
    pub(super) fn fitted(&mut self, grant: &'s Grant) {
        self.audience(grant, true);
        grant.claims.iter().for_each(|rule| self.rule(rule, true));
    }

    /// This grant differed in these, and in nothing else.
    pub(super) fn differed(&mut self, grant: &'s Grant, failed: &[String]) {
        let has = |name: &str| failed.iter().any(|one| one == name);
        let ambiguous = || grant.claims.iter().any(|rule| rule.key.as_str() == "audience");
        if !(has("audience") && ambiguous()) {
            self.audience(grant, !has("audience"));
        }
        for rule in &grant.claims {
            let name = rule.key.as_str();
            if !has(name) || !FIELDS.contains(&name) {
                self.rule(rule, !has(name));
            }
        }
    }

    /// Whether the grant's audience is the token's.
    pub(super) fn audience_fits(&self, grant: &Grant) -> Option<bool> {
        let wanted = grant.audience.as_str();
        match grant.audience_from {
            AudienceFrom::Audience => match self.audiences.iter().find(|(value, _)| *value == wanted) {
                Some((_, held)) => Some(*held),
                None => (self.names_no_audience == Some(true)).then_some(false),
            },
            AudienceFrom::ClientId => match self.client_ids.iter().find(|(value, _)| *value == wanted) {
                Some((_, held)) => Some(*held),
                // It is one value: where it is another, it is not this one.
                None => self.client_ids.iter().any(|(_, held)| *held).then_some(false),
            },
        }
    }

    /// Whether a condition holds, where what is known of others on the same claim tells it.
    pub(super) fn holds(&self, rule: &ClaimRule) -> Option<bool> {
        let same = |key: &ClaimKey| key.path() == rule.key.path();
        let known = self.rules.iter().filter(|(known, _)| same(&known.key));
        let mut told = known.filter_map(|(known, held)| follows(&known.matcher, *held, &rule.matcher));
        told.next()
    }
}

impl<'s> Rejudged<'s, '_> {
    /// What the line and the table of its time tell about the claims.
    pub(super) fn known(&self) -> Known<'s> {
        let mut known = Known::default();
        let (Some(base), Some(entry), Some(_)) = (self.base, self.entry_then(), self.record.pair()) else {
            return known;
        };
        if self.passed(Reason::PinMismatch) {
            entry.pins.iter().for_each(|pin| known.rule(pin, true));
        }
        if !self.passed(Reason::ConfirmationRequired) {
            return known;
        }
        let Some(resource) = self.resource_then() else { return known };
        let grants = base.snapshot.grants.of(entry.id, resource.id);
        let named = |name: &str| grants.iter().find(|grant| grant.name.as_str() == name);
        let fitted = self.record.grants.iter().chain(&self.record.shadow).filter_map(|name| named(name));
        fitted.for_each(|grant| known.fitted(grant));
        for miss in &self.record.near_misses {
            if let Some(grant) = named(&miss.grant) {
                known.differed(grant, &miss.failed);
            }
        }
        let enforcing: Vec<_> = grants.iter().filter(|grant| grant.mode == Mode::Enforce).collect();
        let mismatch = self.ended_with(Reason::AudienceMismatch);
        match enforcing.as_slice() {
            [] if self.logged != Outcome::Allowed => known.names_no_audience = Some(mismatch),
            all if mismatch => all.iter().for_each(|grant| known.audience(grant, false)),
            [only, rest @ ..] => {
                // One of them had the audience; where all have one and the same, it was that.
                let asks = |grant: &Grant| (grant.audience.clone(), grant.audience_from);
                if rest.iter().all(|grant| asks(grant) == asks(only)) {
                    known.audience(only, true);
                }
            }
            [] => {}
        }
        known
    }
}

/// Whether `wanted` holds of a claim of which it is known whether `known` holds.
fn follows(known: &Matcher, held: bool, wanted: &Matcher) -> Option<bool> {
    if known == wanted {
        return Some(held);
    }
    if held { follows_from_yes(known, wanted) } else { follows_from_no(known, wanted) }
}

fn follows_from_yes(known: &Matcher, wanted: &Matcher) -> Option<bool> {
    if let Some(values) = known.exact() {
        // The claim is one of these, exactly.
        let verdicts: Vec<_> = values.iter().map(|value| wanted.holds(Some(&json(value)))).collect();
        return match (verdicts.contains(&true), verdicts.contains(&false)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        };
    }
    match (known, wanted) {
        // Of a claim that is not there nothing else holds; and of one that is there, not that it is absent.
        (Matcher::Absent, _) | (_, Matcher::Absent) => Some(false),
        // What fits a form or is in a list is something.
        (Matcher::Glob(_) | Matcher::ContainsAny(_) | Matcher::ContainsAll(_), Matcher::Present) => Some(true),
        (Matcher::ContainsAll(all), Matcher::ContainsAny(any)) if all.iter().any(|one| any.contains(one)) => Some(true),
        (Matcher::ContainsAll(all), Matcher::ContainsAll(some)) if some.iter().all(|one| all.contains(one)) => {
            Some(true)
        }
        (Matcher::ContainsAny(few), Matcher::ContainsAny(more)) if few.iter().all(|one| more.contains(one)) => {
            Some(true)
        }
        // A list is no scalar, and a text no list.
        (
            Matcher::ContainsAny(_) | Matcher::ContainsAll(_),
            Matcher::Equals(_) | Matcher::OneOf(_) | Matcher::Glob(_),
        )
        | (Matcher::Glob(_), Matcher::ContainsAny(_) | Matcher::ContainsAll(_)) => Some(false),
        (Matcher::Glob(glob), Matcher::Equals(_) | Matcher::OneOf(_)) => {
            let fits = |value: &Scalar| matches!(value, Scalar::String(text) if glob.matches(text));
            (!wanted.exact()?.iter().any(fits)).then_some(false)
        }
        _ => None,
    }
}

fn follows_from_no(known: &Matcher, wanted: &Matcher) -> Option<bool> {
    let no = match (known, wanted) {
        (Matcher::Equals(_) | Matcher::OneOf(_), Matcher::Equals(_) | Matcher::OneOf(_)) => {
            let ruled_out = known.exact()?;
            wanted.exact()?.iter().all(|value| ruled_out.contains(value))
        }
        // What is not there, or says nothing, equals nothing.
        (Matcher::Present, Matcher::Equals(_) | Matcher::OneOf(_) | Matcher::Glob(_)) => true,
        (Matcher::ContainsAny(none), Matcher::ContainsAny(few)) => few.iter().all(|one| none.contains(one)),
        (Matcher::ContainsAny(none), Matcher::ContainsAll(all)) => all.iter().any(|one| none.contains(one)),
        (Matcher::Glob(glob), Matcher::Equals(_) | Matcher::OneOf(_)) => {
            wanted.exact()?.iter().all(|value| matches!(value, Scalar::String(text) if glob.matches(text)))
        }
        _ => false,
    };
    no.then_some(false)
}

fn json(value: &Scalar) -> Json {
    match value {
        Scalar::String(text) => Json::String(text.clone().into()),
        Scalar::Number(number) => Json::Number(*number),
        Scalar::Bool(value) => Json::Bool(*value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::claims::Glob;

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            prop::sample::select(vec!["a/x", "a/y", "b/x", "x"]).prop_map(|text| Scalar::String(text.to_owned())),
            prop::sample::select(vec![0.0, -0.0, 1.0]).prop_map(Scalar::Number),
            any::<bool>().prop_map(Scalar::Bool),
        ]
    }

    fn matcher() -> impl Strategy<Value = Matcher> {
        let list = || prop::collection::vec(scalar(), 1..4);
        prop_oneof![
            scalar().prop_map(Matcher::Equals),
            list().prop_map(Matcher::OneOf),
            prop::sample::select(vec!["a/*", "b/*", "a/**"]).prop_map(|text| Matcher::Glob(Glob::parse(text).unwrap())),
            list().prop_map(Matcher::ContainsAny),
            list().prop_map(Matcher::ContainsAll),
            prop::sample::select(vec!["x", "a/x"]).prop_map(|word| Matcher::Word(word.to_owned())),
            Just(Matcher::Present),
            Just(Matcher::Absent),
        ]
    }

    fn value() -> impl Strategy<Value = Option<Json>> {
        let plain = prop_oneof![
            3 => scalar().prop_map(|scalar| json(&scalar)),
            1 => Just(Json::Null),
            1 => Just(Json::String("".into())),
            1 => Just(Json::Number(1e300)),
            1 => Just(Json::String("a/x x".into())),
        ];
        prop::option::weighted(
            0.9,
            prop_oneof![
                2 => plain.clone(),
                1 => prop::collection::vec(plain, 0..4).prop_map(|elements| Json::Array(elements.into_iter().collect())),
            ],
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn what_follows_is_so(known in matcher(), wanted in matcher(), value in value()) {
            let held = known.holds(value.as_ref());
            if let Some(told) = follows(&known, held, &wanted) {
                prop_assert_eq!(told, wanted.holds(value.as_ref()), "{:?} {} of {:?}", known, held, value);
            }
        }
    }
}
