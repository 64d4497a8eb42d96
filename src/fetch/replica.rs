//! What a running credence says of itself on its admin listener.

use std::error::Error;
use std::time::Duration;

use reqwest::{Client, redirect};

use super::error::quoted;

/// Longest time for one answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Largest answer, in bytes: a table may have ten thousand issuers.
const MAX_BODY: usize = 64 << 20;

/// The body of `/readyz` below this URL (`http://10.0.0.7:9192`), whatever its status: one that is not ready tells as much.
/// Goes nowhere else: no proxy, no redirect.
///
/// # Errors
/// A sentence for people.
pub async fn readiness(url: &str) -> Result<Vec<u8>, String> {
    let client = Client::builder()
        .user_agent(concat!("credence/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(LIMIT)
        .build()
        .map_err(|error| error.to_string())?;
    let broken = |error: reqwest::Error| {
        let mut deepest: &dyn Error = &error;
        while let Some(cause) = deepest.source() {
            deepest = cause;
        }
        quoted(&deepest.to_string())
    };
    let mut response = client.get(format!("{}/readyz", url.trim_end_matches('/'))).send().await.map_err(broken)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(format!("an answer of more than {} MiB", MAX_BODY >> 20));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
