//! The same `sub` under several issuers: two identities that look like one user.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::record::{Record, Who};
use super::tally::Tally;
use crate::clock::Time;
use crate::name::visible;

/// So many pairs are kept of callers whose signature stood, and as many of what unverified tokens said: what anyone can
/// send must not push out what was verified.
const MOST_PAIRS: usize = 100_000;
/// And their names weigh so many bytes at most.
const MOST_BYTES: usize = 32 << 20;
/// So many grants and resources are named of a pair.
const MOST_NAMES: usize = 16;

/// Takes decisions one after another.
#[derive(Debug)]
pub struct Twins {
    verified: Tally<Key, Use>,
    claimed: Tally<Key, Use>,
}

/// Sorted so that one subject's pairs lie together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    sub: String,
    iss: Option<String>,
    realm: Option<String>,
    standing: &'static str,
}

/// One subject that several issuers name.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// The `sub`, which alone is nobody.
    pub sub: String,
    /// Whether at least two issuers said it with a signature that stood; else at least one of them is a mere claim.
    pub verified: bool,
    /// Each use, by issuer.
    pub uses: Vec<Use>,
}

/// What one issuer's subject did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Use {
    /// The issuer; `None` where a claim or an acting party names none.
    pub iss: Option<String>,
    /// Its realm.
    pub realm: Option<String>,
    /// `principal` (allowed), `verified` (refused), `actor` (asserted by the token's issuer) or `claimed` (proof of
    /// nothing).
    pub standing: &'static str,
    /// How often it was allowed.
    pub allowed: u64,
    /// How often it was denied.
    pub denied: u64,
    /// Grants that allowed it, at most 16.
    pub grants: BTreeSet<String>,
    /// Where it went, at most 16.
    pub resources: BTreeSet<String>,
    /// First and last decision.
    pub span: Option<(Time, Time)>,
}

impl Default for Twins {
    fn default() -> Self {
        Self { verified: Tally::new(MOST_PAIRS, MOST_BYTES), claimed: Tally::new(MOST_PAIRS, MOST_BYTES) }
    }
}

impl Twins {
    /// Takes one decision in.
    pub fn take(&mut self, record: &Record) {
        let (iss, sub) = record.who.names();
        if let Some(sub) = sub {
            self.note(record, record.who.standing(), iss, record.realm.as_ref(), sub);
        }
        // Who acts is asserted by the token's issuer: without a signature it is a claim of a claim, and left out.
        if let (Some(actor), Some(pair)) = (&record.actor, record.pair()) {
            let iss = actor.iss.as_deref().unwrap_or(&pair.iss);
            // The realm is that of the token's issuer, and of nobody else's subjects.
            let realm = record.realm.as_ref().filter(|_| iss == pair.iss);
            if let Some(sub) = &actor.sub {
                self.note(record, "actor", Some(iss), realm, sub);
            }
        }
    }

    fn note(&mut self, record: &Record, standing: &'static str, iss: Option<&str>, realm: Option<&String>, sub: &str) {
        let key = Key { sub: sub.to_owned(), iss: iss.map(str::to_owned), realm: realm.cloned(), standing };
        let weight = sub.len() + iss.map_or(0, str::len);
        let tally = if matches!(record.who, Who::Claimed(_)) { &mut self.claimed } else { &mut self.verified };
        let Some(used) = tally.at(key, weight) else { return };
        if record.allowed {
            used.allowed += 1;
        } else {
            used.denied += 1;
        }
        let names = [(&mut used.grants, record.grants.as_slice()), (&mut used.resources, record.resource.as_slice())];
        for (kept, given) in names {
            for name in given {
                if kept.len() < MOST_NAMES && !kept.contains(name) {
                    kept.insert(name.clone());
                }
            }
        }
        let (first, last) = used.span.unwrap_or((record.time, record.time));
        let earlier = if record.time < first { record.time } else { first };
        let later = if record.time > last { record.time } else { last };
        used.span = Some((earlier, later));
    }

    /// Decisions that could not be taken in, because there was no room for another pair.
    pub const fn left_out(&self) -> u64 {
        self.verified.left_out() + self.claimed.left_out()
    }

    /// Every subject that more than one issuer names, those that were verified first.
    pub fn finish(self) -> Vec<Twin> {
        let mut subjects: BTreeMap<String, Vec<Use>> = BTreeMap::new();
        for (key, used) in self.verified.into_entries().chain(self.claimed.into_entries()) {
            let used = Use { iss: key.iss, realm: key.realm, standing: key.standing, ..used };
            subjects.entry(key.sub).or_default().push(used);
        }
        let verified = |uses: &[Use]| distinct(uses.iter().filter(|used| used.is_verified())) > 1;
        let mut twins: Vec<_> = subjects
            .into_iter()
            .filter(|(_, uses)| distinct(uses.iter()) > 1)
            .map(|(sub, uses)| Twin { sub, verified: verified(&uses), uses })
            .collect();
        twins.sort_by_key(|twin| !twin.verified);
        twins
    }
}

/// How many identities these are of one subject.
fn distinct<'u>(uses: impl Iterator<Item = &'u Use>) -> usize {
    uses.map(|used| (&used.iss, &used.realm)).collect::<BTreeSet<_>>().len()
}

impl Use {
    /// Whether an issuer's signature stood for it.
    fn is_verified(&self) -> bool {
        self.standing != "claimed"
    }
}

