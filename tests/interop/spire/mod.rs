//! SPIRE 1.15: JWT-SVIDs, which have no `iss` and no `jti`, verified by the trust bundle of the domain in their `sub`.

mod bundle;
mod discovery;
mod domain;
mod svids;

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::table::Table;
use domain::{Domain, Endpoint};

const AUDIENCE: &str = "https://ledger.acme.test";
/// The workload that has a grant.
const SETTLER: &str = "/ns/payments/sa/settler";

/// An entry for a trust domain whose bundle is on the web.
fn issuer(name: &str, domain: &Domain) -> String {
    format!(
        "  {name}: {{profile: spiffe, with: {{trustDomain: {}}}, spiffeBundleUrl: \"{}\", caFile: {}, \
         owner: platform@acme.test, reviewBy: 2099-01-01}}\n",
        domain.id("").trim_start_matches("spiffe://"),
        domain.bundle_url(),
        domain.ca_file(),
    )
}

/// Lets this subject of an issuer append to the ledger.
fn grant(name: &str, subject: &str) -> String {
    format!(
        "  {name}: {{issuer: {name}, resource: ledger, subject: \"{subject}\", methods: [POST], paths: any, \
         scopes: [\"ledger:append\"]}}\n"
    )
}

fn table(issuers: &str, grants: &str) -> Table {
    Table::new(&format!(
        "issuers:\n{issuers}resources:\n  ledger: {{audience: \"{AUDIENCE}\", hosts: [ledger.acme.test]}}\n\
         grants:\n{grants}"
    ))
}

fn ask(credence: &Credence, token: &str) -> Answer {
    credence.check(&Call::post("https://ledger.acme.test/v1/entries").bearer(token))
}

/// Asserts that this token is refused, and why.
fn refused(credence: &Credence, token: &str, status: i32, reason: &str) {
    let answer = ask(credence, token);
    assert_eq!((answer.status(), answer.reason().as_str()), (status, reason));
}
