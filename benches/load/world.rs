//! Tables and the callers that they let in: one small world, and large ones made of many like it.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::mint::{Signer, in_parallel};
use crate::request::Ask;
use crate::support::key::Key;

pub(crate) const AUDIENCE: &str = "https://api.bench.test";
pub(crate) const HOST: &str = "api.bench.test";
pub(crate) const PATH: &str = "/v1/orders/8f14e45f?expand=items";
const KEPT: &str = "owner: team@bench.test, reviewBy: 2099-01-01";
const REPOSITORY: &str = "acme/payments";

/// One issuer of ES256 tokens of about 450 bytes, one of RS256 tokens as GitHub Actions signs them (about 1,500 bytes),
/// one resource, and a grant for each.
pub(crate) struct World {
    pub(crate) es: Signer,
    pub(crate) rs: Signer,
    pub(crate) table: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (es, rs) = (plain("https://issuer.bench.test", "build-1"), actions());
        let issuers = format!(
            "{}  github: {{profile: github-actions, jwks: {}, pin: {{claims: {{repository_owner_id: \"9919\"}}}}, {KEPT}}}\n",
            issuer("plain", &es.iss, &[&es.key]),
            jwks(&[&rs.key])
        );
        let grants = format!(
            "{}  deployers: {{issuer: github, resource: orders, subject: \"{}\", claims: {{environment: production, ref: refs/heads/main}}, \
             methods: [GET, POST], paths: [/v1/orders/**], scopes: [\"orders:read\", \"orders:write\"]}}\n",
            grant("builders", "plain", "orders", "build-1", "env: production"),
            rs.sub
        );
        let table = table(&issuers, &resource("orders", HOST), &grants);
        Self { es, rs, table }
    }

    /// The same with a single issuer that has both keys: as easy as it can be made for authorizers that have to be told
    /// by hand which keys are whose.
    pub(crate) fn of_one_issuer() -> Self {
        let (es, rs) = (plain("https://issuer.bench.test", "build-1"), actions());
        let rs = Signer { iss: es.iss.clone(), ..rs };
        let issuers = issuer("plain", &es.iss, &[&es.key, &rs.key]);
        let grants = [("builders", "build-1", "env: production"), ("deployers", &rs.sub, "environment: production")]
            .map(|(name, subject, claims)| grant(name, "plain", "orders", &format!("\"{subject}\""), claims));
        let table = table(&issuers, &resource("orders", HOST), &grants.concat());
        Self { es, rs, table }
    }

    /// The short tokens' issuer alone: let in as often as they come at the usual path, and once below `/v1/single/`.
    pub(crate) fn of_one_use() -> Self {
        let (es, rs) = (plain("https://issuer.bench.test", "build-1"), actions());
        let often = grant("builders", "plain", "orders", "build-1", "env: production");
        let once = often.replace("builders", "singles").replace("/v1/orders/**]", "/v1/single/**], replay: once");
        let issuers = issuer("plain", &es.iss, &[&es.key]);
        let table = table(&issuers, &resource("orders", HOST), &(often + &once));
        Self { es, rs, table }
    }

    /// What the callers of this world ask for.
    pub(crate) fn ask() -> Ask {
        Ask::get(HOST, PATH)
    }
}

/// Signs short ES256 tokens with a key of its own.
pub(crate) fn plain(iss: &str, sub: &str) -> Signer {
    Signer {
        key: Arc::new(Key::generate("k1", "ES256")),
        iss: iss.into(),
        sub: sub.into(),
        claims: json!({"env": "production"}),
        typ: "at+jwt",
    }
}

