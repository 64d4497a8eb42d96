//! One resource: its audience and its place.

use super::super::Code;
use super::super::draft::{AnonymousDraft, At, Field, ResourceDraft};
use super::Bench;
use super::url::{UrlFault, judge};
use crate::name::{Audience, ResourceName};
use crate::resource::{Anonymous, CredentialPlace, OpenMethods, PathPattern, Resource, ResourceId};

/// A resource as far as it could be judged.
#[derive(Debug)]
pub(super) struct ResourcePlan<'a> {
    pub(super) id: ResourceId,
    pub(super) draft: &'a ResourceDraft,
    /// `None` where something of it is missing or broken; reported.
    pub(super) resource: Option<Resource>,
}

impl<'a> Bench<'a> {
    pub(super) fn resource(&mut self, id: ResourceId, draft: &'a ResourceDraft) -> ResourcePlan<'a> {
        let owner = format!("resource \"{}\"", draft.name.value);
        let name = &draft.name.place;
        self.ended(&owner, &draft.common);
        self.review_due(&owner, &draft.common);
        if draft.audience.is_absent() {
            let help = "add `audience:` with the value that tokens for this resource carry in `aud`";
            self.report(Code::CR110, name, format!("{owner} has no audience"), "`audience` is missing", help);
        }
        if draft.hosts.is_absent() && draft.context.is_absent() && draft.route.is_absent() {
            let help =
                "add `hosts: [api.example.com]`; or `context`/`route`, if the proxy tells resources apart by route";
            self.report(Code::CR002, name, format!("{owner} has no place"), "`hosts` is missing", help);
        }
        if draft.encoded_slash.given().is_some() && draft.reason.is_absent() {
            let place = draft.encoded_slash.given().map_or(name, |at| &at.place);
            let help = "add `reason:` to the resource: why is `%2F` data here, and never a separator to the upstream?";
            self.report(
                Code::CR002,
                place,
                format!("{owner} takes `%2F` for data and does not say why"),
                "no `reason`",
                help,
            );
        }
        self.metadata(&owner, draft);
        self.open_places(&owner, draft);
        ResourcePlan { id, draft, resource: build(id, draft) }
    }

    /// RFC 9728 wants `https:`; on a loopback host `http:` will do.
    fn metadata(&mut self, owner: &str, draft: &ResourceDraft) {
        let Some(At { value, place }) = draft.resource_metadata.given() else { return };
        let fault = match judge(value) {
            Err(UrlFault::Plain) => "whoever sits on the line could send the client to another issuer",
            Err(fault) => fault.as_str(),
            Ok(()) if value.contains(['"', '\\']) => "it holds a character that must be escaped",
            Ok(()) => return,
        };
        let help = "write the URL of the protected resource metadata (RFC 9728), such as `https://api.example.com/.well-known/oauth-protected-resource`";
        self.report(
            Code::CR002,
            place,
            format!("`resourceMetadata` of {owner} is no URL that a client may follow"),
            fault,
            help,
        );
    }

    /// Open places outside the resource would open nothing.
    fn open_places(&mut self, owner: &str, draft: &ResourceDraft) {
        let paths = paths(draft);
        for At { value, place } in draft.anonymous.items() {
            let outside = value.paths.iter().find(|open| !paths.iter().any(|path| path.intersects(open)));
            if let Some(outside) = outside.filter(|_| !paths.is_empty()) {
                let message = format!("the open path {outside} lies outside {owner}");
                let help = "a resource can only open paths of its own: see its `paths`";
                self.report(Code::CR002, place, message, "never reached", help);
            }
        }
    }
}

/// The paths of a resource; none where they are broken.
pub(super) fn paths(draft: &ResourceDraft) -> Vec<PathPattern> {
    match &draft.paths {
        Field::Absent => vec![PathPattern::everything()],
        Field::Broken => Vec::new(),
        Field::Given(paths) => paths.value.clone(),
    }
}

fn build(id: ResourceId, draft: &ResourceDraft) -> Option<Resource> {
    let broken = matches!(draft.hosts, Field::Broken)
        || matches!(draft.context, Field::Broken)
        || matches!(draft.route, Field::Broken)
        || matches!(draft.paths, Field::Broken);
    let placed = draft.hosts.given().is_some() || draft.context.given().is_some() || draft.route.given().is_some();
    if broken || !placed {
        return None;
    }
    let mut hosts: Vec<_> = draft.hosts.items().iter().map(|at| at.value.clone()).collect();
    hosts.sort();
    hosts.dedup();
    let mut paths = paths(draft);
    sort_paths(&mut paths);
    Some(Resource {
        id,
        name: ResourceName::new(draft.name.value.as_str()),
        site: draft.name.place.site(),
        // Without an audience the table is refused; the text only lets the place be judged.
        audience: Audience::new(draft.audience.value().map_or("", String::as_str)),
        hosts,
        paths,
        context: draft.context.items().to_vec(),
        route: draft.route.value().cloned(),
        anonymous: draft.anonymous.items().iter().map(|open| anonymous(&open.value)).collect(),
        credential: draft.credential.value().cloned().unwrap_or(CredentialPlace::Authorization),
        forward_token: draft.forward_token.value().copied().unwrap_or(false),
        forward_overrides: draft.forward_overrides.value().copied().unwrap_or(false),
        encoded_slash_is_data: draft.encoded_slash.given().is_some(),
        resource_metadata: draft.resource_metadata.value().cloned(),
        expires: draft.common.expires.value().copied(),
        observe: draft.observe.value().cloned(),
    })
}

fn anonymous(draft: &AnonymousDraft) -> Anonymous {
    let methods = draft.methods.clone().map_or(OpenMethods::Preflight, OpenMethods::Methods);
    Anonymous { methods, paths: draft.paths.clone(), reason: draft.reason.clone(), site: draft.site.clone() }
}

pub(super) fn sort_paths(paths: &mut Vec<PathPattern>) {
    paths.sort_by(|one, two| one.as_str().cmp(two.as_str()));
    paths.dedup();
}
