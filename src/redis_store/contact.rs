//! From a connection to a session: since when does this store know of every use?
//!
//! A flushed, new, restarted or failed-over store has no marker of its life. Whoever comes first sets one, a name that nobody else
//! has, and only then reads the store's clock: every use before the marker has an earlier time than that. The time is kept under
//! the marker's name, the first one that is set, so that all agree; and while the marker stands, nothing was forgotten.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::pipe;

use super::access::Access;
use super::greeting::Greeting;
use super::pace::{ahead, behind, too_far_ahead};
use super::session::{Marker, Session};
use super::trouble::{Kind, Trouble};
use crate::clock::Clock;

/// For so long a marker is kept when no process is in touch, in milliseconds: thirty days. After that the past counts as
/// unknown.
pub(super) const KEPT: u64 = 30 * 24 * 3600 * 1000;

/// What every key begins with.
pub(super) const PREFIX: &str = "credence:replay:";

/// Connects, and finds or begins the epoch.
pub(super) async fn contact(access: &Access, clock: &Clock) -> Result<Session, Trouble> {
    let mut connection = access.connect().await?;
    let trouble = |error| Trouble::of(&error, &access.address);

    let info: String = redis::cmd("INFO").query_async(&mut connection).await.map_err(trouble)?;
    let mut greeting = Greeting::read(&info)?;
    let key = format!("{PREFIX}epoch:{}", greeting.life);
    let mut marking = pipe();
    marking.cmd("SET").arg(&key).arg(fresh_name()?).arg("NX").arg("PX").arg(KEPT).ignore();
    marking.cmd("GET").arg(&key);
    let (name,): (Option<String>,) = marking.query_async(&mut connection).await.map_err(trouble)?;
    let name = name.ok_or_else(|| Trouble::new(Kind::Other, "forgot a key as soon as it was set".to_owned()))?;

    let (seconds, microseconds): (u64, u32) = redis::cmd("TIME").query_async(&mut connection).await.map_err(trouble)?;
    let ahead = ahead((seconds, microseconds), clock.now());
    too_far_ahead(ahead)?;
    greeting.warning = greeting.warning.or_else(|| behind(ahead));
    let begun = format!("{PREFIX}epoch:{name}");
    let mut dating = pipe();
    dating.cmd("SET").arg(&begun).arg(format!("{seconds}.{microseconds:06}")).arg("NX").arg("PX").arg(KEPT).ignore();
    dating.cmd("GET").arg(&begun);
    let (since,): (Option<String>,) = dating.query_async(&mut connection).await.map_err(trouble)?;
    let time = since.as_ref().and_then(|text| text.parse::<f64>().ok()).filter(|since| since.is_finite());
    let (Some(text), Some(since)) = (since, time) else {
        return Err(Trouble::new(Kind::Other, format!("holds something else under {begun}")));
    };

    let marker = Marker { key, name, begun, text };
    Ok(Session::new(connection, greeting, marker, since, ahead, (access.address.clone(), clock.clone())))
}

/// A name that nobody else has.
pub(super) fn fresh_name() -> Result<String, Trouble> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| Trouble::new(Kind::Other, "cannot be marked: no random numbers".to_owned()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
