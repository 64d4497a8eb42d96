//! The world of these tests: issuers of every kind of trust, and two credences with one table.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::blocks;
use crate::support::blocks::Blocks;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::{DISCOVERY, Fault, Issuer};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::token::Token;

/// Audience of the resource `api`; its host is the same without the scheme.
pub(crate) const API: &str = "https://api.acme.test";
/// The subject that the grants name.
pub(crate) const SUBJECT: &str = "robot-7";
/// The subject that is blocked, whoever vouches for it.
pub(crate) const BLOCKED: &str = "robot-13";
/// A claim value that no grant forwards: it may stand in no answer and no log.
pub(crate) const PRIVATE: &str = "private-claim-value";
/// What every call has in its query string: it may stand in no answer and no log.
pub(crate) const QUERY: &str = "hunter2";

/// Everything that runs.
pub(crate) struct World {
    /// With the flags as they come.
    pub(crate) credence: Credence,
    /// With `--claim-headers` and `--deny-detail reason`.
    pub(crate) talkative: Credence,
    /// Vouches for most here; one ES256 key.
    pub(crate) ci: Issuer,
    /// Publishes two keys, one of them pinned; its tokens must carry `tenant: acme`.
    pub(crate) pinned: Issuer,
    /// Its entry has ended.
    pub(crate) ended: Issuer,
    /// Never answers, so there are no keys of it.
    pub(crate) silent: Issuer,
    /// The key of `pinned` that is published and not pinned.
    pub(crate) unpinned_key: Arc<Key>,
    pub(crate) table: Table,
    _blocks: Blocks,
}

/// The world; the first caller starts it.
pub(crate) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(build);
    &WORLD
}

