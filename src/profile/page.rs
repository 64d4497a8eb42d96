//! A profile in words: what `credence profiles NAME` prints, and `docs/profiles.md`.

use super::{ClaimType, Hint, Profile, Tenancy};

/// One part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: &'static str,
    /// One fact each; names and values stand in backticks.
    pub lines: Vec<String>,
}

impl Profile {
    /// Everything that it knows but where to start from, most needed first; without what it knows nothing of.
    pub fn sections(&self) -> Vec<Section> {
        let sections = [
            ("Issuers", self.issuer_lines()),
            ("Parameters of `with`", self.parameter_lines()),
            ("Keys", self.key_lines()),
            ("Defaults", self.default_lines()),
            ("Dangers", self.dangers.iter().map(ToString::to_string).collect()),
            ("Values that mean danger", self.alarm_lines()),
            ("Forms of `sub`", self.subject_forms.iter().map(ToString::to_string).collect()),
            ("Ids beside names", self.reusable_lines()),
            ("Claims", self.claim_lines()),
            ("Rules", self.rules()),
        ];
        sections
            .into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .map(|(title, lines)| Section { title, lines })
            .collect()
    }

    /// Whether one of its issuers signs for every customer of its operator; `None` where nothing is known of it.
    pub fn tenancy(&self) -> Option<Tenancy> {
        let shared = self.issuers.iter().any(|iss| (self.issuer)(iss) == Ok(Tenancy::Shared));
        (!self.issuers.is_empty()).then_some(if shared { Tenancy::Shared } else { Tenancy::Private })
    }

    fn issuer_lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self
            .issuers
            .iter()
            .map(|iss| match (self.issuer)(iss) {
                Ok(Tenancy::Shared) => format!("`{iss}`: signs for every customer, so a tenant is pinned"),
                _ => format!("`{iss}`"),
            })
            .collect();
        if lines.is_empty() {
            lines.push("any: `issuer` is written, byte for byte as tokens have it in `iss`".to_owned());
        }
        if let Some(first) = self.tenant_ids.first() {
            let ids = self.tenant_ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" or ");
            lines.push(match self.tenant_hint {
                "" => format!("a tenant is {ids}"),
                hint => format!("a tenant is {ids}; of `{first}`: {hint}"),
            });
        }
        lines
    }

    fn alarm_lines(&self) -> Vec<String> {
        let line = |alarm: &super::Alarm| format!("`{}` {}: {}", alarm.claim, alarm.values.join(" or "), alarm.danger);
        self.alarms.iter().map(line).collect()
    }

    fn parameter_lines(&self) -> Vec<String> {
        let line = |parameter: &super::Parameter| {
            let list = if parameter.list { ", a list" } else { "" };
            let optional = if parameter.optional { ", optional" } else { "" };
            // What is said of a value that is none says what a value is.
            let form = (parameter.form)("").err().unwrap_or_default();
            format!("`{}`{list}{optional}: {form}", parameter.name)
        };
        self.parameters.iter().map(line).collect()
    }

    fn key_lines(&self) -> Vec<String> {
        let mut lines = vec![self.key_place.to_owned()];
        if !self.key_hosts.is_empty() {
            lines.push(format!("a discovered `jwks_uri` may be on {} too", ticked(self.key_hosts)));
        }
        lines
    }

    fn default_lines(&self) -> Vec<String> {
        let algorithms: Vec<_> = self.algorithms.iter().map(ToString::to_string).collect();
        let types: Vec<_> = self
            .token_types
            .iter()
            .map(|text| if text.is_empty() { "absent".into() } else { format!("`{text}`") })
            .collect();
        vec![
            format!("`signingAlgs`: {}", algorithms.join(" ")),
            format!("`tokenTypes`: {}", types.join(" or ")),
            format!("`maxTokenAge`: {}", duration(self.max_token_age)),
        ]
    }

    fn reusable_lines(&self) -> Vec<String> {
        let line = |name: &super::Reusable| {
            format!("`{}` is a name, beside it {}: {}", name.claim, ticked(name.stable), name.danger)
        };
        self.reusable.iter().map(line).collect()
    }

    fn claim_lines(&self) -> Vec<String> {
        let kinds = [ClaimType::String, ClaimType::Strings, ClaimType::Number, ClaimType::Bool];
        let of = |kind: ClaimType| {
            let names: Vec<_> = self.claims.iter().filter(|(_, own)| *own == kind).map(|(name, _)| *name).collect();
            (!names.is_empty()).then(|| {
                format!(
                    "{}: {}",
                    kind.as_str(),
                    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
                )
            })
        };
        let mut lines: Vec<_> = kinds.into_iter().filter_map(of).collect();
        if !self.families.is_empty() && self.complete {
            lines.push(format!(
                "and those that begin with {}",
                ticked(&self.families.iter().map(|(start, _)| *start).collect::<Vec<_>>())
            ));
        }
        lines
    }

    /// Which rule watches for what, by its code.
    fn rules(&self) -> Vec<String> {
        let mut rules = Vec::new();
        if self.tenancy() == Some(Tenancy::Shared) {
            rules.push(match self.tenant_ids {
                [] => "CR101: every grant names exact subjects, because no claim is a tenant's id".to_owned(),
                ids => format!("CR101: a shared issuer pins {}", ticked(ids)),
            });
        }
        if !self.claims.is_empty() {
            rules.push("CR107: a value has the JSON type that tokens have there".to_owned());
        }
        if !self.reusable.is_empty() {
            let names: Vec<_> = self.reusable.iter().map(|name| name.claim).collect();
            rules.push(format!("CR201, CR202: {} without its id", ticked(&names)));
        }
        if self.complete {
            rules.push("CR203: a claim that is not one of those above".to_owned());
        }
        if !self.mutable.is_empty() {
            rules.push(format!("CR204: {} must not authorise", ticked(self.mutable)));
        }
        if !self.alarms.is_empty() {
            rules.push("CR206: a condition that lets in a value which means danger".to_owned());
        }
        rules.extend(self.hints.iter().map(|hint| format!("CR206: {}", sentence(hint))));
        if !self.default_audiences.is_empty() {
            rules.push(format!("CR210: the audience is shared by many services: {}", ticked(self.default_audiences)));
        }
        if !self.run_claims.is_empty() {
            rules.push(format!("CR402: one of {} is matched", ticked(self.run_claims)));
        }
        rules
    }
}

