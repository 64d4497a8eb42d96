//! Where to listen, and who may be let in there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

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
    NotLoopback(SocketAddr),
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
    /// Whether this may be listened on without TLS: unix sockets and loopback always, other addresses only when
    /// `insecure_listen` is set.
    ///
    /// # Errors
    /// [`AddressError::NotLoopback`]
    pub fn permitted(&self, insecure_listen: bool) -> Result<(), AddressError> {
        match self {
            Self::Tcp(address) if !address.ip().to_canonical().is_loopback() && !insecure_listen => {
                Err(AddressError::NotLoopback(*address))
            }
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
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
            Self::NotLoopback(address) => write!(
                f,
                "{address} can be reached from the network and this listener has no TLS: listen on a loopback \
                 address such as 127.0.0.1:{port} or on unix:PATH, or pass --insecure-listen if only the proxy can \
                 reach it",
                port = address.port()
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

    #[test]
    fn only_loopback_and_unix_are_served_without_tls_unless_asked() {
        for good in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"] {
            assert_eq!(good.parse::<Address>().unwrap().permitted(false), Ok(()), "{good}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"] {
            let address: Address = open.parse().unwrap();
            let refusal = address.permitted(false).unwrap_err();
            assert!(refusal.to_string().contains("--insecure-listen"), "{refusal}");
            assert_eq!(address.permitted(true), Ok(()), "{open}");
        }
    }
}
