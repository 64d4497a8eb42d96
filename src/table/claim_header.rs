//! Names of headers, made once for a table.

/// What a forwarded claim is called as a header of the upstream's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimHeader {
    claim: String,
    header: String,
    underscored: String,
}

impl ClaimHeader {
    /// Of the NAME under `forwardClaims`.
    pub fn new(claim: &str) -> Self {
        let header = format!("x-credence-claim-{claim}");
        Self { claim: claim.to_owned(), underscored: header.replace('-', "_"), header }
    }

    /// NAME, as a grant has it under `forwardClaims`.
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// `x-credence-claim-NAME`
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The same as those write it who put `_` for `-` (CGI, RFC 3875 §4.1.18).
    pub fn underscored(&self) -> &str {
        &self.underscored
    }
}
