//! Grants for more callers than they seem: any subject that may write (CR401), any run of a pipeline (CR402).

use super::super::super::Code;
use super::super::super::draft::{GrantDraft, Subject};
use super::super::Bench;
use super::super::hint::SAFE;
use super::Conditions;
use crate::resource::Methods;

impl Bench<'_> {
    /// `subject: any`, and methods that change something.
    pub(in super::super) fn any_may_write(&mut self, owner: &str, grant: &GrantDraft) {
        let any = grant.subject.given().filter(|subject| matches!(subject.value, Subject::Any));
        let (Some(any), Some(methods)) = (any, grant.methods.value()) else { return };
        let writing = match methods {
            Methods::Any => String::from("use any method"),
            Methods::These(methods) => {
                let writing: Vec<_> =
                    methods.iter().map(String::as_str).filter(|method| !SAFE.contains(method)).collect();
                if writing.is_empty() {
                    return;
                }
                writing.join(" and ")
            }
        };
        let message = format!("{owner} lets any subject of its issuer {writing}");
        let help =
            "name the subjects, or make two grants: `any` with `methods: [GET]`, and named subjects for the rest";
        self.warn(&grant.common, Code::CR401, &any.place, message, "everybody whom this issuer knows", help);
    }

    /// A pipeline whose every run gets in, those of unreviewed branches too.
    pub(super) fn which_run(&mut self, owner: &str, conditions: &Conditions<'_, '_>) {
        let (grant, plan, profile) = (conditions.grant, conditions.plan, conditions.profile);
        if profile.run_claims.is_empty() || profile.run_claims.iter().any(|claim| conditions.settles(claim)) {
            return;
        }
        let names = profile.run_claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(" or ");
        let message = format!("{owner} lets in every run of its pipelines at issuer \"{}\"", plan.name);
        let help = format!("add {names} to `claims`, with the exact value of the runs that are meant");
        let label = "jobs of every branch, tag and pull request";
        self.warn_either([&grant.common, &plan.draft.common], Code::CR402, &grant.name.place, message, label, help);
    }
}
