//! The request that a question is about.

use clap::Args;

use crate::request::{AuthzRequest, split_url};

/// A request without a token.
#[derive(Debug, Clone, Args)]
pub(super) struct Wanted {
    /// What the proxy would set as `context_extensions`.
    #[arg(long, env = "CREDENCE_CONTEXT", value_name = "KEY=VALUE", value_delimiter = ',', value_parser = pair)]
    context: Vec<(String, String)>,
    /// The HTTP method.
    pub(super) method: String,
    /// The URL as the client would ask for it.
    pub(super) url: String,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Wanted {
    /// The request, but for headers.
    ///
    /// # Errors
    /// A sentence, where the URL is none.
    pub(super) fn request(&self) -> Result<AuthzRequest<'_>, String> {
        let split = split_url(&self.url);
        let (host, target) = split.ok_or_else(|| format!("{:?} is no URL: expected https://HOST/PATH", self.url))?;
        let mut context: Vec<_> = self.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        context.sort_unstable();
        Ok(AuthzRequest { method: &self.method, target, host, context, ..AuthzRequest::default() })
    }
}
