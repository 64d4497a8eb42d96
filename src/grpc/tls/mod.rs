//! TLS on our own listener: who we are, and who may ask.
//!
//! TLS 1.3 and 1.2, HTTP/2 alone by ALPN, and never a resumed session: each connection shows its certificate anew,
//! so that a withdrawn authority is withdrawn for the next connection.

mod certificate;
mod files;
mod handshake;
mod live;
mod peer;
#[cfg(test)]
mod testing;
mod verifier;

pub use certificate::Validity;
pub use files::{TlsError, TlsFiles};
pub(super) use handshake::{Handshakes, Secured};
pub use live::{Tls, TlsWatch, Told};
pub use peer::{Peer, PeerError};

/// How well a listener is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: whoever reaches it can ask and listen.
    None,
    /// The proxy knows whom it asks; whoever reaches it can ask.
    Tls,
    /// Both ends show a certificate, and only named peers can ask.
    Mutual,
}
