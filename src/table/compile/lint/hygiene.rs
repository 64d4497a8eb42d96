//! Trust that nobody looks after: no end and no date to look again (CR301), nobody to call (CR302).

use super::super::super::draft::{At, Common};
use super::super::super::{Code, Place};
use super::super::Bench;

impl Bench<'_> {
    /// An issuer ends by itself or is looked at again.
    pub(super) fn reviewed(&mut self, owner: &str, common: &Common, name: &Place) {
        if common.expires.is_absent() && common.review_by.is_absent() {
            let message = format!("{owner} has neither an end nor a date to look at it again");
            let label = "trusted until somebody remembers it";
            let help = "add `reviewBy: 2027-06-30`, or `expires:` with the day on which the trust ends by itself";
            self.warn(common, Code::CR301, name, message, label, help);
        }
        self.review_due(owner, common);
    }

    /// Acceptances that silence nothing (CR306): what they were for is mended, or never was. One of CR303 waits for its
    /// time.
    pub(in super::super) fn idle_acceptances(&mut self) {
        let draft = self.draft;
        let issuers = draft.issuers.iter().map(|one| ("issuer", &one.name.value, &one.common));
        let resources = draft.resources.iter().map(|one| ("resource", &one.name.value, &one.common));
        let grants = draft.grants.iter().map(|one| ("grant", &one.name.value, &one.common));
        for (what, name, common) in issuers.chain(resources).chain(grants) {
            for At { value: acceptance, place } in common.accept.items() {
                let code = acceptance.code;
                if matches!(code, Code::CR303 | Code::CR306)
                    || self.silenced.contains(&(std::ptr::from_ref(common), code))
                {
                    continue;
                }
                let message = format!("{what} \"{name}\" accepts {code}, and nothing here is warned of by it");
                let help = "remove it: the day something is, it would hide it";
                self.warn(common, Code::CR306, place, message, "silences nothing", help);
            }
        }
    }

    /// A date to look again that has passed, of whatever entry.
    pub(in super::super) fn review_due(&mut self, owner: &str, common: &Common) {
        let Some(due) = common.review_by.given().filter(|due| due.value <= self.now) else { return };
        let message = format!("{owner} should have been looked at again by now");
        let help = "ask its `owner` whether it is still wanted, then set a later `reviewBy`, or remove the entry";
        self.warn(common, Code::CR301, &due.place, message, "this day has passed", help);
    }

    /// An issuer has someone to call when its keys leak.
    pub(super) fn owned(&mut self, owner: &str, common: &Common, name: &Place) {
        if !common.owner.is_absent() {
            return;
        }
        let message = format!("{owner} has no owner");
        let help = "add `owner:` with a team or an address, such as `owner: platform@example.com`";
        self.warn(common, Code::CR302, name, message, "whom to call when its keys leak?", help);
    }
}
