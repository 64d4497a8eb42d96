//! The tightest entries for a token, as far as the token tells: ids before names, one method, one path.

use std::fmt::Write as _;
use std::time::Duration;

use super::remark::alarms;
use super::trial::Trial;
use super::{Destination, GrantFields, Seen, condition, entry_name, quoted, scalar, string};
use crate::claims::trust_domain;
use crate::json::Json;
use crate::name::{Algorithm, is_forbidden_character};
use crate::profile::{Identity, Parameters, Tenancy};
use crate::reason::Reason;
use crate::resource::{Authority, PathPattern, RequestPath};
use crate::table::Snapshot;

/// What stands where only a person knows what belongs there: a name that nobody has (RFC 2606 §2), so an entry that is
/// taken as it is lets nobody in.
pub const PLACEHOLDER: &str = "replace-me.invalid";

/// A year: when to look at it again.
const REVIEW: Duration = Duration::from_secs(365 * 24 * 3600);

/// Entries to review.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Sections of a table without their head; empty where nothing is proposed.
    pub yaml: String,
    /// What is still to be filled in or thought of, one line each.
    pub missing: Vec<String>,
    /// Why it does not let this token in as it stands, or why nothing is proposed, one line each.
    pub faults: Vec<String>,
    /// What allows the call already, if the signature is good; then nothing is proposed.
    pub allowed_by: Option<String>,
}

impl Proposal {
    fn nothing(faults: Vec<String>) -> Self {
        Self { faults, ..Self::default() }
    }
}

/// The tightest entries, tried before they are told: the table with them loads, means nobody else, and lets this token in,
/// or it is said why not.
pub(super) fn propose(trial: &Trial<'_>) -> Proposal {
    let seen = trial.seen;
    let no_issuer = seen.text("iss").is_none() && seen.text("sub").and_then(trust_domain).is_none();
    let hidden = |claim: &str| seen.text(claim).is_some_and(|text| text.chars().any(is_forbidden_character));
    let no_subject = seen.text("sub").is_none_or(str::is_empty);
    let hopeless = no_issuer || no_subject || hidden("iss") || hidden("sub") || seen.claim("events").is_some();
    if hopeless || Algorithm::parse(seen.algorithm).is_none() {
        return Proposal::nothing(vec!["no table can let such a token in".to_owned()]);
    }
    if let Some(fault) = seen.destination.and_then(unreadable) {
        return Proposal::nothing(vec![fault]);
    }
    if let Some(by) = trial.already() {
        return Proposal { allowed_by: Some(by), ..Proposal::default() };
    }
    let mut out = Writer { table: trial.table.map(|table| table.snapshot), ..Writer::default() };
    let grant = out.entries(seen);
    let verdict = trial.with(&out.loading(), &grant);
    let whole = verdict.unfit.is_empty();
    // What only a person can fill in may be all that is in the way.
    let helps = verdict.refused.iter().all(|(reason, _)| out.open.contains(reason));
    // What stands for the unknown is no value of anybody's: that it is unknown is the fault.
    let unfit = verdict.unfit.into_iter().map(|text| match &out.tenant {
        Some(unknown) if text.contains(PLACEHOLDER) => unknown.clone(),
        _ => text,
    });
    let mut faults: Vec<_> = out.nobody.take().into_iter().chain(unfit).collect();
    faults.extend(verdict.refused.into_iter().map(|(_, text)| text));
    if !whole || !helps {
        return Proposal::nothing(faults);
    }
    let mut yaml = String::new();
    for fault in &faults {
        remark(&mut yaml, &format!("this does not let the token in: {fault}"));
    }
    for (claim, text) in alarms(seen) {
        remark(&mut yaml, &format!("think twice: {claim} {text}"));
    }
    yaml += &out.yaml;
    if out.keys_at.is_none() {
        out.missing.extend(verdict.warnings);
    }
    Proposal { yaml, missing: out.missing, faults, allowed_by: None }
}

/// Why no table can mean where the call went: what two readers could read differently may also be a pattern to a table.
fn unreadable(call: Destination<'_>) -> Option<String> {
    let path = call.target.split('?').next().unwrap_or_default();
    match (RequestPath::read(path), Authority::read(call.host)) {
        (Err(fault), _) => Some(format!("{}: in the path of the call, {fault}", Reason::PathNotNormalized)),
        (Ok(_), None) => Some(format!("{}: {:?} is no host that a call can have", Reason::ResourceUnknown, call.host)),
        (Ok(_), Some(_)) => None,
    }
}

