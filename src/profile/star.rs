//! Stars that must not stand on a name.

/// Refuses a pattern whose star stands on this part of it, where whoever takes a fitting name would be let in; `None`
/// where no part of it is a name.
pub(super) fn none_on(name: Option<&str>, why: &'static str) -> Result<(), &'static str> {
    if name.is_some_and(|name| name.contains('*')) { Err(why) } else { Ok(()) }
}
