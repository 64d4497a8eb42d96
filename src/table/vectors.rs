//! Written cases of a table: a token, a request, and what should come of it (`kind: TrustTableTest`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::draft::{CaseDraft, PresentedDraft, nearest, read_vectors};
use super::{Code, Diagnostic, Report, Sources};
use crate::clock::Time;
use crate::json::Json;
use crate::name::Site;

/// How long a token lasts that does not say it, in seconds.
const LIFE: f64 = 300.0;

/// One file of cases.
#[derive(Debug)]
pub struct Vectors {
    /// The table: a file or directory, already resolved against the place of the file.
    pub table: PathBuf,
    /// The instant at which the cases are judged; `None`: whenever they are run.
    pub now: Option<Time>,
    /// The cases, in the order of writing, each with what it inherits.
    pub cases: Vec<Vector>,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Its name, unique in the file.
    pub name: String,
    /// Where it is written.
    pub site: Site,
    /// What the caller presents.
    pub token: Presented,
    /// The entry of the table whose key signed the token, where entries share one `iss`.
    pub signer: Option<String>,
    /// What the caller asks for.
    pub request: VectorRequest,
    /// What should come of it.
    pub expect: Expectation,
}

/// What the caller presents.
#[derive(Debug, Clone, PartialEq)]
pub enum Presented {
    /// No credential.
    Nothing,
    /// A token of these claims, which counts as verified.
    Token {
        /// The claims, as written.
        claims: BTreeMap<String, Json>,
        /// Claims that were taken away, and so are not filled in.
        without: BTreeSet<String>,
    },
}

/// What the caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorRequest {
    /// HTTP method.
    pub method: String,
    /// `https://HOST/PATH`.
    pub url: String,
    /// Headers beside the credential.
    pub headers: Vec<(String, String)>,
    /// `context_extensions`, as the proxy would set them.
    pub context: Vec<(String, String)>,
    /// Namespace and name of Envoy Gateway's route, as the proxy would tell them.
    pub route: Option<(String, String)>,
}

/// What should come of it; what is `None` is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// `decision: allow`, else `deny`.
    pub allowed: bool,
    /// The code of the reason.
    pub reason: Option<&'static str>,
    /// All grants that fit, and no other.
    pub grants: Option<BTreeSet<String>>,
    /// All scopes, and no other.
    pub scopes: Option<BTreeSet<String>>,
    /// The first half of the principal.
    pub iss: Option<String>,
    /// The realm of the principal.
    pub realm: Option<String>,
    /// Who acts for the principal: `iss` and `sub`; an empty map where nobody does.
    pub actor: Option<BTreeMap<String, String>>,
    /// Grants that must be told as near misses, each with everything that differs and nothing else.
    pub near_misses: BTreeMap<String, BTreeSet<String>>,
}

impl Presented {
    /// The claims of the token if it were issued at `now`: `iat`, an `exp` five minutes later and `token_id` as `jti`
    /// are filled in where the case neither has them nor took them away. `None` where there is no token.
    pub fn claims(&self, now: Time, token_id: &str) -> Option<Json> {
        let Self::Token { claims, without } = self else { return None };
        let mut claims = claims.clone();
        let filled = [
            ("iat", Json::Number(now.seconds())),
            ("exp", Json::Number(now.seconds() + LIFE)),
            ("jti", Json::String(token_id.to_owned().into())),
        ];
        for (name, value) in filled {
            if !without.contains(name) {
                claims.entry(name.to_owned()).or_insert(value);
            }
        }
        Some(Json::Object(claims.into_iter().collect()))
    }

    /// This, with members replaced or taken away; `None` where there is no token to change.
    fn with(&self, changes: &[(String, Option<Json>)]) -> Option<Self> {
        let Self::Token { mut claims, mut without } = self.clone() else { return None };
        for (name, value) in changes {
            match value {
                Some(value) => {
                    without.remove(name);
                    claims.insert(name.clone(), value.clone());
                }
                None => {
                    claims.remove(name);
                    without.insert(name.clone());
                }
            }
        }
        Some(Self::Token { claims, without })
    }
}

impl Vectors {
    /// Reads one file. The cases are `None` if anything is wrong with it; the report has every problem at once.
    pub fn read(path: &Path) -> (Option<Self>, Report) {
        let directory = path.parent().unwrap_or(Path::new(""));
        Self::of(&Sources::read(path), directory)
    }

