//! Conditions without which a grant lets in more than it seems to.

/// A rule of a profile (CR206): what a grant says, what then is missing, what else gets in, and what to write.
#[derive(Debug, Clone, Copy)]
pub struct Hint {
    /// Speaks of grants that show every one of these signs; none: of all.
    pub when: &'static [Sign],
    /// Is content with one of these, in the grant or in what the issuer pins; none: with nothing.
    pub unless: &'static [Sign],
    /// What else gets in.
    pub danger: &'static str,
    /// What to write.
    pub help: &'static str,
}

impl Hint {
    /// The claims that would content it, for messages.
    pub fn missing(&self) -> Option<String> {
        self.unless.iter().find_map(|sign| match sign {
            Sign::Claim(claims) => Some(either(claims)),
            _ => None,
        })
    }
}

fn either(claims: &[&str]) -> String {
    let claims: Vec<_> = claims.iter().map(|claim| format!("`{claim}`")).collect();
    claims.join(" or ")
}

/// Something that can be seen in a grant, or in the pins of its issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// One of these claims (a name, or a JSON Pointer) is matched, or pinned.
    Claim(&'static [&'static str]),
    /// A `subject` is matched, exact or by a glob.
    Subject,
    /// A `subject` is matched, and exact.
    ExactSubject,
    /// Some method changes something.
    Writes,
    /// The audience is no URL, so that it may be the id of a client.
    PlainAudience,
    /// `audienceFrom: client_id`.
    AudienceFromClientId,
    /// The issuer's keys are pinned, or stand in the table.
    PinnedKeys,
}

impl Sign {
    /// For people, after "where" and "unless".
    pub fn sentence(self) -> String {
        match self {
            Self::Claim(claims) => format!("{} is matched", either(claims)),
            Self::Subject => "`subject` is matched".to_owned(),
            Self::ExactSubject => "an exact `subject` is matched".to_owned(),
            Self::Writes => "a method changes something".to_owned(),
            Self::PlainAudience => "the audience is no URL".to_owned(),
            Self::AudienceFromClientId => "`audienceFrom: client_id` is written".to_owned(),
            Self::PinnedKeys => "the keys are pinned".to_owned(),
        }
    }
}
