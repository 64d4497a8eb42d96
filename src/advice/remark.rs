//! What to think of before believing a token.

use super::{Seen, quoted, scalar};
use crate::clock::Time;
use crate::json::Json;
use crate::name::{Algorithm, is_forbidden_character};
use crate::profile::{Profile, Tenancy, known_issuer};

/// One thing to think of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The claim or member of the header that it is about; `profile` for what holds for all such tokens.
    pub about: String,
    /// One sentence.
    pub text: String,
}

/// Everything, the weightiest first.
pub fn remarks(seen: &Seen<'_>) -> Vec<Remark> {
    let mut found = Remarks::default();
    found.issuer(seen);
    found.alarms(seen);
    found.audience(seen);
    found.times(seen);
    found.header(seen);
    found.subject(seen);
    found.names(seen);
    found.bounds(seen);
    for danger in seen.profile.dangers {
        found.add("profile", *danger);
    }
    found.0
}

#[derive(Default)]
struct Remarks(Vec<Remark>);

impl Remarks {
    fn add(&mut self, about: impl Into<String>, text: impl Into<String>) {
        self.0.push(Remark { about: about.into(), text: text.into() });
    }

    fn issuer(&mut self, seen: &Seen<'_>) {
        let Some(iss) = seen.text("iss") else {
            if seen.profile.name != "spiffe" {
                self.add("iss", "is absent, so nothing says whose token this is: it is refused by every table");
            }
            return;
        };
        if let Err(form) = (seen.profile.issuer)(iss) {
            self.add("iss", format!("does not have the form of this profile: {form}"));
        }
        let listed = known_issuer(iss);
        let shared = (seen.profile.issuer)(iss) == Ok(Tenancy::Shared)
            || listed.is_some_and(|known| known.profile.is_none() && known.tenancy == Tenancy::Shared);
        if shared {
            let operator = listed.map_or("its operator", |known| known.operator);
            self.add("iss", format!("signs for every customer of {operator}: anybody there gets such a token"));
        }
    }

    /// Values by which such a token is rather not what a grant is made from.
    fn alarms(&mut self, seen: &Seen<'_>) {
        for (claim, text) in alarms(seen) {
            self.add(claim, text);
        }
    }

    fn audience(&mut self, seen: &Seen<'_>) {
        let audiences = seen.audiences();
        if let Some(resource) = seen.resource.filter(|one| !audiences.contains(&one.audience.as_str())) {
            let given: Vec<_> = audiences.iter().map(|one| quoted(one)).collect();
            let given = if given.is_empty() { "nobody".to_owned() } else { given.join(", ") };
            self.add(
                "aud",
                format!(
                    "is for {given}, and resource {} takes {}: no grant mends that, the caller has to ask its issuer for \
                     a token with this audience",
                    resource.name,
                    resource.audience.as_str()
                ),
            );
        }
        if audiences.len() > 1 {
            self.add("aud", "names several services: each of them could use this token at the others");
        }
        for audience in
            audiences.iter().filter(|one| seen.profile.is_default_audience(seen.text("iss").unwrap_or_default(), one))
        {
            self.add(
                "aud",
                format!(
                    "{audience:?} is what such tokens have where nobody asked for an audience: many services share it"
                ),
            );
        }
    }

    fn times(&mut self, seen: &Seen<'_>) {
        let (issued, expires) = (seen.number("iat"), seen.number("exp"));
        match expires {
            None => self.add("exp", "is absent: a token that never ends is refused by every table"),
            Some(end) if end <= seen.now.seconds() => self.add("exp", format!("ended at {}", Time::from_seconds(end))),
            Some(_) => {}
        }
        let bound = seen.entry().map_or(seen.profile.max_token_age, |entry| entry.max_token_age.bound.as_secs());
        if let (Some(issued), Some(expires)) = (issued, expires) {
            let age = expires - issued;
            if age > std::time::Duration::from_secs(bound).as_secs_f64() {
                self.add(
                    "exp",
                    format!(
                        "is {age} s after `iat`, and at most {bound} s are taken (`maxTokenAge`): ask for shorter ones"
                    ),
                );
            }
        }
    }

    fn header(&mut self, seen: &Seen<'_>) {
        let algorithms = seen.entry().map_or(seen.profile.algorithms, |entry| entry.algorithms.as_slice());
        match Algorithm::parse(seen.algorithm) {
            None => self.add("alg", "is none that can be trusted here: no signature, or one by a shared secret"),
            Some(algorithm) if !algorithms.contains(&algorithm) => {
                self.add("alg", format!("{algorithm} is not what such tokens are signed with (`signingAlgs`)"));
            }
            Some(_) => {}
        }
        if seen.claim("events").is_some() {
            self.add("events", "makes it a message about an account, no access token: it is refused");
        }
    }

    fn subject(&mut self, seen: &Seen<'_>) {
        match seen.text("sub").filter(|sub| !sub.is_empty()) {
            None => self.add("sub", "is absent: nobody is named, so it is refused by every table"),
            Some(sub) if sub.chars().any(is_forbidden_character) => {
                self.add("sub", "holds a character that does not show, or hides others: it is refused by every table");
            }
            Some(sub) => {
                if let Err(why) = (seen.profile.subject)(sub) {
                    self.add("sub", format!("cannot be matched: {why}"));
                }
            }
        }
    }

    /// Names that can pass to someone else, and what people can change.
    fn names(&mut self, seen: &Seen<'_>) {
        for name in seen.profile.reusable.iter().filter(|name| seen.claim(name.claim).is_some()) {
            let stable: Vec<_> = name
                .stable
                .iter()
                .filter(|id| **id == "sub" || seen.claim(id).is_some())
                .map(|id| format!("`{id}`"))
                .collect();
            let beside = if stable.is_empty() {
                format!("; the token has none of what stays ({})", name.stable.join(", "))
            } else {
                format!("; {} stays", stable.join(" or "))
            };
            self.add(name.claim, format!("is a name: {}{beside}", name.danger));
        }
        let changed: Vec<_> = mutable(seen.profile).filter(|claim| seen.claim(claim).is_some()).collect();
        if !changed.is_empty() {
            self.add(changed.join(", "), "can be changed by those whom it describes: never match it");
        }
    }

    /// What binds a token, or what it is without.
    fn bounds(&mut self, seen: &Seen<'_>) {
        if matches!(seen.claim("cnf"), Some(Json::Object(_))) {
            self.add("cnf", "binds it to a key, which credence does not check: such tokens are refused, not taken for bearer tokens");
        }
        if seen.claim("act").is_some() {
            self.add("act", "someone acts for the subject: only a grant that names the `actor` takes it");
        }
        if seen.claim("jti").is_none() {
            self.add("jti", "is absent: a grant with `replay: once` could not take it");
        }
    }
}

/// The claims of the token whose values mean danger, and what they mean.
pub(super) fn alarms(seen: &Seen<'_>) -> impl Iterator<Item = (&'static str, String)> {
    seen.profile.alarms.iter().filter_map(|alarm| {
        let value = seen.claim(alarm.claim).filter(|value| alarm.sounds(value))?;
        Some((alarm.claim, format!("{} {}", scalar(value), alarm.danger)))
    })
}

/// Claims that must not authorise.
pub(super) fn mutable(profile: &'static Profile) -> impl Iterator<Item = &'static str> {
    profile.mutable.iter().copied()
}
