//! A name that does not exist, and the one that may have been meant.

use crate::table::nearest;

/// What is said of a name that is none: `there is no WHAT "NAME"`, and the nearest where one is near enough to be meant.
pub(super) fn unknown<'n>(what: &str, name: &str, all: impl IntoIterator<Item = &'n str>) -> String {
    let all: Vec<&str> = all.into_iter().collect();
    let nearest = match nearest(name, all.iter().copied()) {
        Some(known) => format!("; the nearest is {known:?}"),
        None if all.is_empty() => ", and no other".to_owned(),
        None => String::new(),
    };
    format!("there is no {what} {name:?}{nearest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_leads_to_the_name_that_was_meant() {
        let names = ["github-actions", "gitlab", "kubernetes"];
        let slips = [("GITHUB-actions", "github-actions"), ("gitlap", "gitlab"), ("kubernets", "kubernetes")];
        for (slip, meant) in slips.into_iter().chain([("github", "github-actions")]) {
            assert_eq!(
                unknown("profile", slip, names),
                format!("there is no profile {slip:?}; the nearest is {meant:?}")
            );
        }
    }

    #[test]
    fn a_name_that_is_like_no_other_leads_nowhere() {
        assert_eq!(unknown("rule", "CR999", ["CR101", "CR109"]), "there is no rule \"CR999\"");
        assert_eq!(unknown("verb", "nope", ["rule", "serve"]), "there is no verb \"nope\"");
        assert_eq!(unknown("issuer", "a\nb", []), "there is no issuer \"a\\nb\", and no other");
    }
}