fn sentence(hint: &Hint) -> String {
    let of = |signs: &[super::Sign], and: &str| signs.iter().map(|sign| sign.sentence()).collect::<Vec<_>>().join(and);
    let place = match (hint.when, hint.unless) {
        ([], []) => String::from("always"),
        ([], unless) => format!("unless {}", of(unless, " or ")),
        (when, []) => format!("where {}", of(when, " and ")),
        (when, unless) => format!("where {}, unless {}", of(when, " and "), of(unless, " or ")),
    };
    format!("{place}: {}; {}", hint.danger, hint.help)
}

fn ticked(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// As the table writes it.
fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (hours, 0) => format!("{hours}h"),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_says_what_people_need() {
        for profile in Profile::ALL {
            let sections = profile.sections();
            let titles: Vec<_> = sections.iter().map(|section| section.title).collect();
            for needed in ["Issuers", "Keys", "Defaults", "Dangers", "Forms of `sub`"] {
                assert!(titles.contains(&needed), "{} says nothing of {needed}", profile.name);
            }
            assert_eq!(profile.parameters.is_empty(), !titles.contains(&"Parameters of `with`"), "{}", profile.name);
            assert!(sections.iter().flat_map(|section| &section.lines).all(|line| !line.trim_end().ends_with(':')));
            assert!(profile.starter.contains(&format!("profile: {}\n", profile.name)) || profile.name == "generic");
        }
    }

    #[test]
    fn who_signs_for_many_is_known() {
        let shared: Vec<_> = Profile::ALL
            .into_iter()
            .filter(|profile| profile.tenancy() == Some(Tenancy::Shared))
            .map(|profile| profile.name)
            .collect();
        assert_eq!(shared, ["github-actions", "gitlab", "google", "buildkite", "circleci", "terraform"]);
        assert_eq!(Profile::generic().tenancy(), None);
    }

    #[test]
    fn a_duration_is_as_the_table_writes_it() {
        assert_eq!([300, 3600, 3900, 86_700].map(duration), ["5m", "1h", "1h5m", "24h5m"]);
    }
}