/// Signs tokens with the claims that a workflow of GitHub Actions gets.
fn actions() -> Signer {
    let workflow = format!("{REPOSITORY}/.github/workflows/deploy.yml@refs/heads/main");
    let claims = json!({
        "actor": "octocat", "actor_id": "583231", "base_ref": "", "environment": "production",
        "event_name": "push", "head_ref": "", "job_workflow_ref": workflow,
        "job_workflow_sha": "dd87b9d5f6ae0a7a9d9a1c6dcd5f9d7f2f2d6d9e", "ref": "refs/heads/main", "ref_protected": "true",
        "ref_type": "branch", "repository": REPOSITORY, "repository_id": "74", "repository_owner": "acme",
        "repository_owner_id": "9919", "repository_visibility": "private", "run_attempt": "1", "run_id": "6150712354",
        "run_number": "10", "runner_environment": "github-hosted", "sha": "dd87b9d5f6ae0a7a9d9a1c6dcd5f9d7f2f2d6d9e",
        "workflow": "deploy", "workflow_ref": workflow, "workflow_sha": "dd87b9d5f6ae0a7a9d9a1c6dcd5f9d7f2f2d6d9e",
    });
    Signer {
        key: Arc::new(Key::generate("38826b17-6a30-5f9b-b169-8beb8202f723", "RS256")),
        iss: "https://token.actions.githubusercontent.com".into(),
        sub: format!("repo:{REPOSITORY}:environment:production"),
        claims,
        typ: "JWT",
    }
}

/// A world with many of one thing: its table, and who asks for what.
pub(crate) struct Large {
    pub(crate) table: Vec<String>,
    pub(crate) callers: Vec<Caller>,
}

/// Somebody who is let in at one place.
pub(crate) struct Caller {
    pub(crate) signer: Signer,
    pub(crate) audience: String,
    pub(crate) ask: Ask,
}

impl Caller {
    fn usual(signer: Signer) -> Self {
        Self { signer, audience: AUDIENCE.into(), ask: World::ask() }
    }
}

/// So many issuers, each with keys and a grant of its own, at one resource.
pub(crate) fn issuers(count: usize, keys_each: usize) -> Large {
    let signers = in_parallel(count, |n| {
        let signer = plain(&format!("https://issuer-{n:06}.bench.test"), "build-1");
        let more: Vec<Key> = (1..keys_each).map(|k| Key::generate(&format!("k{}", k + 1), "ES256")).collect();
        (signer, more)
    });
    let (mut entries, mut grants) = (String::new(), String::new());
    for (n, (signer, more)) in signers.iter().enumerate() {
        let keys: Vec<&Key> = std::iter::once(&*signer.key).chain(more).collect();
        entries.push_str(&issuer(&format!("i-{n:06}"), &signer.iss, &keys));
        grants.push_str(&grant(&format!("g-{n:06}"), &format!("i-{n:06}"), "orders", "build-1", "env: production"));
    }
    let callers = signers.into_iter().map(|(signer, _)| Caller::usual(signer)).collect();
    Large { table: table(&entries, &resource("orders", HOST), &grants), callers }
}

/// So many grants over a hundred issuers and as many resources as it takes: one grant for each pair.
pub(crate) fn grants_spread(count: usize) -> Large {
    let issuers = count.min(100);
    let resources = count.div_ceil(issuers);
    let signers: Vec<Signer> =
        (0..issuers).map(|n| plain(&format!("https://issuer-{n:06}.bench.test"), "build-1")).collect();
    let (mut entries, mut places, mut grants, mut callers) = (String::new(), String::new(), String::new(), Vec::new());
    for (n, signer) in signers.iter().enumerate() {
        entries.push_str(&issuer(&format!("i-{n:06}"), &signer.iss, &[&signer.key]));
    }
    for r in 0..resources {
        let host = format!("api-{r:06}.bench.test");
        places.push_str(&resource(&format!("r-{r:06}"), &host));
        for (n, signer) in signers.iter().enumerate() {
            let name = format!("g-{r:06}-{n:06}");
            grants.push_str(&grant(&name, &format!("i-{n:06}"), &format!("r-{r:06}"), "build-1", "env: production"));
            // A stride that visits every issuer and every resource.
            if (r * issuers + n) % (count / 10_000).max(1) == r % (count / 10_000).max(1) {
                let ask = Ask::get(&host, PATH);
                callers.push(Caller { signer: signer.clone(), audience: format!("https://{host}"), ask });
            }
        }
    }
    Large { table: table(&entries, &places, &grants), callers }
}

