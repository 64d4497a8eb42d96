//! A `sub` that is made of names alone (CR202): whoever takes the names over has the same.

use super::super::super::Code;
use super::super::Bench;
use super::danger::subjects;
use super::identity::beside;
use super::{Conditions, holds, says};
use crate::profile::Reusable;

impl Bench<'_> {
    pub(super) fn subject_of_names(&mut self, owner: &str, conditions: &Conditions<'_, '_>) {
        let (grant, plan, profile) = (conditions.grant, conditions.plan, conditions.profile);
        for (said, place) in conditions.said.iter().zip(subjects(conditions)) {
            let stays =
                |id: &&&str| says(said, id) || holds(grant.claims.items(), id) || conditions.settled_by_issuer(id);
            let alone = |name: &&Reusable| {
                let named = |(claim, value): &(&str, String)| *claim == name.claim && !value.contains('*');
                said.iter().any(named) && !name.stable.iter().any(|id| stays(&id))
            };
            let Some(name) = profile.reusable.iter().find(alone) else { continue };
            let message = format!("the subject of {owner} at issuer \"{}\" is made of names alone", plan.name);
            let with_ids = profile.subject_forms.first().filter(|form| form.contains('@'));
            let form = with_ids.map(|form| format!("; newer tokens have them in `sub`: {form}"));
            let help = format!("{}{}", beside(name.stable), form.unwrap_or_default());
            self.warn_either([&grant.common, &plan.draft.common], Code::CR202, place, message, name.danger, help);
        }
    }
}