const PLACES: &str = r#"
resources:
  api:
    audience: https://api.acme.test
    hosts: [api.acme.test]
    anonymous:
      - {methods: [GET], paths: [/healthz], reason: probes carry no credential}
      - {preflight: true, paths: [/v1/**], reason: browsers ask before they send a credential}
  kept: {audience: https://kept.acme.test, hosts: [kept.acme.test], forwardToken: true, forwardOverrides: true}
  web:
    audience: https://web.acme.test
    hosts: [web.acme.test]
    credential: {cookie: session}
    anonymous: [{methods: [GET], paths: [/login], reason: whoever logs in has no session}]
  machine: {audience: https://machine.acme.test, hosts: [machine.acme.test], credential: {header: x-machine-token}}
  signposted:
    audience: https://signposted.acme.test
    hosts: [signposted.acme.test]
    resourceMetadata: https://signposted.acme.test/.well-known/oauth-protected-resource
grants:
  ci-reads:
    issuer: ci
    resource: api
    subject: robot-7
    methods: [GET]
    paths: [/v1/**]
    scopes: [read, list]
    forwardClaims: {repo: repository, run: run_number, guarded: ref_protected, teams: groups, never-there: absent_claim}
  ci-deploys: {issuer: ci, resource: api, subject: robot-7, methods: [GET, POST], paths: [/v1/deploy/**], scopes: [deploy, list]}
  ci-bare: {issuer: ci, resource: api, subject: robot-7, methods: [GET], paths: [/bare]}
  ci-main-only: {issuer: ci, resource: api, subject: robot-7, claims: {ref: refs/heads/main}, methods: [PUT], paths: [/v1/main]}
  ci-once: {issuer: ci, resource: api, subject: robot-7, methods: [GET], paths: [/once], replay: once}
  ci-was: {issuer: ci, resource: api, subject: robot-7, methods: [DELETE], paths: [/old], expires: 2021-01-01}
  ci-tried: {issuer: ci, resource: api, subject: robot-7, methods: [GET, PATCH], paths: [/v1/**], mode: shadow}
  ci-odd:
    issuer: ci
    resource: api
    subject: ["Zoë Ünal", "100% #1", "a#b%23c", "tilde~, comma", "π/ρ"]
    methods: [GET]
    paths: [/odd]
  ci-kept: {issuer: ci, resource: kept, subject: robot-7, methods: [GET], paths: any}
  ci-web: {issuer: ci, resource: web, subject: robot-7, methods: [GET], paths: any, forwardClaims: {elsewhere-only: x}}
  ci-machine: {issuer: ci, resource: machine, subject: robot-7, methods: [GET], paths: any}
  ci-signposted: {issuer: ci, resource: signposted, subject: robot-7, methods: [GET], paths: any}
  pinned-reads: {issuer: pinned, resource: api, subject: robot-7, methods: [GET], paths: [/v1/**]}
  ended-reads: {issuer: ended, resource: api, subject: robot-7, methods: [GET], paths: [/v1/**]}
  silent-reads: {issuer: silent, resource: api, subject: robot-7, methods: [GET], paths: [/v1/**]}
"#;

fn build() -> World {
    let (ci, pinned, ended, silent) = (Issuer::start(), Issuer::start(), Issuer::start(), Issuer::start());
    silent.fault(DISCOVERY, Some(Fault::Reset));
    let unpinned_key = Arc::new(Key::generate("unpinned", "ES256"));
    let pinned_key = pinned.key();
    pinned.publish(&[Arc::clone(&pinned_key), Arc::clone(&unpinned_key)]);
    let entry = |name: &str, issuer: &Issuer, more: &str| {
        format!("  {name}: {{issuer: \"{}\", owner: team@acme.test, reviewBy: 2099-01-01{more}}}\n", issuer.url())
    };
    let pin = format!(", pin: {{claims: {{tenant: acme}}, keys: [\"{}\"]}}", pinned_key.thumbprint());
    let issuers = [
        entry("ci", &ci, ""),
        entry("pinned", &pinned, &pin),
        entry("ended", &ended, ", expires: 2021-01-01"),
        entry("silent", &silent, ""),
    ];
    let table = Table::new(&format!("issuers:\n{}{PLACES}", issuers.concat()));
    let blocks = Blocks::new(&["thirteen: {subject: robot-13, reason: stolen}"]);
    let serve = || blocks::serve(table.path(), blocks.path()).keyless("silent").keyless("ended");
    let credence = serve().start();
    let talkative = serve().arg("--claim-headers").arg("--deny-detail").arg("reason").start();
    World { _blocks: blocks, credence, talkative, ci, pinned, ended, silent, unpinned_key, table }
}

/// `method` on `path` of the resource `api`, with a query string that nobody may learn.
pub(crate) fn api(method: &str, path: &str) -> Call {
    at(method, API, path)
}

/// `method` on `path` of the resource with this audience.
pub(crate) fn at(method: &str, audience: &str, path: &str) -> Call {
    Call::new(method, &format!("{audience}{path}?password={QUERY}"))
}

/// A token of this issuer that is right for the resource `api`, with a claim that nobody may learn.
pub(crate) fn good(issuer: &Issuer) -> Token {
    issuer.token(SUBJECT, API).claim("note", PRIVATE)
}

/// The JSON of the JOSE header (0) or the claims (1) of a compact token.
pub(crate) fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

/// What a token says of itself, as an answer may repeat it before the signature stood: each at most 256 bytes.
pub(crate) fn claimed(token: &str) -> Value {
    let (header, claims) = (part(token, 0), part(token, 1));
    let said = [("iss", &claims["iss"]), ("sub", &claims["sub"]), ("kid", &header["kid"]), ("alg", &header["alg"])];
    let cut = |text: &str| {
        text.chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 256).then_some(c)
            })
            .collect::<String>()
    };
    said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(cut(value.as_str()?))))).collect()
}

/// The pair of a token.
pub(crate) fn pair(token: &str) -> Value {
    let claims = part(token, 1);
    json!({"iss": claims["iss"], "sub": claims["sub"]})
}
