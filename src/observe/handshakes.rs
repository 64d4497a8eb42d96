//! What became of TLS handshakes with proxies. Only where there is TLS are the series registered.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::metrics::OfListener;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    listener: &'static str,
    result: &'static str,
}

/// What became of a handshake: the `result` label. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The connection stands.
    Ok,
    /// The client showed no certificate, or none that lets it in.
    ClientCertificate,
    /// The client does not accept the certificate that we show.
    ServerCertificate,
    /// Both could not agree on how to speak.
    Protocol,
    /// The other end hung up, stayed silent, or took too long.
    Incomplete,
}

impl Handshake {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Ok, "ok"),
        (Self::ClientCertificate, "client_certificate"),
        (Self::ServerCertificate, "server_certificate"),
        (Self::Protocol, "protocol"),
        (Self::Incomplete, "incomplete"),
    ];
}

/// Counts handshakes by what became of them; clones count together.
#[derive(Debug, Clone, Default)]
pub struct HandshakeCounts([Counter; Handshake::ALL.len()]);

impl HandshakeCounts {
    /// All series are there from the start, at zero, so that nobody misses the first failure.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = Family::<Ended, Counter>::default();
        registry.register(
            "tls_handshakes",
            "TLS handshakes with proxies by what became of them: ok, client_certificate (theirs is not accepted), \
             server_certificate (they do not accept ours), protocol, incomplete (hung up or too slow)",
            family.clone(),
        );
        let of = |(_, result)| family.get_or_create_owned(&Ended { listener: OfListener::GRPC.listener, result });
        Self(Handshake::ALL.map(of))
    }

    /// One more that came to this.
    pub fn ended(&self, so: Handshake) {
        let counters = Handshake::ALL.iter().zip(&self.0);
        counters.filter(|((kind, _), _)| *kind == so).for_each(|(_, counter)| _ = counter.inc());
    }
}
