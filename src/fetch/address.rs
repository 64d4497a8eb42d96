//! Names that lead to addresses which keys are never fetched from.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

pub(super) use crate::keys::is_refused_address as is_refused;

/// A name that leads to a refused address.
#[derive(Debug)]
pub(super) struct RefusedAddress(pub(super) IpAddr);

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name leads to {}", self.0)
    }
}

impl Error for RefusedAddress {}

/// Asks another resolver and hands on its answer only if every address in it may be connected to. The connection
/// is made to these very addresses, so a second answer cannot differ from the one that was judged.
pub(super) struct Guarded(pub(super) Arc<dyn Resolve>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let must_be_loopback = name.as_str().eq_ignore_ascii_case("localhost");
        let lookup = self.0.resolve(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = lookup.await?.collect();
            let refused = addresses
                .iter()
                .map(SocketAddr::ip)
                .find(|ip| is_refused(*ip) || (must_be_loopback && !ip.is_loopback()));
            match refused {
                Some(ip) => Err(RefusedAddress(ip).into()),
                None => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

/// The system's resolver.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
