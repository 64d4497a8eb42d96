//! From what was typed to what it means; every problem at once.

mod access;
mod digest;
mod doubt;
mod exact;
mod grant;
mod hint;
mod issuer;
mod jwks;
mod key_source;
mod lint;
mod never;
mod never_said;
mod placeholder;
mod resource;
mod same;
mod tenancy;
mod url;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::draft::{self, At, Common, Draft, ResourceDraft, nearest};
use super::{ClaimHeader, Code, Diagnostic, Issuers, Place, Report, Snapshot, Sources, Steward, Stewards};
use crate::claims::{Asked, ClaimKey};
use crate::clock::Time;
use crate::decide::{Grant, GrantIndex};
use crate::keys::{KeyOrigin, KeyRules, LiveKeys};
use crate::name::{GrantName, Issuer, IssuerName, ResourceName};
use crate::resource::{ResourceId, ResourceIndex};
use issuer::IssuerPlan;
use resource::ResourcePlan;

/// What came of reading a table.
#[derive(Debug)]
pub struct Compiled {
    /// The table; `None` if anything refuses it.
    pub snapshot: Option<Snapshot>,
    /// Everything that was found, warnings too.
    pub report: Report,
}

/// One exact issuer that needs keys: they are its own, also where its entry stands for several.
#[derive(Debug, Clone, Copy)]
pub struct KeyNeed<'a> {
    /// Its name in the table.
    pub name: &'a IssuerName,
    /// Its exact `iss`.
    pub issuer: &'a Issuer,
    /// Where its keys come from.
    pub origin: &'a KeyOrigin,
    /// Which of them count.
    pub rules: &'a KeyRules,
    /// From when on nobody needs them: the end of the entry. None where it has none, and where a `realm` tells it apart
    /// from others: there its keys go on telling that a token is not another's.
    pub until: Option<Time>,
}

/// What a table may count on, because whoever runs credence said so: the table's authors cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// `--secrets-dir`: the directory whose files a table may have sent to an issuer it names. Without it, none.
    pub secrets_dir: Option<PathBuf>,
}

/// Compiles what was read. `now` only serves to warn of what has ended. `keys` gives each issuer its keys, new ones
/// or those of the table before; it is asked once for each exact issuer, in the order of the entries' names, and only
/// if nothing refuses the table.
pub fn compile(
    sources: &Sources,
    permissions: &Permissions,
    now: Time,
    mut keys: impl FnMut(KeyNeed<'_>) -> Arc<LiveKeys>,
) -> Compiled {
    let mut report = Report::default();
    let mut draft = draft::read(sources, &mut report);
    // The order of files and maps has no say in anything that follows.
    draft.issuers.sort_by(|one, two| one.name.value.cmp(&two.name.value));
    draft.resources.sort_by(|one, two| one.name.value.cmp(&two.name.value));
    draft.grants.sort_by(|one, two| one.name.value.cmp(&two.name.value));
    let snapshot =
        Bench { draft: &draft, permissions, now, report: &mut report, silenced: HashSet::new() }.compile(&mut keys);
    Compiled { snapshot: snapshot.filter(|_| !report.refuses()), report }
}

/// An end that is nearer than this is warned of.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// For at most so many errors the name is looked for that was meant.
const MAX_SUGGESTED: usize = 200;

/// Where a table is judged.
struct Bench<'a> {
    draft: &'a Draft,
    permissions: &'a Permissions,
    now: Time,
    report: &'a mut Report,
    /// Which acceptances silenced a warning: of which entry, by its place in memory, and of which rule.
    silenced: HashSet<(*const Common, Code)>,
}

