//! Who may vouch, and how that is verified.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use super::{Asked, Change, Detail, Entry, Kind, kind};
use crate::clock::Time;
use crate::keys::{KeyOrigin, KeyRules, KeySource};
use crate::name::{Algorithm, Issuer, Realm, Thumbprint, TrustDomain};
use crate::relation::{ends_within, rules_imply};
use crate::table::Snapshot;
use crate::trust::{IssuerId, NamedBy, TrustedIssuer};

/// The first half of a principal, and what in a token leads to it: what makes two entries the same issuer, whatever
/// they are called.
type Identity<'s> = (&'s Issuer, Option<&'s Realm>, Option<&'s TrustDomain>);

/// Exact issuers of two tables that are the same.
pub(super) struct Matched<'t> {
    pub(super) pairs: Vec<(&'t TrustedIssuer, &'t TrustedIssuer)>,
    /// Of the new table, by number: those of the old one.
    pub(super) old: HashMap<IssuerId, IssuerId>,
    /// Of the old table, by number: those of the new one.
    pub(super) new: HashMap<IssuerId, IssuerId>,
    gone: Vec<&'t TrustedIssuer>,
    come: Vec<&'t TrustedIssuer>,
}

fn identity(issuer: &TrustedIssuer) -> Identity<'_> {
    let domain = match &issuer.named_by {
        NamedBy::Issuer => None,
        NamedBy::TrustDomain { domain, .. } => Some(domain),
    };
    (&issuer.issuer, issuer.realm.as_ref(), domain)
}

impl<'t> Matched<'t> {
    pub(super) fn of(old: &'t Snapshot, new: &'t Snapshot) -> Self {
        let known: HashMap<_, _> = old.issuers.iter().map(|issuer| (identity(issuer), issuer)).collect();
        let mut matched =
            Self { pairs: Vec::new(), old: HashMap::new(), new: HashMap::new(), gone: Vec::new(), come: Vec::new() };
        for issuer in new.issuers.iter() {
            match known.get(&identity(issuer)) {
                Some(before) => {
                    matched.pairs.push((before, issuer));
                    matched.old.insert(issuer.id, before.id);
                    matched.new.insert(before.id, issuer.id);
                }
                None => matched.come.push(issuer),
            }
        }
        matched.gone = old.issuers.iter().filter(|issuer| !matched.new.contains_key(&issuer.id)).collect();
        matched
    }

    pub(super) fn changes(&self, old: Asked<'t>, new: Asked<'t>) -> Vec<Change> {
        let mut changes = Vec::new();
        for issuer in &self.come {
            let text = format!("is new: {}; what it may do, its grants tell", told(issuer));
            changes.push(whole(Kind::Changed, issuer, text));
        }
        for issuer in &self.gone {
            changes.push(whole(
                Kind::Narrowed,
                issuer,
                format!("is gone: {} vouches for nobody any more", told(issuer)),
            ));
        }
        for (before, after) in &self.pairs {
            compare(before, after, &mut changes);
            let origin = |table: Asked<'t>, issuer: &TrustedIssuer| {
                table.origins.get(&(issuer.name.clone(), issuer.issuer.clone())).map(|origin| (origin, table.root))
            };
            if let (Some(from), Some(to)) = (origin(old, before), origin(new, after)) {
                sources(after, from, to, &mut changes);
            }
            ceilings(before, after, old.snapshot, new.snapshot, &mut changes);
        }
        self.rivals(old.snapshot, new.snapshot, &mut changes);
        changes
    }

    /// Where entries share a name, a key that two of them publish speaks for neither: one fewer is a key more.
    fn rivals(&self, old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
        let (before, after) = (names(old), names(new));
        for (was, is) in &self.pairs {
            let now: BTreeSet<_> = spoken(is).into_iter().filter_map(|name| after.get(&name)).flatten().collect();
            let lost = spoken(was)
                .into_iter()
                .filter_map(|name| before.get(&name))
                .flatten()
                .find(|rival| **rival != was.id && self.new.get(rival).is_none_or(|rival| !now.contains(rival)));
            let Some(rival) = lost.and_then(|id| old.issuers.get(*id)) else { continue };
            let text =
                format!("no longer shares its name with issuer {}: a key that both publish counts now", rival.name);
            changes.push(whole(Kind::Widened, is, text));
        }
    }
}