impl Twin {
    /// A paragraph for people. Nothing in it that strangers chose ends a line or hides.
    pub fn text(&self) -> String {
        let verified = distinct(self.uses.iter().filter(|used| used.is_verified()));
        let mut out = match verified {
            0 => format!("sub {:?}: merely claimed by unverified tokens, of several issuers\n", self.sub),
            1 => format!("sub {:?}: one identity; all others are merely claims of unverified tokens\n", self.sub),
            _ => {
                format!("sub {:?}: {verified} identities in the logs, with nothing in common but this text\n", self.sub)
            }
        };
        for used in &self.uses {
            let realm = used.realm.as_ref().map(|realm| format!(" realm {}", visible(realm))).unwrap_or_default();
            let iss = used.iss.as_deref().map_or_else(|| "absent".to_owned(), visible);
            out +=
                &format!("  {:<9} iss {iss}{realm}: {} allowed, {} denied", used.standing, used.allowed, used.denied);
            if let Some((first, last)) = used.span {
                out += &format!(", first {first}, last {last}");
            }
            out.push('\n');
            for (what, names) in [("resources", &used.resources), ("grants", &used.grants)] {
                if !names.is_empty() {
                    out += &format!(
                        "            {what} {}\n",
                        names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(" ")
                    );
                }
            }
        }
        out
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let told = |used: &Use| {
            json!({
                "standing": used.standing,
                "iss": used.iss,
                "realm": used.realm,
                "allowed": used.allowed,
                "denied": used.denied,
                "resources": used.resources,
                "grants": used.grants,
                "first": used.span.map(|(first, _)| first.to_string()),
                "last": used.span.map(|(_, last)| last.to_string()),
            })
        };
        json!({"sub": self.sub, "verified": self.verified, "uses": self.uses.iter().map(told).collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::{Counts, read};
    use super::*;

    fn twins(lines: &[(&str, &str)]) -> Vec<Twin> {
        let mut twins = Twins::default();
        let text: String = lines
            .iter()
            .map(|(time, rest)| {
                format!("{{\"schema\":\"credence.decision/v1\",\"ts\":\"2026-11-21T{time}Z\",\"decision_id\":\"a\",{rest}}}\n")
            })
            .collect();
        let mut counts = Counts::default();
        read(&mut text.as_bytes(), &mut counts, &mut |record| {
            twins.take(&record);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(counts.passed_over(), 0);
        assert_eq!(twins.left_out(), 0);
        twins.finish()
    }

    const ALLOW: &str = r#""decision":"allow","reason":"ok","resource":"api","grants":["g"]"#;
    const DENY: &str = r#""decision":"deny","reason":"grant_none","resource":"api""#;

    #[test]
    fn an_apparent_duplicate_user_is_two_identities_each_with_its_own_deeds() {
        let found = twins(&[
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"https://a","sub":"bot"}}"#)),
            ("11:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"https://a","sub":"bot"}}"#)),
            ("13:00:00", &format!(r#"{DENY},"verified":{{"iss":"https://b","sub":"bot"}}"#)),
            ("13:00:00", &format!(r#"{DENY},"verified":{{"iss":"https://b","sub":"alone"}}"#)),
        ]);
        let [twin] = found.as_slice() else { panic!("{found:?}") };
        assert!(twin.verified);
        let text = twin.text();
        assert!(
            text.contains(
                "principal iss https://a: 2 allowed, 0 denied, first 2026-11-21T11:00:00.000Z, last 2026-11-21T12:00:00.000Z"
            ),
            "{text}"
        );
        assert!(text.contains("verified  iss https://b: 0 allowed, 1 denied"), "{text}");
        assert_eq!(twin.json()["uses"][0]["grants"][0], "g");
    }

    #[test]
    fn what_anyone_can_claim_is_kept_apart_from_what_was_verified() {
        let found = twins(&[
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"https://a","sub":"bot"}}"#)),
            ("12:00:00", &format!(r#"{DENY},"claimed":{{"iss":"https://evil","sub":"bot"}}"#)),
        ]);
        let [twin] = found.as_slice() else { panic!("{found:?}") };
        assert!(
            !twin.verified && twin.text().contains("one identity; all others are merely claims"),
            "{}",
            twin.text()
        );
    }

    #[test]
    fn one_issuer_in_two_realms_is_two_and_an_actor_is_a_pair_too() {
        let found = twins(&[
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"k","sub":"bot"}},"realm":"eu""#)),
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"k","sub":"bot"}},"realm":"us""#)),
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"p","sub":"x"}},"actor":{{"sub":"agent"}}"#)),
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"q","sub":"agent"}}"#)),
        ]);
        let subjects: Vec<_> = found.iter().map(|twin| twin.sub.as_str()).collect();
        assert_eq!(subjects, ["agent", "bot"]);
    }

    #[test]
    fn the_realm_of_a_token_is_not_that_of_an_actor_of_another_issuer() {
        let found = twins(&[
            (
                "12:00:00",
                &format!(
                    r#"{ALLOW},"principal":{{"iss":"k","sub":"x"}},"realm":"eu","actor":{{"iss":"q","sub":"agent"}}"#
                ),
            ),
            ("12:00:00", &format!(r#"{ALLOW},"principal":{{"iss":"q","sub":"agent"}}"#)),
        ]);
        assert_eq!(found, [], "it is one identity");
    }
}