impl<'a> Bench<'a> {
    fn compile(mut self, keys: &mut dyn FnMut(KeyNeed<'_>) -> Arc<LiveKeys>) -> Option<Snapshot> {
        let draft = self.draft;
        let mut issuers: Vec<IssuerPlan<'a>> = draft.issuers.iter().map(|entry| self.issuer(entry)).collect();
        exact::number(&mut issuers);
        self.same_issuer(&issuers);
        let resources: Vec<ResourcePlan<'a>> =
            (0..).map(ResourceId).zip(&draft.resources).map(|(id, entry)| self.resource(id, entry)).collect();
        let index = self.resource_index(&resources);
        self.ceilings();
        let mut audiences: HashMap<_, Vec<&ResourceDraft>> = HashMap::new();
        for entry in &draft.resources {
            audiences.entry(entry.audience.value().map_or("", String::as_str)).or_default().push(entry);
        }
        let by_name = Names {
            audiences,
            issuers: issuers.iter().map(|plan| (plan.draft.name.value.as_str(), plan)).collect(),
            resources: resources.iter().map(|plan| (plan.draft.name.value.as_str(), plan)).collect(),
        };
        let grants: Vec<_> = draft.grants.iter().map(|entry| self.grant(entry, &by_name)).collect();
        self.placeholders();
        self.forwarded();
        self.shared_audiences(&by_name);
        self.one_audience(&by_name);
        self.open_over_grants(&by_name);
        if self.report.refuses() {
            return None;
        }
        let grants: Vec<_> = grants.into_iter().collect::<Option<_>>()?;
        self.beside_others(&grants);
        self.idle_acceptances();
        let digest = digest::of(&issuers, index.as_ref()?, &grants);
        let list: Vec<Vec<_>> = issuers.iter().map(|plan| plan.trusted(keys)).collect::<Option<_>>()?;
        let mut list: Vec<_> = list.into_iter().flatten().collect();
        let pinned = list.iter().flat_map(|issuer| issuer.pins.iter().map(|pin| pin.key.clone()));
        let asked = Asked::new(pinned.chain(grants.iter().flat_map(Grant::asked)));
        for issuer in &mut list {
            issuer.asked = asked.clone();
        }
        let forwardable: BTreeSet<_> =
            grants.iter().flat_map(|grant| &grant.forward_claims).map(|(name, _)| name.as_str()).collect();
        let forwardable = forwardable.into_iter().map(ClaimHeader::new).collect();
        Some(Snapshot {
            digest,
            issuers: Issuers::build(list).ok()?,
            resources: index?,
            grants: GrantIndex::build(grants),
            asked,
            forwardable,
            profiles: issuers.iter().filter_map(|plan| Some((plan.name.clone(), plan.profile?))).collect(),
            stewards: stewards(draft),
            ceilings: ceilings(draft),
        })
    }

    /// The index, and every pair of resources that one request could pick (CR132).
    fn resource_index(&mut self, plans: &[ResourcePlan<'a>]) -> Option<ResourceIndex> {
        let (whole, places): (Vec<_>, Vec<_>) =
            plans.iter().filter_map(|plan| Some((plan.resource.clone()?, &plan.draft.name))).unzip();
        let conflicts = match ResourceIndex::build(whole) {
            Ok(index) => return Some(index),
            Err(conflicts) => conflicts,
        };
        let entry = |id: ResourceId| places.get(usize::try_from(id.0).ok()?);
        for conflict in conflicts {
            let (Some(first), Some(second)) = (entry(conflict.first), entry(conflict.second)) else { continue };
            let message =
                format!("one request could pick both resource \"{}\" and resource \"{}\"", first.value, second.value);
            let finding = Diagnostic::at(Code::CR132, &second.place, message)
                .label(format!("the same place as {}", first.place))
                .help("give them different hosts or paths, or tell them apart by `context` or `route`");
            self.report.push(finding);
        }
        None
    }

    /// One NAME of `forwardClaims` is one claim in the whole table: two grants that fit together would contradict
    /// each other (CR002).
    fn forwarded(&mut self) {
        let mut known: HashMap<&str, (&ClaimKey, &str)> = HashMap::new();
        for grant in &self.draft.grants {
            for (name, claim) in grant.forward_claims.items() {
                let (first, by) = *known.entry(name).or_insert((claim, &grant.name.value));
                if first == claim {
                    continue;
                }
                let message = format!("grant \"{}\" forwards claim `{claim}` as \"{name}\"", grant.name.value);
                let label = format!("grant \"{by}\" forwards `{first}` under this name");
                let finding = Diagnostic::at(Code::CR002, &grant.name.place, message)
                    .label(label)
                    .help("a name means one claim in the whole table: give one of them another name");
                self.report.push(finding);
            }
        }
    }

    /// Names under an issuer's `resources` that do not exist (CR003).
    fn ceilings(&mut self) {
        for entry in &self.draft.issuers {
            let owner = format!("issuer \"{}\"", entry.name.value);
            for name in entry.resources.items() {
                self.exists(&owner, "resource", name);
            }
        }
    }

    /// Whether an entry of this name exists; CR003 if not.
    fn exists(&mut self, owner: &str, what: &str, name: &At<String>) -> bool {
        let names = if what == "issuer" { &self.draft.issuer_names } else { &self.draft.resource_names };
        if names.contains(&name.value) {
            return true;
        }
        if self.draft.torn {
            return false;
        }
        // Nobody reads so many; where everything is misnamed, looking for what was meant would take long.
        let near = Some(names).filter(|_| self.report.errors() < MAX_SUGGESTED);
        let near = near.and_then(|names| nearest(&name.value, names.iter().map(String::as_str)));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => format!("the table has no {what}s"),
            None => format!("add it under `{what}s`, or name one that is there"),
        };
        let message = format!("{owner} names {what} \"{}\", which does not exist", name.value);
        self.report.push(Diagnostic::at(Code::CR003, &name.place, message).label(format!("no such {what}")).help(help));
        false
    }

    /// Warns of what has ended already, or ends soon (CR303). It loads all the same: whoever calls is told that it has
    /// ended.
    fn ended(&mut self, owner: &str, common: &Common) {
        let Some(end) = common.expires.given().filter(|end| end.value <= self.now.after(SOON)) else { return };
        let (message, label) = if end.value <= self.now {
            (format!("{owner} has ended"), "in the past")
        } else {
            (format!("{owner} ends within 30 days"), "from here on it is refused")
        };
        let help = "set a later end if it is still wanted, or remove the entry";
        self.warn(common, Code::CR303, &end.place, message, label, help);
    }

    /// Warns, unless the entry that it is about accepts it.
    fn warn(
        &mut self,
        entry: &Common,
        code: Code,
        place: &Place,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        self.warn_either([entry, entry], code, place, message, label, help);
    }

    /// Warns, unless one of the two entries that could mend it accepts it.
    fn warn_either(
        &mut self,
        entries: [&Common; 2],
        code: Code,
        place: &Place,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        // Each that accepts it counts as used, not just the first.
        let accepted = entries.into_iter().filter(|entry| self.accepted(entry, code)).count();
        if accepted == 0 {
            self.report(code, place, message, label, help);
        }
    }

    /// Whether an entry accepts a warning that there is; noted, so that acceptances of nothing are found (CR306).
    fn accepted(&mut self, entry: &Common, code: Code) -> bool {
        let accepts = entry.accepts(code);
        if accepts {
            self.silenced.insert((std::ptr::from_ref(entry), code));
        }
        accepts
    }

    fn report(
        &mut self,
        code: Code,
        place: &Place,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        if self.report.keeps(code.severity()) {
            self.report.push(Diagnostic::at(code, place, message).label(label).help(help));
        } else {
            self.report.count(code);
        }
    }
}

/// Who looks after each entry that says so.
fn stewards(draft: &Draft) -> Stewards {
    fn kept<N>(name: N, common: &Common, reason: Option<&String>) -> Option<(N, Steward)> {
        Some((name, common.steward(reason))).filter(|(_, steward)| *steward != Steward::default())
    }
    let issuers = draft.issuers.iter();
    let resources = draft.resources.iter();
    let grants = draft.grants.iter();
    Stewards {
        issuers: issuers.filter_map(|one| kept(IssuerName::new(one.name.value.as_str()), &one.common, None)).collect(),
        resources: resources
            .filter_map(|one| kept(ResourceName::new(one.name.value.as_str()), &one.common, one.reason.value()))
            .collect(),
        grants: grants
            .filter_map(|one| kept(GrantName::new(one.name.value.as_str()), &one.common, one.reason.value()))
            .collect(),
    }
}

/// For which resources the grants of an issuer may be, where its entry says so.
fn ceilings(draft: &Draft) -> BTreeMap<IssuerName, BTreeSet<ResourceName>> {
    let written = draft.issuers.iter().filter(|issuer| issuer.resources.given().is_some());
    let names = |issuer: &draft::IssuerDraft| {
        issuer.resources.items().iter().map(|name| ResourceName::new(name.value.as_str())).collect()
    };
    written.map(|issuer| (IssuerName::new(issuer.name.value.as_str()), names(issuer))).collect()
}

/// Entries by name.
struct Names<'p, 'a> {
    issuers: BTreeMap<&'a str, &'p IssuerPlan<'a>>,
    resources: BTreeMap<&'a str, &'p ResourcePlan<'a>>,
    /// Those that have this audience, in the order of their names.
    audiences: HashMap<&'a str, Vec<&'a ResourceDraft>>,
}

#[cfg(test)]
#[path = "../compile_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "../compile_issuers_tests.rs"]
mod issuers_tests;

#[cfg(test)]
#[path = "../compile_actor_tests.rs"]
mod actor_tests;