/// What tokens may call an issuer.
fn spoken(issuer: &TrustedIssuer) -> Vec<(bool, &str)> {
    match &issuer.named_by {
        NamedBy::Issuer => vec![(false, issuer.issuer.as_str())],
        NamedBy::TrustDomain { domain, carried } => {
            let carried = carried.iter().map(|carried| (false, carried.as_str()));
            std::iter::once((true, domain.as_str())).chain(carried).collect()
        }
    }
}

fn names(snapshot: &Snapshot) -> HashMap<(bool, &str), Vec<IssuerId>> {
    let mut names: HashMap<_, Vec<IssuerId>> = HashMap::new();
    for issuer in snapshot.issuers.iter() {
        spoken(issuer).into_iter().for_each(|name| names.entry(name).or_default().push(issuer.id));
    }
    names
}

fn told(issuer: &TrustedIssuer) -> String {
    let realm = issuer.realm.as_ref().map(|realm| format!(", realm {realm}")).unwrap_or_default();
    format!("{}{realm}", issuer.issuer)
}

fn whole(kind: Kind, issuer: &TrustedIssuer, text: String) -> Change {
    let (name, site) = (issuer.name.to_string(), issuer.site.clone());
    Change { kind, entry: Entry::Issuer, name, text, details: Vec::new(), site }
}

/// A field of an issuer that says something else.
fn field(kind: Kind, issuer: &TrustedIssuer, name: &str, old: String, new: String) -> Change {
    let text = format!(
        "`{name}` {}",
        match kind {
            Kind::Widened => "lets more through",
            Kind::Narrowed => "lets less through",
            Kind::Changed => "is different",
        }
    );
    let details = vec![Detail { field: name.to_owned(), old: Some(old), new: Some(new) }];
    Change { details, ..whole(kind, issuer, text) }
}

fn compare(old: &TrustedIssuer, new: &TrustedIssuer, changes: &mut Vec<Change>) {
    // Written out, so that a new field of an issuer must say here whether it widens.
    let TrustedIssuer {
        id: _,
        name,
        site: _,
        issuer: _,
        named_by: _,
        realm: _,
        keys: _,
        algorithms: _,
        token_types: _,
        max_token_age: age,
        clock_skew,
        pins,
        asked: _,
        expires,
        required,
    } = new;
    if *name != old.name {
        changes.push(whole(Kind::Changed, new, format!("is the new name of issuer {}", old.name)));
    }
    let mut tell = |what: &str, gains: bool, loses: bool, texts: (String, String)| {
        changes.extend(kind(gains, loses).map(|kind| field(kind, new, what, texts.0, texts.1)));
    };
    let (was, is) = (carried(old), carried(new));
    tell("issuer", is.is_some() && was != is, was.is_some() && was != is, (name_or_none(was), name_or_none(is)));
    tell(
        "expires",
        !ends_within(*expires, old.expires),
        !ends_within(old.expires, *expires),
        (end(old.expires), end(*expires)),
    );
    let types = |issuer: &TrustedIssuer| issuer.token_types.iter().map(|kind| format!("{:?}", kind.as_str())).collect();
    let lacks = |some: &TrustedIssuer, all: &TrustedIssuer| {
        some.token_types.iter().any(|kind| !all.token_types.iter().any(|other| other == kind))
    };
    tell("tokenTypes", lacks(new, old), lacks(old, new), (joined(types(old)), joined(types(new))));
    let was = old.max_token_age;
    tell(
        "maxTokenAge",
        age.bound > was.bound || (was.requires_issued_at && !age.requires_issued_at),
        age.bound < was.bound || (!was.requires_issued_at && age.requires_issued_at),
        (bound(was.bound, was.requires_issued_at), bound(age.bound, age.requires_issued_at)),
    );
    let skew = |issuer: &TrustedIssuer| seconds(issuer.clock_skew);
    tell("clockSkew", *clock_skew > old.clock_skew, *clock_skew < old.clock_skew, (skew(old), skew(new)));
    let written = |issuer: &TrustedIssuer| {
        joined(issuer.pins.iter().map(|pin| format!("{}: {}", pin.key, pin.matcher)).collect())
    };
    tell("pin.claims", !rules_imply(pins, &old.pins), !rules_imply(&old.pins, pins), (written(old), written(new)));
    key_rules(old.keys.rules(), new.keys.rules(), &mut tell);
    if *required != old.required {
        changes.push(field(Kind::Changed, new, "required", old.required.to_string(), required.to_string()));
    }
}

