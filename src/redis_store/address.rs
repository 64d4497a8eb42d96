//! Where a store is, as an operator writes it. No text of one that is refused is repeated: there may be a password in it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// `redis://HOST`, several sentinels and the name of what they watch, or nodes of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreAddress {
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) hosts: Vec<(String, u16)>,
    /// The name by which sentinels know the primary; `hosts` are theirs then.
    pub(super) service: Option<String>,
    pub(super) database: i64,
    /// Whether `hosts` are nodes of a cluster.
    pub(super) cluster: bool,
}

/// Why an address is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressError(&'static str);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for AddressError {}

const FORM: AddressError = AddressError(
    "expected `embedded`, redis://[USER@]HOST[:PORT][/DATABASE], the same with rediss:// for TLS, valkey:// or valkeys://, or \
     redis+sentinel://HOST[:PORT],…/SERVICE[/DATABASE] (rediss+sentinel:// for TLS), or redis+cluster://HOST[:PORT],… \
     (rediss+cluster:// for TLS)",
);
const PASSWORD: AddressError = AddressError(
    "a password does not belong into the address, where every list of processes shows it: put it into a file and name \
     that with --replay-password-file",
);
const OPTIONS: AddressError =
    AddressError("nothing may follow a `?` or `#` in the address; verification of TLS is never switched off");
const DATABASE: AddressError = AddressError("a cluster has one database: leave the number away");
const USER: AddressError = AddressError("the user in the address may hold letters, digits and `-._~` only");

impl FromStr for StoreAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        let (family, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match family {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(FORM),
        };
        let (sentinels, cluster) = match kind {
            "" if family == scheme => (false, false),
            "sentinel" => (true, false),
            "cluster" => (false, true),
            _ => return Err(FORM),
        };
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, _)) if user.contains([':', '@']) => return Err(PASSWORD),
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let plain = |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
        if user.is_some_and(|user| user.is_empty() || !user.chars().all(plain)) {
            return Err(USER);
        }
        if rest.contains(['?', '#']) {
            return Err(OPTIONS);
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (service, database) = match (sentinels, path.split_once('/')) {
            (true, Some((service, database))) => (Some(service), database),
            (true, None) => (Some(path), ""),
            (false, _) => (None, path),
        };
        if service.is_some_and(|service| service.is_empty() || !service.chars().all(plain)) {
            return Err(FORM);
        }
        let port = if sentinels { SENTINEL_PORT } else { PORT };
        let hosts = hosts.split(',').map(|one| host(one, port)).collect::<Option<Vec<_>>>().ok_or(FORM)?;
        if !sentinels && !cluster && hosts.len() != 1 {
            return Err(FORM);
        }
        let database = if database.is_empty() { 0 } else { database.parse::<u16>().map_err(|_| FORM)?.into() };
        if cluster && database != 0 {
            return Err(DATABASE);
        }
        Ok(Self { tls, user: user.map(str::to_owned), hosts, service: service.map(str::to_owned), database, cluster })
    }
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
fn host(text: &str, port: u16) -> Option<(String, u16)> {
    let (name, rest) = match text.strip_prefix('[') {
        Some(text) => {
            let (address, rest) = text.split_once(']')?;
            address.parse::<IpAddr>().ok()?;
            (address, rest)
        }
        None => text.split_at_checked(text.find(':').unwrap_or(text.len()))?,
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().ok().filter(|port| *port != 0)?,
        None if rest.is_empty() => port,
        None => return None,
    };
    let plain = |character: char| character.is_ascii_alphanumeric() || "-._:".contains(character);
    (!name.is_empty() && name.chars().all(plain)).then(|| (name.to_owned(), port))
}

impl StoreAddress {
    /// The address of one of its nodes.
    pub(super) fn node(&self, host: &str, port: u16) -> Self {
        Self { hosts: vec![(host.to_owned(), port)], ..self.clone() }
    }

    /// What an operator should think about, if the way there is open to others.
    pub(super) fn warning(&self) -> Option<&'static str> {
        let near = |(host, _): &(String, u16)| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        };
        (!self.tls && !self.hosts.iter().all(near)).then_some(
            "the way to the store is not encrypted: whoever can meddle with it can let a token through twice. Use \
             rediss:// where that is anybody but you",
        )
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        match &self.service {
            None => f.write_str(&hosts.join(",")),
            Some(service) => write!(f, "{service} of sentinels {}", hosts.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StoreAddress, AddressError> {
        text.parse()
    }

    #[test]
    fn what_an_operator_may_write() {
        for (text, tls, shown, user, database) in [
            ("redis://127.0.0.1", false, "127.0.0.1:6379", None, 0),
            ("valkey://cache.acme.test:7000/3", false, "cache.acme.test:7000", None, 3),
            ("rediss://credence@cache.acme.test/", true, "cache.acme.test:6379", Some("credence"), 0),
            ("valkeys://[::1]:7000", true, "::1:7000", None, 0),
            ("redis+sentinel://a,b:1/main", false, "main of sentinels a:26379,b:1", None, 0),
            ("rediss+sentinel://u@a/main/2", true, "main of sentinels a:26379", Some("u"), 2),
            ("redis+cluster://a,b:1", false, "a:6379,b:1", None, 0),
            ("valkeys+cluster://u@a/", true, "a:6379", Some("u"), 0),
        ] {
            let address = parse(text).unwrap();
            assert_eq!((address.tls, address.to_string()), (tls, shown.to_owned()), "{text}");
            assert_eq!((address.user.as_deref(), address.database), (user, database), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for text in
            ["redis://:hunter2@a", "redis://u:hunter2@a/0", "rediss+sentinel://u:hunter2@a/m", "redis://u@hunter2@a"]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error, PASSWORD, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn what_is_not_meant_is_refused() {
        for text in [
            "a:6379",
            "http://a",
            "redis://",
            "redis://a:0",
            "redis://a:x",
            "redis://a/x",
            "redis://a,b",
            "redis://a b",
            "redis+://a",
            "redis+proxy://a",
        ] {
            assert_eq!(parse(text), Err(FORM), "{text}");
        }
        for text in
            ["redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///m", "redis://a/1/2", "redis://[a]:1"]
        {
            assert_eq!(parse(text), Err(FORM), "{text}");
        }
        for text in ["rediss://a/#insecure", "redis://a?pass=hunter2"] {
            assert_eq!(parse(text), Err(OPTIONS), "{text}");
        }
        assert_eq!(parse("redis://%75@a"), Err(USER));
        assert_eq!(parse("redis+cluster://a/1"), Err(DATABASE));
    }

    #[test]
    fn an_open_way_is_warned_of() {
        for (text, warns) in
            [("redis://127.0.0.1", false), ("redis://[::1]", false), ("rediss://a", false), ("redis://a", true)]
        {
            assert_eq!(parse(text).unwrap().warning().is_some(), warns, "{text}");
        }
    }
}