/// The table of so many issuers and grants, each issuer's at several of a thousand resources. Nobody asks anything of it.
pub(crate) fn crowd(issuers: usize, grants: usize) -> Vec<String> {
    const RESOURCES: usize = 1000;
    let key = Key::generate("k1", "ES256");
    let name = |n: usize| format!("i-{n:06}");
    let entries: String =
        (0..issuers).map(|n| issuer(&name(n), &format!("https://issuer-{n:06}.bench.test"), &[&key])).collect();
    let places: String =
        (0..RESOURCES).map(|r| resource(&format!("r-{r:06}"), &format!("api-{r:06}.bench.test"))).collect();
    let one = |n: usize| {
        // Each at another resource of its issuer.
        let (by, place) = (n % issuers, (n / issuers * 7 + n % issuers) % RESOURCES);
        grant(&format!("g-{n:06}"), &name(by), &format!("r-{place:06}"), "build-1", "env: production")
    };
    table(&entries, &places, &(0..grants).map(one).collect::<String>())
}

/// By what grants that are all at one issuer and one resource are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apart {
    Subject,
    Claim,
}

/// So many grants at one issuer and one resource.
pub(crate) fn grants_heaped(count: usize, apart: Apart) -> Large {
    let signer = plain("https://issuer.bench.test", "build-1");
    let (mut grants, mut callers) = (String::new(), Vec::new());
    for n in 0..count {
        let (subject, claims) = match apart {
            Apart::Subject => (format!("build-{n:06}"), "env: production".to_owned()),
            Apart::Claim => ("build-1".to_owned(), format!("env: production, ref: refs/heads/topic-{n:06}")),
        };
        grants.push_str(&grant(&format!("g-{n:06}"), "plain", "orders", &subject, &claims));
        if n % (count / 10_000).max(1) == 0 {
            let claims = json!({"env": "production", "ref": format!("refs/heads/topic-{n:06}")});
            callers.push(Caller::usual(Signer { sub: subject, claims, ..signer.clone() }));
        }
    }
    let entries = issuer("plain", &signer.iss, &[&signer.key]);
    Large { table: table(&entries, &resource("orders", HOST), &grants), callers }
}

/// Documents of these entries, one a line: further ones where one file would be larger than a table's may be.
fn table(issuers: &str, resources: &str, grants: &str) -> Vec<String> {
    const IN_ONE: usize = 50_000;
    let lines: Vec<&str> = grants.lines().collect();
    let mut parts = lines.chunks(IN_ONE).map(|part| format!("grants:\n{}\n", part.join("\n")));
    let first = format!("issuers:\n{issuers}resources:\n{resources}{}", parts.next().unwrap_or_default());
    std::iter::once(first).chain(parts).collect()
}

fn issuer(name: &str, iss: &str, keys: &[&Key]) -> String {
    format!("  {name}: {{issuer: \"{iss}\", jwks: {}, {KEPT}}}\n", jwks(keys))
}

/// A key set (RFC 7517 §5).
pub(crate) fn jwks(keys: &[&Key]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}

fn resource(name: &str, host: &str) -> String {
    format!("  {name}: {{audience: \"https://{host}\", hosts: [{host}], paths: [/v1/**]}}\n")
}

fn grant(name: &str, issuer: &str, resource: &str, subject: &str, claims: &str) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "  {name}: {{issuer: {issuer}, resource: {resource}, subject: {subject}, claims: {{{claims}}}, \
         methods: [GET, POST], paths: [/v1/orders/**], scopes: [\"orders:read\"]}}"
    );
    text
}
