//! HTTP proxies: the one that the table names, else the one of the environment.
//!
//! Only `https` is proxied, by CONNECT, so a proxy sees host and port and no more. It looks the name up itself: that
//! the name leads to a refused address is then for it to notice. Loopback hosts are never proxied.

use std::fmt;

use reqwest::{NoProxy, Proxy, Url};

use super::address::is_refused;
use super::error::FetchError;
use crate::keys::FetchResult;

/// Hosts that are this machine: asking a proxy for them would ask about another one.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// What the environment says about proxies. A URL there may hold a password, so it is shown nowhere.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    /// The variable and its value.
    https: Option<(&'static str, String)>,
    /// `NO_PROXY`: hosts, domains, addresses and networks, by commas.
    except: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("https", &self.https.as_ref().map(|(name, _)| name)).finish_non_exhaustive()
    }
}

impl Proxies {
    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let https = names.iter().find_map(|name| Some((*name, variable(name)?)));
        let except = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
        Self { https, except }
    }

    /// The proxy of the environment, if there is one.
    pub(super) fn of_environment(&self) -> Result<Option<Proxy>, FetchError> {
        let Some((name, value)) = &self.https else { return Ok(None) };
        let except = format!("{LOOPBACK},{}", self.except);
        proxy(name, value, &except).map(|(proxy, _)| Some(proxy))
    }

    /// Its host and port and its variable, for messages: never its password.
    pub(super) fn place(&self) -> Option<String> {
        let (name, value) = self.https.as_ref()?;
        Some(told(name, &parse(value)?))
    }
}

/// The proxy that the table names with `proxy`, to which `NO_PROXY` does not apply; its host and port for messages.
pub(super) fn of_table(written: &str) -> Result<(Proxy, String), FetchError> {
    if written.contains('@') {
        // Not quoted: what stands there may be a secret.
        let what = "holds a user name or password, which a table should not: put the whole URL into HTTPS_PROXY";
        return Err(FetchError::new(FetchResult::Url, "proxy", what));
    }
    proxy("proxy", written, LOOPBACK)
}

/// `field` says where `written` stands.
fn proxy(field: &str, written: &str, except: &str) -> Result<(Proxy, String), FetchError> {
    let refuse = |what: &str| FetchError::new(FetchResult::Url, field, what);
    let url = parse(written).ok_or_else(|| refuse("is not the URL of an HTTP proxy: write http://HOST:PORT"))?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    if host.parse().is_ok_and(is_refused) {
        return Err(refuse("is at a link-local or metadata address, where no proxy is used"));
    }
    let place = told(field, &url);
    let proxy = Proxy::https(url).map_err(|_| refuse("is not a URL that can be used as a proxy"))?;
    Ok((proxy.no_proxy(NoProxy::from_string(except)), place))
}

/// The URL of a proxy. What has no scheme is a host and a port: so every client reads these variables.
fn parse(written: &str) -> Option<Url> {
    let text = if written.contains("://") { written.to_owned() } else { format!("http://{written}") };
    Url::parse(&text).ok().filter(|url| url.scheme() == "http" && matches!(url.path(), "" | "/"))
}

/// Host and port, and where they are written.
fn told(field: &str, url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port} ({field})", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Proxies {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Proxies::from_variables(find)
    }

    #[test]
    fn a_proxy_is_an_http_url_without_a_path() {
        for good in ["http://proxy.test:3128", "proxy.test:3128", "http://u:p@proxy.test/", "10.0.0.1:80", "[::1]:1"] {
            assert!(environment(&[("HTTPS_PROXY", good)]).of_environment().unwrap().is_some(), "{good}");
        }
        for bad in ["socks5://p.test", "https://p.test", "http://p.test/x", "http://", "http://169.254.0.1:80", "::"] {
            assert!(environment(&[("https_proxy", bad)]).of_environment().is_err(), "{bad}");
            assert!(of_table(bad).is_err(), "{bad}");
        }
        assert!(environment(&[("HTTP_PROXY", "http://proxy.test")]).of_environment().unwrap().is_none());
        assert!(environment(&[("all_proxy", "http://proxy.test")]).of_environment().unwrap().is_some());
    }

    #[test]
    fn the_password_of_a_proxy_is_told_to_nobody() {
        let proxies = environment(&[("ALL_PROXY", "socks5://u:hunter2@p.test")]);
        let told = format!("{proxies:?} {}", proxies.of_environment().unwrap_err());
        assert!(told.contains("ALL_PROXY") && !told.contains("hunter2"), "{told}");
        let told = of_table("http://u:hunter2@p.test").unwrap_err().to_string();
        assert!(told.contains("HTTPS_PROXY") && !told.contains("hunter2"), "{told}");
    }
}
