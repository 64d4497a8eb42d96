//! What loads and is probably not meant: an issuer that nobody can be (CR205), keys that end with one rotation (CR310).

use std::net::IpAddr;

use super::super::Code;
use super::Bench;
use super::issuer::IssuerPlan;
use super::placeholder::is_placeholder;
use crate::keys::is_refused_address;
use crate::resource::Authority;

impl Bench<'_> {
    /// A host under `.invalid`, a top-level domain that nobody ever has (RFC 2606 §2): a placeholder.
    pub(super) fn placeholder(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let mut names = plan.exact.iter().flat_map(|exact| exact.names());
        let Some(name) = names.find(|name| is_placeholder(name.as_str())) else { return };
        let draft = plan.draft;
        let place = draft.issuer.given().map(|at| &at.place).or(draft.with.given().map(|at| &at.place));
        let message = format!("the `iss` of {owner} is a placeholder: {:?}", name.as_str());
        let help = "write the exact `iss` of its tokens, or their trust domain, in its place";
        self.warn(
            &draft.common,
            Code::CR205,
            place.unwrap_or(&draft.name.place),
            message,
            "`.invalid` is nobody's (RFC 2606), so no token will match",
            help,
        );
    }

    /// An `iss` that reads as if it came from somewhere else than a token: the address of the discovery document, an
    /// example of a manual, a host as no server writes its own.
    pub(super) fn looks_wrong(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let draft = plan.draft;
        let Some(at) = draft.issuer.given().filter(|at| !is_placeholder(&at.value)) else { return };
        let Some((label, help)) = oddity(&at.value) else { return };
        let message = format!("the `iss` of {owner} looks wrong: {:?}", at.value);
        self.warn(&draft.common, Code::CR205, &at.place, message, label, help);
    }

    /// An address that no fetch goes to, written as one; a name is only known to lead there when it is asked.
    pub(super) fn nowhere(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let (draft, keys) = (plan.draft, &plan.draft.keys);
        let urls = [&keys.discovery_url, &keys.jwks_uri, &keys.spiffe_bundle_url];
        let Some(at) = urls.into_iter().find_map(|url| url.given()) else { return };
        if !address(&at.value).is_some_and(is_refused_address) {
            return;
        }
        let message = format!("the keys of {owner} will never be fetched from there");
        let label = "link-local, a cloud's metadata service, or no host at all";
        let help = "write the URL of the issuer's own key set: until then each of its tokens is refused";
        self.warn(&draft.common, Code::CR205, &at.place, message, label, help);
    }

    /// One pin, where the keys can change while the table does not.
    pub(super) fn lone_pin(&mut self, owner: &str, plan: &IssuerPlan<'_>) {
        let Some((first, rest)) = plan.draft.pin_keys.items().split_first() else { return };
        // Keys that stand in the table change with it.
        if !plan.draft.keys.jwks.is_absent() || rest.iter().any(|other| other.value != first.value) {
            return;
        }
        let message = format!("{owner} pins only one key");
        let help = "pin the next key too: ask the issuer's operator for its thumbprint before it is published";
        self.warn(&plan.draft.common, Code::CR310, &first.place, message, "an outage at the next rotation", help);
    }
}

/// The address that a URL names by its number, if it does.
fn address(url: &str) -> Option<IpAddr> {
    let (_, rest) = url.split_once("://")?;
    Authority::read(rest.split(['/', '?']).next()?)?.address()
}

/// What is odd about an `iss`, and the form to try.
fn oddity(iss: &str) -> Option<(&'static str, String)> {
    const COPY: &str = "copy `iss` from a token or from `issuer` of the discovery document";
    if let Some((start, _)) = iss.split_once("/.well-known/") {
        return Some(("this is where a document is, not who signs", format!("write `issuer: {start}`, or {COPY}")));
    }
    let (scheme, rest) = iss.split_once("://")?;
    let (authority, path) = rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
    let host = authority.split(':').next().unwrap_or_default();
    let example = ["example.com", "example.org", "example.net", "example"];
    let under = |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let yours = |part: &str| part.starts_with("your-") || part.starts_with("YOUR") || part.starts_with("your_");
    if example.iter().any(under) {
        return Some(("this host is kept for examples (RFC 2606), so no token will match", COPY.to_owned()));
    }
    if iss.contains(['<', '>']) || rest.split(['/', '.']).any(yours) {
        return Some(("this is left over from a manual", format!("put in what is meant; {COPY}")));
    }
    let port = if scheme == "https" { ":443" } else { ":80" };
    let plain = authority.strip_suffix(port).unwrap_or(authority).to_lowercase();
    let label = match authority {
        _ if authority == plain => return None,
        _ if authority.bytes().any(|byte| byte.is_ascii_uppercase()) => "hosts are written in lower case",
        _ => "the default port is left out as a rule",
    };
    Some((label, format!("write `issuer: {scheme}://{plain}{path}` if its tokens say so; {COPY}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_issuer_is_told_with_the_form_to_try() {
        for (iss, form) in [
            ("https://idp.test/r/.well-known/openid-configuration", "`issuer: https://idp.test/r`"),
            ("https://IDP.test/Realm", "`issuer: https://idp.test/Realm`"),
            ("https://idp.test:443/r", "`issuer: https://idp.test/r`"),
            ("https://idp.example.com", "copy"),
            ("https://example.org/x", "copy"),
            ("https://your-tenant.idp.test/", "put in what is meant"),
            ("https://idp.test/<tenant>", "put in what is meant"),
        ] {
            let help = oddity(iss).map(|(_, help)| help);
            assert!(help.as_ref().is_some_and(|help| help.contains(form)), "{iss}: {help:?}");
        }
        for sound in [
            "https://idp.test:8443/Realm",
            "https://myexample.com",
            "https://idp.test/yours",
            "idp",
            "https://[::1]:80/",
        ] {
            assert_eq!(oddity(sound), None, "{sound}");
        }
    }
}
