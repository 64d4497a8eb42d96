//! Where to listen, and who may be let in there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::Protection;

/// A place to listen on: `IP:PORT`, `localhost:PORT`, or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket, of mode 0660.
    Unix(PathBuf),
}

/// Why an address is not listened on: a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressError {
    /// Not an address at all.
    Unreadable(String),
    /// Open to the network, where anyone could ask and learn, and nobody asked for that.
    NotLoopback(SocketAddr, Protection),
    /// TLS where it protects from nobody.
    TlsOnUnix(PathBuf),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unreadable = || AddressError::Unreadable(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            // `@` would be an abstract socket: no file, so no mode that says who may connect.
            let sound = !path.is_empty() && !path.starts_with('@') && !path.contains('\0');
            return if sound { Ok(Self::Unix(PathBuf::from(path))) } else { Err(unreadable()) };
        }
        let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        numeric.as_deref().unwrap_or(text).parse().map(Self::Tcp).map_err(|_| unreadable())
    }
}

impl Address {
    /// Whether this may be listened on with this protection: unix sockets and loopback always, other addresses with
    /// mutual TLS, and with less only when `insecure_listen` is set.
    ///
    /// # Errors
    /// [`AddressError::NotLoopback`]; [`AddressError::TlsOnUnix`], because who may connect to a unix socket is told by
    /// its mode, and a certificate there would only expire.
    pub fn permitted(&self, protection: Protection, insecure_listen: bool) -> Result<(), AddressError> {
        match (self, protection) {
            (Self::Unix(path), Protection::Tls | Protection::Mutual) => Err(AddressError::TlsOnUnix(path.clone())),
            (Self::Unix(_), Protection::None) | (Self::Tcp(_), Protection::Mutual) => Ok(()),
            (Self::Tcp(address), _) if address.ip().to_canonical().is_loopback() || insecure_listen => Ok(()),
            (Self::Tcp(address), _) => Err(AddressError::NotLoopback(*address, protection)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => write!(
                f,
                "cannot listen on {text:?}: write an address with a port, such as 127.0.0.1:9191 or [::1]:9191, \
                 or unix:PATH"
            ),
            Self::NotLoopback(address, protection) => write!(
                f,
                "{address} can be reached from the network and {}: give --tls-cert, --tls-key, --tls-client-ca and \
                 --allow-peer so that only the proxy can ask, or listen on a loopback address such as \
                 127.0.0.1:{} or on unix:PATH, or pass --insecure-listen if only the proxy can reach it",
                match protection {
                    Protection::Tls => "whoever reaches it can ask, because clients show no certificate",
                    Protection::None | Protection::Mutual => "this listener has no TLS",
                },
                address.port()
            ),
            Self::TlsOnUnix(path) => write!(
                f,
                "unix:{} needs no TLS: nobody but this host reaches it, and its mode 0660 says who may connect; leave \
                 the --tls-* flags and --allow-peer away, or listen on IP:PORT",
                path.display()
            ),
        }
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tcp_or_unix() {
        assert_eq!("127.0.0.1:0".parse(), Ok(Address::Tcp(([127, 0, 0, 1], 0).into())));
        assert_eq!("localhost:9191".parse(), Ok(Address::Tcp(([127, 0, 0, 1], 9191).into())));
        assert_eq!("unix:/run/c.sock".parse(), Ok(Address::Unix("/run/c.sock".into())));
        for bad in ["", ":9191", "9191", "127.0.0.1", "example.test:1", "unix:", "unix:@abstract", "localhost:"] {
            assert_eq!(bad.parse::<Address>(), Err(AddressError::Unreadable(bad.to_owned())), "{bad}");
        }
    }

    fn permitted(address: &str, protection: Protection, insecure_listen: bool) -> Result<(), String> {
        let address: Address = address.parse().unwrap();
        address.permitted(protection, insecure_listen).map_err(|error| error.to_string())
    }

    #[test]
    fn only_loopback_and_unix_are_served_without_tls_unless_asked() {
        for good in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"] {
            assert_eq!(permitted(good, Protection::None, false), Ok(()), "{good}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"] {
            for weak in [Protection::None, Protection::Tls] {
                let refusal = permitted(open, weak, false).unwrap_err();
                assert!(refusal.contains("--insecure-listen") && refusal.contains("--allow-peer"), "{refusal}");
                assert_eq!(permitted(open, weak, true), Ok(()), "{open}");
            }
            assert_eq!(permitted(open, Protection::Mutual, false), Ok(()), "{open}");
        }
    }

    #[test]
    fn tls_on_a_unix_socket_is_refused_as_useless() {
        for tls in [Protection::Tls, Protection::Mutual] {
            assert!(permitted("unix:/x", tls, true).unwrap_err().contains("unix:/x needs no TLS"));
        }
    }
}
