//! Whom a grant lets act for its subject (RFC 8693 §4.1).

use std::fmt;

use super::grant::SubjectRule;
use crate::trust::Acting;

/// `actor:` of a grant. Of the chain that a token tells only the outermost party is the actor; what stands behind it is
/// history, which never grants anything and can only be too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRule {
    /// `act.sub`: exact, or of a form; never any.
    pub subject: SubjectRule,
    /// How many parties the chain may have, the actor counted; at least 1.
    pub max_depth: u8,
}

impl ActorRule {
    /// Whether this is the acting party that is meant: of this name, at the token's own issuer (`issuer: same`), not the
    /// principal itself, and not through more hands than allowed.
    pub fn matches(&self, acting: &Acting<'_>, principal: &str) -> bool {
        self.means(acting.is_of_the_same_issuer().then_some(acting.pair().1), principal, acting.depth())
    }

    /// The same of a party of which this much is known: its subject, if it is one of the token's own issuer; the subject of
    /// the principal, which is of that issuer too; and how many parties the chain has, this one counted. Who acts for
    /// itself acts for nobody: an agent may exchange its own token for such a one.
    pub fn means(&self, own_subject: Option<&str>, principal: &str, depth: usize) -> bool {
        let fits = |subject: &str| subject != principal && self.subject.matches(subject);
        own_subject.is_some_and(fits) && depth <= usize::from(self.max_depth)
    }
}

impl fmt::Display for ActorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the token's own issuer, in a chain of at most {}", self.subject, self.max_depth)
    }
}
