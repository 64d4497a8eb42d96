//! From a connection to a session: since when does this store know of every use?
//!
//! A flushed, new, restarted or failed-over store has no marker of its life. Whoever comes first sets one, a name that nobody else
//! has, and only then reads the store's clock: every use before the marker has an earlier time than that. The time is kept under
//! the marker's name, the first one that is set, so that all agree; and while the marker stands, nothing was forgotten. Its name
//! says how many keys had been evicted by then: with another count it is replaced, never found again.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, pipe};

use super::access::Access;
use super::greeting::Greeting;
use super::pace::{ahead, behind, too_far_ahead};
use super::part::Part;
use super::session::{Marker, Session};
use super::trouble::{Kind, Trouble};
use crate::clock::Clock;

/// For so long a marker is kept when no process is in touch, in milliseconds: thirty days. After that the past counts as
/// unknown.
pub(super) const KEPT: u64 = 30 * 24 * 3600 * 1000;

/// Connects to who has this part, asking the node at this place in the address `first`, and finds or begins the epoch.
pub(super) async fn contact(access: &Access, clock: &Clock, part: Part, first: usize) -> Result<Session, Trouble> {
    let (mut connection, address) = access.connect(part, first).await?;
    let trouble = |error| Trouble::of(&error, &address);

    let mut greeting = greet(&mut connection, part).await.map_err(trouble)??;
    let key = part.key(&format!("epoch:{}", greeting.life));
    let mut name = mark(&mut connection, &key, &greeting, &["NX"]).await?.map_err(trouble)?;
    // The same life, but keys were evicted; or the count was reset, and nobody knows what it hides.
    if !is_of(&greeting, &name) {
        name = mark(&mut connection, &key, &greeting, &[]).await?.map_err(trouble)?;
    }
    if !is_of(&greeting, &name) {
        return Err(Trouble::new(Kind::Other, "lost its marker to another process, or at once".to_owned()));
    }

    let (seconds, microseconds): (u64, u32) = redis::cmd("TIME").query_async(&mut connection).await.map_err(trouble)?;
    let ahead = ahead((seconds, microseconds), clock.now());
    too_far_ahead(ahead)?;
    greeting.warning = greeting.warning.or_else(|| behind(ahead));
    let begun = part.key(&format!("epoch:{name}"));
    let mut dating = pipe();
    dating.cmd("SET").arg(&begun).arg(format!("{seconds}.{microseconds:06}")).arg("NX").arg("PX").arg(KEPT).ignore();
    dating.cmd("GET").arg(&begun);
    let (since,): (Option<String>,) = dating.query_async(&mut connection).await.map_err(trouble)?;
    let time = since.as_ref().and_then(|text| text.parse::<f64>().ok()).filter(|since| since.is_finite());
    let (Some(text), Some(since)) = (since, time) else {
        return Err(Trouble::new(Kind::Other, format!("holds something else under {begun}")));
    };

    let marker = Marker { key, name, begun, text };
    Ok(Session::new(connection, greeting, marker, since, ahead, (part, address, clock.clone())))
}

/// What the store says of itself, and that it has the part for itself.
pub(super) async fn greet(
    connection: &mut MultiplexedConnection,
    part: Part,
) -> RedisResult<Result<Greeting, Trouble>> {
    if !part.is_of_cluster() {
        let info: String = redis::cmd("INFO").query_async(connection).await?;
        return Ok(Greeting::read(&info, None));
    }
    let mut greeting = pipe();
    greeting.cmd("INFO").cmd("CLUSTER").arg("INFO").cmd("GET").arg(part.nothing()).ignore();
    let (info, cluster): (String, String) = greeting.query_async(connection).await?;
    Ok(Greeting::read(&info, Some(&cluster)))
}

/// The name of the marker that stands once one was set, where there is none (`NX`) or in place of another.
async fn mark(
    connection: &mut MultiplexedConnection,
    key: &str,
    greeting: &Greeting,
    unless: &[&str],
) -> Result<RedisResult<String>, Trouble> {
    let name = fresh_name(&greeting.evicted)?;
    let mut marking = pipe();
    marking.cmd("SET").arg(key).arg(name).arg(unless).arg("PX").arg(KEPT).ignore();
    marking.cmd("GET").arg(key);
    let said: RedisResult<(Option<String>,)> = marking.query_async(connection).await;
    Ok(said.map(|(name,)| name.unwrap_or_default()))
}

/// Whether a marker was set when just as many keys had been evicted.
fn is_of(greeting: &Greeting, name: &str) -> bool {
    name.split_once(':').is_some_and(|(evicted, _)| evicted == greeting.evicted)
}

/// A name that nobody else has, of a time when so many keys had been evicted.
pub(super) fn fresh_name(evicted: &str) -> Result<String, Trouble> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| Trouble::new(Kind::Other, "cannot be marked: no random numbers".to_owned()))?;
    Ok(format!("{evicted}:{}", URL_SAFE_NO_PAD.encode(bytes)))
}
