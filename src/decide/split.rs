//! Many grants told apart by what few of them share: the most selective exact condition of each.
//!
//! The index only proposes: whatever it shows is held against every condition of the grant afterwards. So it may show
//! too much, and must never leave out a grant that fits.

use std::collections::{BTreeMap, HashMap};

use super::fit::Case;
use super::grant::{Grant, GrantId, SubjectRule};
use crate::claims::{ClaimKey, Glob, Matcher, Said, Scalar};
use crate::json::Json;
use crate::resource::{PathPattern, PathTree};

/// Up to this many are looked at one by one.
const FEW: usize = 16;
/// Whether so many share a condition or one has it alone: then the order of preference decides, `sub` first, because a
/// caller who shares that is the nearest.
const AS_GOOD_AS_ONE: usize = 4;
/// At most this many look-ups are made where grants are split; the grants of any other condition are looked at one by one.
const MAX_PROBES: usize = 8;
/// What shares one condition is split again by another, so often.
const MAX_DEPTH: usize = 4;

/// Grants of which a token can fit few.
#[derive(Debug)]
pub(super) struct Split {
    probes: Vec<Probe>,
    /// Those that nothing tells apart.
    rest: Box<[GrantId]>,
}

/// One look-up.
#[derive(Debug)]
enum Probe {
    /// By what the token says there.
    Token {
        source: Source<ClaimKey>,
        texts: HashMap<Box<str>, Branch>,
        /// By their bits: only numbers that are held exactly equal anything.
        numbers: HashMap<u64, Branch>,
    },
    /// By the path of the request.
    Path(PathTree<Branch>),
}

#[derive(Debug)]
enum Branch {
    Few(Box<[GrantId]>),
    Split(Box<Split>),
}

/// Where a look-up reads. The order is that of preference among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Source<K> {
    /// `sub`
    Subject,
    /// A claim.
    Claim(K),
    /// The first so many parts of `sub`: what stands before the star of a glob.
    SubjectStart(usize),
    /// The first so many parts of a claim.
    ClaimStart(K, usize),
    /// The path of the request.
    Path,
}

/// What a condition wants to read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wanted<'g> {
    Text(&'g str),
    Number(u64),
    Path(&'g PathPattern),
}

/// A condition of a grant that a look-up can stand for: any of these values, and no other, is met.
struct Handle<'g> {
    source: Source<&'g ClaimKey>,
    wanted: Vec<Wanted<'g>>,
}

impl Split {
    /// Splits the grants, unless they are few or nothing tells them apart.
    pub(super) fn of(members: &[&Grant]) -> Option<Box<Self>> {
        Self::at_depth(0, members)
    }

    fn at_depth(depth: usize, members: &[&Grant]) -> Option<Box<Self>> {
        if members.len() <= FEW || depth == MAX_DEPTH {
            return None;
        }
        let mut rest = Vec::new();
        let mut groups: BTreeMap<Source<&ClaimKey>, HashMap<Wanted<'_>, Vec<&Grant>>> = BTreeMap::new();
        for (grant, handle) in members.iter().zip(choose(depth, members)) {
            let Some(Handle { source, wanted }) = handle else {
                rest.push(grant.id);
                continue;
            };
            let group = groups.entry(source).or_default();
            for value in wanted {
                let same = group.entry(value).or_default();
                // A list may name a value twice.
                if same.last().is_none_or(|last| last.id != grant.id) {
                    same.push(grant);
                }
            }
        }
        let probes: Vec<_> = groups.into_iter().map(|(source, group)| Probe::of(depth, source, group)).collect();
        (!probes.is_empty()).then(|| Box::new(Self { probes, rest: rest.into() }))
    }

    /// Shows every grant whose conditions may all hold.
    pub(super) fn candidates(&self, case: &Case<'_>, each: &mut dyn FnMut(GrantId)) {
        self.rest.iter().copied().for_each(&mut *each);
        for probe in &self.probes {
            match probe {
                Probe::Token { source, texts, numbers } => {
                    if let Some(branch) = source.find(case, texts, numbers) {
                        branch.candidates(case, each);
                    }
                }
                Probe::Path(tree) => tree.matching(&case.place.path, &mut |branch| branch.candidates(case, each)),
            }
        }
    }
}

impl Probe {
    fn of(depth: usize, source: Source<&ClaimKey>, group: HashMap<Wanted<'_>, Vec<&Grant>>) -> Self {
        let (mut texts, mut numbers, mut paths) = (HashMap::new(), HashMap::new(), PathTree::default());
        for (value, members) in group {
            let branch = Branch::of(depth + 1, &members);
            match value {
                Wanted::Text(text) => drop(texts.insert(text.into(), branch)),
                Wanted::Number(bits) => drop(numbers.insert(bits, branch)),
                Wanted::Path(pattern) => paths.insert(pattern, branch),
            }
        }
        match source.owned() {
            Source::Path => Self::Path(paths),
            source => Self::Token { source, texts, numbers },
        }
    }
}