/// Takes a field, whether it gains and whether it loses, and what it said and says.
type Tell<'a> = dyn FnMut(&str, bool, bool, (String, String)) + 'a;

fn key_rules(old: &KeyRules, new: &KeyRules, tell: &mut Tell<'_>) {
    let KeyRules { algorithms: _, pins, max_stale } = new;
    let lacks = |some: &KeyRules, all: &KeyRules| {
        some.algorithms.iter().any(|one| !all.algorithms.iter().any(|other| other == one))
    };
    // A key without `alg` is bound to the first that fits it; only RSA keys fit several.
    let first = |rules: &KeyRules| rules.algorithms.iter().copied().find(|algorithm| is_rsa(*algorithm));
    let rebound = first(new).is_some() && first(old) != first(new);
    let texts = |rules: &KeyRules| rules.algorithms.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" ");
    tell("signingAlgs", lacks(new, old) || rebound, lacks(old, new), (texts(old), texts(new)));
    let keys = |pins: &Option<_>| match pins {
        None => "any key that the issuer publishes".to_owned(),
        Some(pins) => joined(pinned(pins).iter().map(ToString::to_string).collect()),
    };
    let more = |some: &Option<_>, than: &Option<_>| match (some, than) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(some), Some(than)) => !pinned(some).is_subset(&pinned(than)),
    };
    tell("pin.keys", more(pins, &old.pins), more(&old.pins, pins), (keys(&old.pins), keys(pins)));
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let (was, is) = (old.max_stale.unwrap_or(DAY), max_stale.unwrap_or(DAY));
    tell("maxStale", is > was, is < was, (seconds(was), seconds(is)));
}

fn pinned(pins: &crate::name::NonEmpty<Thumbprint>) -> BTreeSet<Thumbprint> {
    pins.iter().copied().collect()
}

const fn is_rsa(algorithm: Algorithm) -> bool {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
}

fn carried(issuer: &TrustedIssuer) -> Option<&Issuer> {
    match &issuer.named_by {
        NamedBy::Issuer => None,
        NamedBy::TrustDomain { carried, .. } => carried.as_ref(),
    }
}

/// Where keys come from: whoever signs there speaks for the issuer.
fn sources(issuer: &TrustedIssuer, old: (&KeyOrigin, &Path), new: (&KeyOrigin, &Path), changes: &mut Vec<Change>) {
    if let (KeySource::Inline(was), KeySource::Inline(is)) = (&old.0.source, &new.0.source) {
        let keys = |set: &crate::keys::KeySet| -> BTreeMap<String, String> {
            set.keys()
                .iter()
                .map(|key| (key.thumbprint().to_string(), format!("{:?} {:?}", key.kid(), key.algorithm())))
                .collect()
        };
        let (was, is) = (keys(was), keys(is));
        let lacks = |some: &BTreeMap<String, String>, all: &BTreeMap<String, String>| {
            some.iter().any(|(key, named)| all.get(key) != Some(named))
        };
        let texts = |keys: &BTreeMap<String, String>| joined(keys.keys().cloned().collect());
        changes.extend(
            kind(lacks(&is, &was), lacks(&was, &is)).map(|kind| field(kind, issuer, "jwks", texts(&was), texts(&is))),
        );
        return;
    }
    let (was, is) = (place(old), place(new));
    if let Some((before, now)) = only_hosts(old, new) {
        let texts = |hosts: &BTreeSet<String>| joined(hosts.iter().cloned().collect());
        // Another host is one more that may publish keys, whatever was struck out beside it.
        let kind = kind(!now.is_subset(&before), !before.is_subset(&now));
        changes.extend(kind.map(|kind| field(kind, issuer, "jwksHosts", texts(&before), texts(&now))));
    } else if was != is {
        changes.push(field(Kind::Widened, issuer, "the source of its keys", was, is));
    }
    let reached = |(origin, root): (&KeyOrigin, &Path)| {
        let access = &origin.access;
        let file = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| beside(path, root));
        let client =
            access.client_certificate.as_ref().map(|both| (beside(&both.certificate, root), beside(&both.key, root)));
        format!("{:?} {:?} {:?}", file(&access.bearer_token_file), client, access.proxy)
    };
    if reached(old) != reached(new) {
        changes.push(whole(Kind::Changed, issuer, "its keys are fetched by another credential or proxy".to_owned()));
    }
}

