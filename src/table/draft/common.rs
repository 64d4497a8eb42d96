//! Fields that every entry has.

use super::fields::{Cx, Field, Fields};
use super::read::{pairs, prose, text};
use super::times::end;
use crate::clock::Time;

/// An end, a date to look again, someone to call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Common {
    pub(crate) expires: Field<Time>,
}

impl Common {
    /// Reads and checks all of them; only what has a meaning for a decision is kept.
    pub(super) fn read(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Self {
        fields.read(cx, "reviewBy", end);
        fields.read(cx, "owner", text);
        fields.read(cx, "description", prose);
        fields.read(cx, "labels", pairs);
        Self { expires: fields.read(cx, "expires", end) }
    }
}
