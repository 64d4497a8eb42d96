//! The world of these tests: issuers `own` (one key for each algorithm) and `other`, one credence.

use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use crate::support::answer::Answer;
use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::issuer::{Issuer, JWKS};
use crate::support::key::Key;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::visit::{Talks, Visit};

/// The subject that both issuers vouch for; only `own` may say so at the resource `api`.
pub(crate) const SUBJECT: &str = "system:worker";
/// Audience of the resource `api`.
pub(crate) const API: &str = "https://api.acme.test";
/// Audience of the neighbour, another resource of the same issuer.
pub(crate) const NEIGHBOUR: &str = "https://neighbour.acme.test";
/// Who may act for the subject at `/agent`.
pub(crate) const AGENT: &str = "agent:planner";
/// A tenant that every token of `pinned` must carry.
pub(crate) const TENANT: &str = "t-4711";

pub(crate) struct World {
    pub(crate) credence: Credence,
    pub(crate) own: Issuer,
    pub(crate) other: Issuer,
    pub(crate) pinned: Issuer,
    _table: Table,
}

impl Talks for World {
    fn said(&self) -> Vec<(&'static str, String)> {
        vec![("credence", self.credence.stderr())]
    }
}

pub(crate) fn world() -> Visit<World> {
    static WORLD: LazyLock<World> = LazyLock::new(build);
    Visit(&WORLD)
}

/// Algorithms of the issuer `own`.
pub(crate) const ALGORITHMS: [&str; 5] = ["ES256", "RS256", "PS256", "ES384", "EdDSA"];

fn build() -> World {
    let (own, other, pinned) = (Issuer::with(&ALGORITHMS), Issuer::with(&["ES256", "RS256"]), Issuer::start());
    let kept = "owner: team@acme.test, reviewBy: 2099-01-01";
    let table = Table::new(&format!(
        r#"issuers:
  own: {{issuer: "{}", {kept}}}
  other: {{issuer: "{}", {kept}}}
  pinned: {{issuer: "{}", pin: {{claims: {{tid: {TENANT}}}}}, tokenTypes: [at+jwt], {kept}}}
resources:
  api: {{audience: {API}, hosts: [api.acme.test]}}
  neighbour: {{audience: {NEIGHBOUR}, hosts: [neighbour.acme.test]}}
  header: {{audience: {API}/header, hosts: [header.acme.test], credential: {{header: x-token}}}}
grants:
  own-worker: {{issuer: own, resource: api, subject: "{SUBJECT}", methods: [GET, POST], paths: [/v1/**]}}
  own-neighbour: {{issuer: own, resource: neighbour, subject: "{SUBJECT}", methods: [GET], paths: [/v1/**]}}
  own-parts: {{issuer: own, resource: api, subject: {{glob: "part:*:x"}}, methods: [GET], paths: [/parts]}}
  own-role: {{issuer: own, resource: api, subject: any, reason: a role is what counts here, claims: {{role: deployer, level: 7}}, methods: [GET], paths: [/roles]}}
  own-once: {{issuer: own, resource: api, subject: "{SUBJECT}", methods: [POST], paths: [/once/**], scopes: [once], replay: once}}
  own-often: {{issuer: own, resource: api, subject: "{SUBJECT}", methods: [POST], paths: [/once/often], scopes: [often]}}
  own-agent: {{issuer: own, resource: api, subject: "{SUBJECT}", actor: {{subject: "{AGENT}"}}, methods: [GET], paths: [/agent]}}
  own-agents: {{issuer: own, resource: api, subject: "{SUBJECT}", actor: {{subject: ["{AGENT}", "agent:other"], maxDepth: 2}}, methods: [GET], paths: [/agents]}}
  own-fleet: {{issuer: own, resource: api, subject: any, reason: whoever the fleet acts for, actor: {{subject: {{glob: "fleet/*"}}}}, methods: [GET], paths: [/fleet]}}
  own-header: {{issuer: own, resource: header, subject: "{SUBJECT}", methods: [GET], paths: [/v1/**]}}
  other-elsewhere: {{issuer: other, resource: neighbour, subject: "{SUBJECT}", methods: [GET], paths: [/v1/**]}}
  other-once: {{issuer: other, resource: api, subject: "{SUBJECT}", methods: [POST], paths: [/once/**], replay: once}}
  pinned-worker: {{issuer: pinned, resource: api, subject: "{SUBJECT}", methods: [GET], paths: [/v1/**]}}
"#,
        own.url(),
        other.url(),
        pinned.url(),
    ));
    let credence = Credence::serve(table.path()).start();
    World { credence, own, other, pinned, _table: table }
}

impl World {
    /// A token of `own` that is allowed at `api`.
    pub(crate) fn token(&self) -> Token {
        self.own.token(SUBJECT, API)
    }

    /// GET `/v1/x` at `api` with this token.
    pub(crate) fn ask(&self, token: impl Display) -> Answer {
        self.credence.check(&get().bearer(token))
    }

    /// The clean form is allowed, as exactly this pair.
    pub(crate) fn control(&self, token: impl Display) {
        let answer = self.ask(token);
        assert!(answer.allowed(), "the clean form is refused: {}", answer.reason());
        assert_eq!(answer.metadata()["principal"]["sub"], SUBJECT);
    }

    /// It is refused, for this reason, and nobody was asked for anything because of it; but that an unknown `kid` may
    /// make an issuer's key set be asked for again, within a budget (`tests/life/rotation.rs`).
    pub(crate) fn refuses(&self, token: impl Display, reason: &str, what: impl Display) {
        let fetches = self.fetches();
        let answer = self.ask(token);
        assert!(!answer.allowed(), "{what}: allowed");
        assert_eq!(answer.reason(), reason, "{what}");
        assert_eq!(self.fetches(), fetches, "{what}: caused a fetch");
    }

    pub(crate) fn fetches(&self) -> usize {
        [&self.own, &self.other, &self.pinned].map(|issuer| issuer.all_hits() - issuer.hits(JWKS)).iter().sum()
    }
}

/// The token, signed by this key and saying so.
pub(crate) fn by(token: Token, key: &Arc<Key>) -> Token {
    token.signed_by(key).header("alg", key.alg.as_str()).header("kid", key.kid.as_str())
}

/// The text without its last character.
pub(crate) fn shorter(text: &str) -> String {
    text.chars().take(text.chars().count() - 1).collect()
}

/// GET `/v1/x` at `api`.
pub(crate) fn get() -> Call {
    Call::get(&format!("{API}/v1/x"))
}
