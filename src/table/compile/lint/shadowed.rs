//! Grants beside others: one that a broader one makes useless (CR304), and one that takes a token again which another
//! takes once (CR305).

use std::collections::{BTreeMap, HashMap};

use super::super::super::Code;
use super::super::Bench;
use crate::decide::{Grant, Mode, Replay};
use crate::relation::{Wider, covers, overlaps};
use crate::resource::ResourceId;
use crate::trust::IssuerId;

/// Grants of one issuer for one resource, as positions in the list.
type Pairs = BTreeMap<(IssuerId, ResourceId), Vec<usize>>;

impl Bench<'_> {
    /// `grants` are the compiled ones, in the order of the draft.
    pub(in super::super) fn beside_others(&mut self, grants: &[Grant]) {
        let mut pairs = Pairs::new();
        for (at, grant) in grants.iter().enumerate().filter(|(_, grant)| grant.mode == Mode::Enforce) {
            for issuer in &grant.issuers {
                pairs.entry((*issuer, grant.resource)).or_default().push(at);
            }
        }
        pairs.retain(|_, members| members.len() > 1);
        self.shadowed(grants, &pairs);
        self.spent_beside(grants, &pairs);
    }

    /// A grant that allows nothing which a broader one does not allow too, at each of its issuers.
    fn shadowed(&mut self, grants: &[Grant], pairs: &Pairs) {
        // By grant: at how many issuers it is useless, and the broader one at the first of them.
        let mut useless: BTreeMap<usize, (usize, &Grant)> = BTreeMap::new();
        for members in pairs.values() {
            let wider = Wider::new(members.iter().filter_map(|at| grants.get(*at)));
            for at in members {
                let Some(narrow) = grants.get(*at) else { continue };
                // Of two that mean the same, the later one is told. One that spends beside one that does not is no shadow.
                let broader = |wide: &&Grant| {
                    wide.name != narrow.name
                        && wide.replay == narrow.replay
                        && covers(wide, narrow)
                        && (wide.name < narrow.name || !covers(narrow, wide))
                };
                if let Some(wide) = wider.candidates(narrow).into_iter().find(broader) {
                    useless.entry(*at).or_insert((0, wide)).0 += 1;
                }
            }
        }
        for (at, (issuers, wide)) in useless {
            let (Some(narrow), Some(draft)) = (grants.get(at), self.draft.grants.get(at)) else { continue };
            if issuers < narrow.issuers.len() {
                continue;
            }
            let message =
                format!("grant \"{}\" allows nothing that grant \"{}\" does not allow", narrow.name, wide.name);
            let label = format!("the broader one is at {}:{}", wide.site.file, wide.site.line);
            let help = format!("remove it, or narrow \"{}\": whoever takes this one away changes nothing", wide.name);
            self.warn(&draft.common, Code::CR304, &draft.name.place, message, label, help);
        }
    }

    /// A grant without `replay: once` that fits a call which another grant spends its token for: it can be used again.
    fn spent_beside(&mut self, grants: &[Grant], pairs: &Pairs) {
        // By grant without: the one that spends.
        let mut found: BTreeMap<usize, &Grant> = BTreeMap::new();
        for members in pairs.values() {
            let (once, often): (Vec<_>, Vec<_>) = members
                .iter()
                .filter_map(|at| Some((*at, grants.get(*at)?)))
                .partition(|(_, grant)| grant.replay == Replay::Once);
            if once.is_empty() || often.is_empty() {
                continue;
            }
            // Either may be the broader one.
            let wider = Wider::new(once.iter().map(|(_, grant)| *grant));
            for (at, grant) in &often {
                let spends = wider.candidates(grant).into_iter().find(|other| overlaps(other, grant));
                spends.map(|other| found.entry(*at).or_insert(other));
            }
            let positions: HashMap<_, _> = often.iter().map(|(at, grant)| (&grant.name, *at)).collect();
            let wider = Wider::new(often.iter().map(|(_, grant)| *grant));
            for (_, other) in &once {
                for grant in wider.candidates(other).into_iter().filter(|grant| overlaps(grant, other)) {
                    positions.get(&grant.name).map(|at| found.entry(*at).or_insert(other));
                }
            }
        }
        for (at, other) in found {
            let (Some(grant), Some(draft)) = (grants.get(at), self.draft.grants.get(at)) else { continue };
            let message =
                format!("grant \"{}\" takes tokens again that grant \"{}\" takes only once", grant.name, other.name);
            let label = format!("the one with `replay: once` is at {}:{}", other.site.file, other.site.line);
            let help =
                format!("add `replay: once` here too, or give it other methods or paths than \"{}\"", other.name);
            self.warn(&draft.common, Code::CR305, &draft.name.place, message, label, help);
        }
    }
}