    /// Reads what was read of one file, whose `table` is found from `directory`.
    pub fn of(sources: &Sources, directory: &Path) -> (Option<Self>, Report) {
        let mut report = sources.problems().clone();
        let draft = sources.files().first().and_then(|file| read_vectors(file, &mut report));
        let Some((table, now, drafts)) = draft else { return (None, report) };
        let cases = Chains::new(&drafts, &mut report).resolve();
        let whole = Self { table: directory.join(table), now, cases };
        (Some(whole).filter(|_| !report.refuses()), report)
    }
}

/// Cases and what they are built on.
struct Chains<'d, 'r> {
    drafts: &'d [CaseDraft],
    by_name: BTreeMap<&'d str, usize>,
    report: &'r mut Report,
}

impl<'d, 'r> Chains<'d, 'r> {
    /// Takes the cases in by name, and reports the names that stand twice (CR004).
    fn new(drafts: &'d [CaseDraft], report: &'r mut Report) -> Self {
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            let first = *by_name.entry(&draft.name.value).or_insert(index);
            if let Some(first) = drafts.get(first).filter(|_| first != index) {
                let message = format!("case {:?} is defined twice", draft.name.value);
                let finding = Diagnostic::at(Code::CR004, &draft.name.place, message)
                    .label(format!("first at {}", first.name.place))
                    .help("names are unique in a file: rename one");
                report.push(finding);
            }
        }
        Self { drafts, by_name, report }
    }

    fn resolve(mut self) -> Vec<Vector> {
        self.drafts.iter().enumerate().filter_map(|(index, draft)| self.case(index, draft)).collect()
    }

    /// One case with all that it inherits; `None` if something of it was refused, here or before.
    fn case(&mut self, index: usize, draft: &'d CaseDraft) -> Option<Vector> {
        let mut chain = self.chain(index, draft)?;
        let root = chain.pop()?;
        let mut request = root.request.value().cloned();
        let mut signer = root.issuer.value().cloned();
        let mut token = match root.token.value()? {
            PresentedDraft::Nothing => Presented::Nothing,
            PresentedDraft::Claims(claims) => {
                Presented::Token { claims: claims.iter().cloned().collect(), without: BTreeSet::new() }
            }
        };
        for heir in chain.iter().rev() {
            request = heir.request.value().cloned().or(request);
            signer = heir.issuer.value().cloned().or(signer);
            if let Some(changes) = heir.with.given() {
                let Some(changed) = token.with(&changes.value) else {
                    let message = format!("the base of {} presents no token", draft.owner());
                    let finding = Diagnostic::at(Code::CR002, &changes.place, message);
                    self.report.push(finding.label("nothing to change").help("give the case a `token` of its own"));
                    return None;
                };
                token = changed;
            }
        }
        let Some(request) = request else {
            // What is broken was reported where it stands.
            if root.request.is_absent() && draft.request.is_absent() {
                let finding =
                    Diagnostic::at(Code::CR002, &draft.name.place, format!("{} asks for nothing", draft.owner()))
                        .label("`request` is missing")
                        .help("add `request: {method: GET, url: https://HOST/PATH}`, here or at its base");
                self.report.push(finding);
            }
            return None;
        };
        let (name, site) = (draft.name.value.clone(), draft.name.place.site());
        Some(Vector { name, site, token, signer, request, expect: draft.expect.value()?.clone() })
    }

    /// The case, its base, the base of that, up to the one that has a token of its own.
    fn chain(&mut self, index: usize, draft: &'d CaseDraft) -> Option<Vec<&'d CaseDraft>> {
        let mut seen = BTreeSet::from([index]);
        let mut chain = vec![draft];
        let mut last = draft;
        while let Some(base) = last.base.given() {
            let Some((next, found)) =
                self.by_name.get(base.value.as_str()).and_then(|next| Some((*next, self.drafts.get(*next)?)))
            else {
                if chain.len() == 1 {
                    self.unknown(draft, &base.value, &base.place);
                }
                return None;
            };
            if !seen.insert(next) {
                // Told by each case of the circle, not by those that lead into it.
                if next == index {
                    let message = format!("{} is built on itself", draft.owner());
                    let finding = Diagnostic::at(Code::CR002, &base.place, message).label("leads back here");
                    self.report.push(finding.help("one case of the circle needs a `token` of its own"));
                }
                return None;
            }
            chain.push(found);
            last = found;
        }
        last.base.is_absent().then_some(chain)
    }

    fn unknown(&mut self, draft: &CaseDraft, base: &str, place: &super::Place) {
        let help = match nearest(base, self.by_name.keys().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => String::from("`base` is the name of another case in this file"),
        };
        let message = format!("{} is built on case {base:?}, which does not exist", draft.owner());
        self.report.push(Diagnostic::at(Code::CR003, place, message).label("no such case").help(help));
    }
}

#[cfg(test)]
#[path = "vectors_tests.rs"]
mod tests;
