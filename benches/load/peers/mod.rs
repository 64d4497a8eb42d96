//! Other authorizers, each set up for the same question as well as its own documentation says, and with as little as
//! it needs: signature, issuer, audience and lifetime, and the subject handed on. None has a rule to apply, and none
//! writes a decision log; credence does both in the same windows.

mod authorino;
mod kubernetes;
mod oathkeeper;
mod opa;
mod proof;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

pub(crate) use proof::Proofs;
use serde_json::Value;

use crate::Outcome;
use crate::contestant::{Contestant, Running};
use crate::support::process::Process;
use crate::support::root;
use crate::world::{AUDIENCE, World, jwks};

/// Somebody else's authorizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Opa,
    Authorino,
    Oathkeeper,
}

/// All that are known here.
pub(crate) const ALL: [Peer; 3] = [Peer::Opa, Peer::Authorino, Peer::Oathkeeper];

/// What every peer is told to believe.
pub(crate) struct Belief {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) jwks: Value,
}

impl Belief {
    /// What credence's table of this world says of its issuer.
    pub(crate) fn of(world: &World) -> Self {
        let keys = jwks(&[&world.es.key, &world.rs.key]);
        Self { issuer: world.es.iss.clone(), audience: AUDIENCE.into(), jwks: keys }
    }
}

impl Peer {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Opa => "OPA-Envoy",
            Self::Authorino => "Authorino",
            Self::Oathkeeper => "Oathkeeper",
        }
    }

    /// The name of its program.
    const fn program(self) -> &'static str {
        match self {
            Self::Opa => "opa-envoy-plugin",
            Self::Authorino => "authorino",
            Self::Oathkeeper => "oathkeeper",
        }
    }

    /// Its program, in `.tools/bin`, where `scripts/bench/peers.sh` puts it, or else on the path.
    pub(crate) fn binary(self) -> Option<PathBuf> {
        let brought = std::iter::once(root().join(".tools/bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places: Vec<_> = brought.chain(std::env::split_paths(&path)).collect();
        places.into_iter().map(|place| place.join(self.program())).find(|file| file.is_file())
    }

    /// Which version was built, or what it says itself if somebody else has built it.
    pub(crate) fn version(self) -> String {
        let stamp = root().join(format!(".tools/peers/{}.version", self.program()));
        let said = std::fs::read_to_string(stamp).ok().or_else(|| {
            let output = Command::new(self.binary()?).arg("version").output().ok()?;
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        });
        said.map_or_else(|| "unknown".into(), |said| said.trim().to_owned())
    }

    /// Starts it and waits until it lets a good token in.
    pub(crate) fn start(self, belief: &Belief, proofs: &Proofs) -> Outcome<Contestant> {
        let program = self.binary().ok_or("not here")?;
        let mut started = match self {
            Self::Opa => opa::start(&program, belief)?,
            Self::Authorino => authorino::start(&program, belief)?,
            Self::Oathkeeper => oathkeeper::start(&program, belief)?,
        };
        proofs.wait_for(&mut started)?;
        Ok(started)
    }
}

/// A program and the things that it reads.
struct Program<T> {
    process: Process,
    _needs: T,
}

impl<T> Running for Program<T> {
    fn ended(&mut self) -> Option<String> {
        let status = self.process.ended()?;
        Some(format!("it ended with {status}: {}", self.process.stderr()))
    }
}

/// A port of loopback that was free a moment ago, for programs that cannot say which one they got. Whether it is
/// theirs alone is looked at before each window.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