/// A line that a table does not read. What is told in it may be a stranger's.
fn remark(yaml: &mut String, text: &str) {
    let shown: String = text
        .chars()
        .map(|one| if is_forbidden_character(one) { one.escape_unicode().to_string() } else { one.to_string() })
        .collect();
    let _ = writeln!(yaml, "# {shown}");
}

#[derive(Default)]
struct Writer<'s> {
    table: Option<&'s Snapshot>,
    yaml: String,
    missing: Vec<String>,
    /// What the token is refused with until somebody fills in what only a person knows.
    open: Vec<Reason>,
    /// What is to be found out where the token does not tell its tenant.
    tenant: Option<String>,
    /// Why the grant names nobody.
    nobody: Option<String>,
    /// Where in the text a source of keys is to be written, and which.
    keys_at: Option<(usize, &'static str)>,
}

impl Writer<'_> {
    /// Everything; returns the name of the grant.
    fn entries(&mut self, seen: &Seen<'_>) -> String {
        let issuer = match seen.entry() {
            Some(entry) => entry.name.as_str().to_owned(),
            None => self.issuer(seen),
        };
        let resource = match seen.resource {
            Some(resource) => resource.name.as_str().to_owned(),
            None => self.resource(seen),
        };
        self.grant(seen, &issuer, &resource)
    }

    /// The text as it loads: with some source of keys where one is to be written.
    fn loading(&self) -> String {
        let Some((at, field)) = self.keys_at else { return self.yaml.clone() };
        let (before, after) = self.yaml.split_at_checked(at).unwrap_or((&self.yaml, ""));
        format!("{before}    {field}: https://{PLACEHOLDER}/keys\n{after}")
    }

    fn line(&mut self, depth: usize, line: impl AsRef<str>) {
        let _ = writeln!(self.yaml, "{:width$}{}", "", line.as_ref(), width = depth * 2);
    }

    fn issuer(&mut self, seen: &Seen<'_>) -> String {
        let iss = seen.text("iss");
        let host =
            iss.map(|iss| iss.split_once("://").map_or(iss, |(_, rest)| rest).split(['/', ':']).next().unwrap_or(iss));
        // What the profile says by itself is not written again.
        let fixed = match seen.profile.identity {
            Identity::Fixed(fixed) => Some(fixed) == iss,
            Identity::Expanded(expand) => expand(&Parameters::default())
                .is_ok_and(|all| matches!(all.as_slice(), [one] if Some(one.as_str()) == iss)),
            Identity::Written | Identity::TrustDomain => false,
        };
        let tenant = seen.profile.tenant_ids.iter().find(|id| seen.text(id).is_some());
        let base = match (seen.profile.name, host) {
            ("generic", Some(host)) => entry_name(host, "new-issuer"),
            (profile, _) => profile.to_owned(),
        };
        let name = unused(base, |name| {
            self.table.is_some_and(|table| table.issuers.iter().any(|one| one.name.as_str() == name))
        });
        self.line(0, "issuers:");
        self.line(1, format!("{name}:"));
        if seen.profile.name != "generic" {
            self.line(2, format!("profile: {}", seen.profile.name));
        }
        if let Some(domain) = seen.text("sub").and_then(trust_domain).filter(|_| seen.profile.name == "spiffe") {
            self.line(2, format!("with: {{trustDomain: {}}}", string(domain)));
        }
        if let Some(iss) = iss.filter(|_| !fixed) {
            self.line(2, format!("issuer: {}", string(iss)));
        }
        let shared = iss.is_some_and(|iss| (seen.profile.issuer)(iss) == Ok(Tenancy::Shared));
        match (tenant, seen.profile.tenant_ids.first()) {
            (Some(id), _) => {
                let value = seen.claim(id).map(scalar).unwrap_or_default();
                self.line(2, format!("pin: {{claims: {{{id}: {value}}}}}"));
                self.missing.push(format!("pin.claims.{id}: is {value} really yours? {}", seen.profile.tenant_hint));
            }
            (None, Some(id)) if shared => {
                self.line(2, format!("pin: {{claims: {{{id}: {}}}}}", quoted(PLACEHOLDER)));
                self.open.push(Reason::PinMismatch);
                let unknown =
                    format!("pin.claims.{id}: the token does not tell the tenant; {}", seen.profile.tenant_hint);
                self.missing.push(unknown.clone());
                self.tenant = Some(unknown);
            }
            _ => {}
        }
        self.unusual(seen);
        self.open.push(Reason::TooOld);
        let here = self.yaml.len();
        self.line(2, format!("owner: {}", quoted(&format!("somebody@{PLACEHOLDER}"))));
        self.line(2, format!("reviewBy: {}", seen.now.after(REVIEW).to_string().get(..10).unwrap_or_default()));
        self.missing.push("owner: whom to call when this issuer fails or has to be distrusted".to_owned());
        let spiffe = seen.profile.name == "spiffe";
        if !spiffe && iss.is_some_and(|iss| (seen.profile.discovery)(iss).is_err()) {
            self.keys_at = Some((here, "jwksUri"));
            self.missing
                .push("keys: they cannot be found by this `iss`; add `jwksUri`, `jwks` or `jwksFile`".to_owned());
        }
        if spiffe {
            self.keys_at = Some((here, "spiffeBundleUrl"));
            self.missing.push("keys: add `spiffeBundleUrl`, which the operator of the trust domain knows".to_owned());
            if iss.is_some() {
                self.missing.push(
                    "profile: where its keys are found by OpenID Connect Discovery at this `iss`, it is an ordinary issuer: \
                     leave out `profile` and `with`"
                        .to_owned(),
                );
            }
        }
        self.missing.push(
            "keys: `credence issuer probe` shows them; compare a thumbprint with the issuer's operator".to_owned(),
        );
        name
    }

    /// What this token has and others of its kind do not.
    fn unusual(&mut self, seen: &Seen<'_>) {
        if let Some(algorithm) = Algorithm::parse(seen.algorithm).filter(|one| !seen.profile.algorithms.contains(one)) {
            self.line(2, format!("signingAlgs: [{algorithm}]"));
            self.missing
                .push(format!("signingAlgs: such tokens are not signed with {algorithm} otherwise; is it meant?"));
        }
        let kind = seen.kind_of_token.unwrap_or_default().to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if !seen.profile.token_types.contains(&kind) {
            self.line(2, format!("tokenTypes: [{}]", quoted(kind)));
            self.missing
                .push("tokenTypes: such tokens have another `typ` otherwise; is it an access token?".to_owned());
        }
    }

    fn resource(&mut self, seen: &Seen<'_>) -> String {
        let client = seen.text("client_id").filter(|_| seen.audiences().is_empty());
        let audience = seen.audiences().first().copied().or(client).map(str::to_owned);
        let host = seen.destination.map(|destination| destination.host.to_ascii_lowercase());
        let told = host.as_deref().or(audience.as_deref()).unwrap_or_default();
        let base = entry_name(told.split_once("://").map_or(told, |(_, rest)| rest), "new-resource");
        let taken = |name: &str| {
            self.table.is_some_and(|table| table.resources.iter().any(|(_, one)| one.name.as_str() == name))
        };
        let name = unused(base, taken);
        if audience.is_none() {
            self.open.push(Reason::AudienceMismatch);
            self.missing.push("audience: the token is for nobody; choose a text that only this service has".to_owned());
        }
        if host.is_none() {
            self.open.push(Reason::ResourceUnknown);
            self.missing.push("hosts: where the service is; say METHOD and URL, and they are written in".to_owned());
        }
        let audience = audience.unwrap_or_else(|| format!("https://{PLACEHOLDER}"));
        let host = host.unwrap_or_else(|| PLACEHOLDER.to_owned());
        self.line(0, "resources:");
        self.line(1, format!("{name}: {{audience: {}, hosts: [{}]}}", string(&audience), string(&host)));
        name
    }

    fn grant(&mut self, seen: &Seen<'_>, issuer: &str, resource: &str) -> String {
        let who = seen.profile.identify.iter().find_map(|claim| seen.text(claim)).unwrap_or_default();
        let taken =
            |name: &str| self.table.is_some_and(|table| table.grants.iter().any(|one| one.name.as_str() == name));
        let last = who.rsplit(['/', ':', '|']).find(|part| !part.is_empty()).unwrap_or_default();
        let name = unused(entry_name(&format!("{last} {resource}"), "new-grant"), taken);
        let mut fields = GrantFields::new(issuer, resource);
        let several =
            self.table.is_some_and(|table| table.issuers.iter().filter(|one| one.name.as_str() == issuer).count() > 1);
        if let Some(iss) = seen.text("iss").filter(|_| several) {
            fields.put("iss", string(iss));
        }
        if seen.profile.identify.contains(&"sub") {
            fields.subject(seen.text("sub").unwrap_or_default());
        }
        let conditions = |claims: &[&'static str]| -> Vec<_> {
            let claims = claims.iter().filter(|claim| **claim != "sub");
            claims.filter_map(|claim| Some((*claim, condition(seen.claim(claim)?)?))).collect()
        };
        let mut claims = conditions(seen.profile.identify);
        if claims.is_empty() && !seen.profile.identify.contains(&"sub") {
            let wanted: Vec<_> = seen.profile.identify.iter().map(|claim| format!("`{claim}`")).collect();
            self.nobody = Some(format!(
                "the token has none of {}, and its `sub` is made of names that can pass to others: nothing in it says for \
                 good who calls",
                wanted.join(", ")
            ));
        }
        // How a token came about says nothing for whose it is.
        if !claims.is_empty() {
            claims.extend(conditions(seen.profile.besides));
        }
        fields.claims(claims);
        for (claim, why) in seen.profile.consider {
            if let Some(value) = seen.claim(claim).and_then(condition) {
                self.missing.push(format!("claims.{claim}: {value} {why}"));
            }
        }
        self.actor(seen, &mut fields);
        for claim in ["scope", "scp", "permissions"] {
            if let Some(value) = seen.claim(claim) {
                let value = serde_json::json!(value);
                self.missing.push(format!(
                    "claims.{claim}: the token may do {value} there; name the one that this call needs, or another token of \
                     the same caller with less in it gets in too"
                ));
            }
        }
        if let Some(client) = seen.text("client_id").filter(|_| seen.audiences().is_empty()) {
            fields.put("audienceFrom", "client_id");
            if seen.resource.is_some_and(|resource| resource.audience.as_str() != client) {
                fields.put("audience", string(client));
                fields.put("reason", "these tokens name the client that they were given to, and no audience");
            }
        }
        self.place(seen.destination, &mut fields);
        self.line(0, "grants:");
        self.line(1, format!("{name}:"));
        fields.lines().for_each(|field| self.line(2, field));
        name
    }

    /// Who acts for the subject: without it a grant takes the subject alone.
    fn actor(&mut self, seen: &Seen<'_>, fields: &mut GrantFields) {
        let Some(act) = seen.claim("act") else { return };
        let Some(subject) = act.get("sub").and_then(Json::as_str).filter(|subject| !subject.is_empty()) else { return };
        fields.actor(subject, std::iter::successors(Some(act), |act| act.get("act")).count());
        self.missing.push(format!(
            "actor: {subject:?} then acts for this subject, and only the token's issuer says that it may: has anybody else \
             agreed to that?"
        ));
    }

    fn place(&mut self, destination: Option<Destination<'_>>, fields: &mut GrantFields) {
        let asked = destination.map(|one| one.target.split(['?', '#']).next().unwrap_or_default());
        let path = asked.map(PathPattern::exactly);
        match (&path, asked) {
            (Some(Ok(_)), Some(asked)) if asked.contains('*') => self.missing.push(
                "paths: the path of the call holds `*`, which is written `%2A`, so that it means itself and no other path; \
                 whoever calls chooses the path: is it one of the service?"
                    .to_owned(),
            ),
            (Some(Ok(_)), _) => {}
            (Some(Err(fault)), _) => {
                self.missing.push(format!("paths: that of the call cannot be written in a table: {fault}"));
            }
            (None, _) => self.missing.push("paths: which part of the service; the fewest that will do".to_owned()),
        }
        let path = path.and_then(Result::ok).or_else(|| {
            self.open.push(Reason::GrantNone);
            PathPattern::exactly("/replace-me").ok()
        });
        let method = destination.map(|one| one.method);
        if method.is_none() {
            self.missing.push("methods: what the caller does there; `GET` does not mean `HEAD`".to_owned());
        }
        if let Some(path) = path {
            fields.place(method.unwrap_or("GET"), &path);
        }
        self.missing.push("scopes: what the service is to be told, if it asks for scopes".to_owned());
    }
}

/// The name, or the name and the first number that makes it a new one.
fn unused(name: String, taken: impl Fn(&str) -> bool) -> String {
    if !taken(&name) {
        return name;
    }
    (2..1000).map(|number| format!("{name}-{number}")).find(|name| !taken(name)).unwrap_or(name)
}