impl Source<ClaimKey> {
    fn find<'b>(
        &self,
        case: &Case<'_>,
        texts: &'b HashMap<Box<str>, Branch>,
        numbers: &'b HashMap<u64, Branch>,
    ) -> Option<&'b Branch> {
        match self {
            Self::Subject => texts.get(case.subject()),
            Self::SubjectStart(parts) => texts.get(Glob::first_parts(case.subject(), *parts)?),
            Self::Claim(key) => match case.claim(key)? {
                Said::Text(text) => texts.get(text),
                Said::Other(Json::Number(number)) => numbers.get(&bits(*number)),
                Said::Other(_) => None,
            },
            Self::ClaimStart(key, parts) => texts.get(Glob::first_parts(case.claim(key)?.as_str()?, *parts)?),
            Self::Path => None,
        }
    }
}

impl Branch {
    fn of(depth: usize, members: &[&Grant]) -> Self {
        match Split::at_depth(depth, members) {
            Some(split) => Self::Split(split),
            None => Self::Few(members.iter().map(|grant| grant.id).collect()),
        }
    }

    fn candidates(&self, case: &Case<'_>, each: &mut dyn FnMut(GrantId)) {
        match self {
            Self::Few(ids) => ids.iter().copied().for_each(each),
            Self::Split(split) => split.candidates(case, each),
        }
    }
}

impl Source<&ClaimKey> {
    fn owned(self) -> Source<ClaimKey> {
        match self {
            Self::Subject => Source::Subject,
            Self::Claim(key) => Source::Claim(key.clone()),
            Self::SubjectStart(parts) => Source::SubjectStart(parts),
            Self::ClaimStart(key, parts) => Source::ClaimStart(key.clone(), parts),
            Self::Path => Source::Path,
        }
    }
}

/// For each grant its most selective condition: the one whose values the fewest others want. `None` where every grant
/// wants them, or where the condition is of a kind that too few have.
fn choose<'g>(depth: usize, members: &[&'g Grant]) -> Vec<Option<Handle<'g>>> {
    let mut counts: HashMap<(Source<&ClaimKey>, Wanted<'_>), usize> = HashMap::new();
    for handle in members.iter().flat_map(|grant| handles(depth, grant)) {
        for value in handle.wanted {
            *counts.entry((handle.source, value)).or_default() += 1;
        }
    }
    let best = |grant: &'g Grant, kept: Option<&[Source<&ClaimKey>]>| {
        let shared = |handle: &Handle<'g>| {
            let counted = handle.wanted.iter().filter_map(|value| counts.get(&(handle.source, *value)));
            counted.copied().max().unwrap_or(0).max(AS_GOOD_AS_ONE)
        };
        let handles = handles(depth, grant).filter(|handle| kept.is_none_or(|kept| kept.contains(&handle.source)));
        handles.filter(|handle| shared(handle) < members.len()).min_by_key(|handle| (shared(handle), handle.source))
    };
    let mut wishes: HashMap<Source<&ClaimKey>, usize> = HashMap::new();
    for handle in members.iter().filter_map(|grant| best(grant, None)) {
        *wishes.entry(handle.source).or_default() += 1;
    }
    let mut kept: Vec<_> = wishes.into_iter().collect();
    kept.sort_by(|(one, wished), (two, also)| also.cmp(wished).then(one.cmp(two)));
    let kept: Vec<_> = kept.into_iter().take(MAX_PROBES).map(|(source, _)| source).collect();
    members.iter().map(|grant| best(grant, Some(&kept))).collect()
}

/// The conditions of a grant that a look-up can stand for. Where grants are split again, only those with one value,
/// so that lists do not multiply.
fn handles(depth: usize, grant: &Grant) -> impl Iterator<Item = Handle<'_>> {
    let subject = grant.subject.as_ref().and_then(|subject| match subject {
        SubjectRule::Exact(subjects) => Some(Handle {
            source: Source::Subject,
            wanted: subjects.iter().map(|subject| Wanted::Text(subject)).collect(),
        }),
        SubjectRule::Glob(glob) => start(glob, Source::SubjectStart),
        SubjectRule::Any => None,
    });
    let claims = grant.claims.iter().filter_map(|rule| match &rule.matcher {
        Matcher::Glob(glob) => start(glob, |parts| Source::ClaimStart(&rule.key, parts)),
        matcher => {
            let wanted = matcher.exact()?.iter().map(wanted).collect::<Option<_>>()?;
            Some(Handle { source: Source::Claim(&rule.key), wanted })
        }
    });
    let paths = Handle { source: Source::Path, wanted: grant.paths.iter().map(Wanted::Path).collect() };
    subject.into_iter().chain(claims).chain([paths]).filter(move |handle| depth == 0 || handle.wanted.len() == 1)
}

fn start<'g>(glob: &'g Glob, source: impl Fn(usize) -> Source<&'g ClaimKey>) -> Option<Handle<'g>> {
    let (parts, text) = glob.literal_parts();
    (parts > 0).then(|| Handle { source: source(parts), wanted: vec![Wanted::Text(text)] })
}

/// `None` for booleans: they tell nobody apart.
fn wanted(scalar: &Scalar) -> Option<Wanted<'_>> {
    match scalar {
        Scalar::String(text) => Some(Wanted::Text(text)),
        Scalar::Number(number) => Some(Wanted::Number(bits(*number))),
        Scalar::Bool(_) => None,
    }
}

/// Equal for numbers that are equal: both zeros are one.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}
