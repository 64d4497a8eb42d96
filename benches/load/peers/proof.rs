//! Tokens that have to be let in and tokens that have to be turned away.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::contestant::Contestant;
use crate::mint::forged;
use crate::support::now;
use crate::world::{AUDIENCE, World, plain};

/// How long a peer may take to get ready.
const PATIENCE: Duration = Duration::from_secs(40);

/// Questions with known answers: what it is, the token, and whether it is good.
pub(crate) struct Proofs(Vec<(&'static str, Option<String>, bool)>);

impl Proofs {
    /// For the one issuer of this world.
    pub(crate) fn new(world: &World) -> Outcome<Self> {
        let (es, rs) = (&world.es, &world.rs);
        let good = |signer: &crate::mint::Signer| signer.token(0, AUDIENCE);
        let past = now() - 7200;
        let elsewhere = plain("https://elsewhere.bench.test", &es.sub);
        let [bad_es, bad_rs] = [es, rs].map(|signer| forged(std::slice::from_ref(signer), AUDIENCE, 0, 2).pop());
        Ok(Self(vec![
            ("a good ES256 token", Some(good(es).mint()), true),
            ("a good RS256 token", Some(good(rs).mint()), true),
            ("no token", None, false),
            ("garbage", Some("no.token.this".into()), false),
            ("an unknown issuer", Some(elsewhere.token(0, AUDIENCE).mint()), false),
            ("another issuer's name, signed by a known key", Some(good(es).claim("iss", elsewhere.iss).mint()), false),
            ("a bad ES256 signature", Some(bad_es.ok_or("no token")?), false),
            ("a bad RS256 signature", Some(bad_rs.ok_or("no token")?), false),
            ("another audience", Some(es.token(0, "https://other.bench.test").mint()), false),
            ("an expired token", Some(good(es).claim("iat", past).claim("exp", past + 3600).mint()), false),
        ]))
    }

    /// Waits until the first good token is let in.
    pub(super) fn wait_for(&self, contestant: &mut Contestant) -> Outcome {
        let (_, token, good) = self.0.first().ok_or("nothing to prove")?;
        let end = Instant::now() + PATIENCE;
        loop {
            let Err(error) = contestant.prove(token.as_deref(), *good) else { return Ok(()) };
            if let Some(how) = contestant.running.ended() {
                return Err(how.into());
            }
            if Instant::now() > end {
                return Err(format!("it does not get ready: {error}").into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// An error that says which token was not judged as it should be.
    pub(crate) fn hold(&self, contestant: &Contestant) -> Outcome {
        for (what, token, good) in &self.0 {
            let proof = contestant.prove(token.as_deref(), *good);
            proof.map_err(|error| format!("wrong about {what}: {error}"))?;
        }
        Ok(())
    }
}