/// The `jwksHosts` of both, where nothing else about the place of the keys differs; upper and lower case are one there.
fn only_hosts(old: (&KeyOrigin, &Path), new: (&KeyOrigin, &Path)) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let bare = |(origin, root): (&KeyOrigin, &Path)| {
        let mut origin = origin.clone();
        let KeySource::Discovery { hosts, .. } = &mut origin.source else { return None };
        let taken: BTreeSet<_> = std::mem::take(hosts).iter().map(|host| host.to_ascii_lowercase()).collect();
        Some((place((&origin, root)), taken))
    };
    let ((was, before), (is, now)) = (bare(old)?, bare(new)?);
    (was == is).then_some((before, now))
}

/// Who is believed about the keys.
fn place((origin, root): (&KeyOrigin, &Path)) -> String {
    let source = match &origin.source {
        KeySource::Discovery { issuer, url, hosts } => {
            let mut hosts = hosts.clone();
            hosts.sort();
            hosts.dedup();
            let more = if hosts.is_empty() { String::new() } else { format!(", jwksHosts {}", hosts.join(" ")) };
            format!("discovery {url} of {issuer}{more}")
        }
        KeySource::Url { url } => url.clone(),
        KeySource::InCluster => "the cluster around".to_owned(),
        KeySource::Inline(_) => "keys in the table".to_owned(),
        KeySource::File(path) => format!("file {}", beside(path, root)),
    };
    let ca = origin.access.ca_file.as_ref().map(|path| format!(", caFile {}", beside(path, root))).unwrap_or_default();
    let server = match &origin.access.server {
        crate::keys::ServerIdentity::Host => String::new(),
        other => format!(", {other:?}"),
    };
    let format = match &origin.format {
        crate::keys::KeyFormat::JwkSet => String::new(),
        other => format!(", {other:?}"),
    };
    format!("{source}{ca}{server}{format}")
}

/// A file as it is named from the table.
fn beside(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// `resources`: for what grants may ever be written.
fn ceilings(was: &TrustedIssuer, is: &TrustedIssuer, old: &Snapshot, new: &Snapshot, changes: &mut Vec<Change>) {
    let (before, after) = (old.ceilings.get(&was.name), new.ceilings.get(&is.name));
    let more = |some: Option<&BTreeSet<_>>, than: Option<&BTreeSet<_>>| match (some, than) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(some), Some(than)) => !some.is_subset(than),
    };
    let text = |ceiling: Option<&BTreeSet<crate::name::ResourceName>>| match ceiling {
        None => "no ceiling".to_owned(),
        Some(names) => joined(names.iter().map(ToString::to_string).collect()),
    };
    changes.extend(
        kind(more(after, before), more(before, after))
            .map(|kind| field(kind, is, "resources", text(before), text(after))),
    );
}

fn joined(mut texts: Vec<String>) -> String {
    texts.sort();
    texts.dedup();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn name_or_none(name: Option<&Issuer>) -> String {
    name.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn end(end: Option<Time>) -> String {
    end.map_or_else(|| "no end".to_owned(), Time::to_end)
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs())
}

fn bound(bound: Duration, requires: bool) -> String {
    if requires { format!("{}, `iat` required", seconds(bound)) } else { seconds(bound) }
}
