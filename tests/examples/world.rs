//! One Envoy with a listener for each example, behind each a credence with that example's table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use credence::clock::Time;
use credence::json::Json;
use credence::keys::LiveKeys;
use credence::reason::{Class, Reason};
use credence::request::split_url;
use credence::table::{Permissions, Presented, Sources, Vector, Vectors, compile};
use serde_json::{Value, json};

use crate::support::credence::Credence;
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::http::{Request, Response};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::upstream::{Echo, MARK, Upstream, grpc_upstream};
use crate::support::{now, root};

/// The examples that hold a table, sorted.
pub(crate) fn examples() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap());
    let names = entries.filter(|entry| entry.path().join("trust.yaml").exists());
    let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn directory(example: &str) -> PathBuf {
    root().join("examples").join(example)
}

/// One example that runs.
pub(crate) struct Scene {
    name: String,
    pub(crate) credence: Credence,
    vectors: Vectors,
    /// By exact `iss`: the name in the table, and who signs.
    issuers: BTreeMap<String, (String, Issuer)>,
    _table: Table,
}

struct World {
    envoy: Envoy,
    upstream: Upstream,
    scenes: BTreeMap<String, Scene>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let scenes: BTreeMap<_, _> = examples().into_iter().map(|name| (name.clone(), Scene::start(name))).collect();
    let upstream = Upstream::start();
    let listeners: Vec<_> = scenes.keys().map(|name| Listener::new(name, name)).collect();
    let mut clusters: Vec<_> =
        scenes.iter().map(|(name, scene)| Cluster::credence(name, scene.credence.grpc())).collect();
    clusters.push(Cluster::http1("echo", upstream.address()));
    clusters.push(Cluster::grpc("grpc", grpc_upstream()));
    World { envoy: Envoy::start(&listeners, &clusters), upstream, scenes }
});

/// The running example of this name.
pub(crate) fn scene(example: &str) -> &'static Scene {
    WORLD.scenes.get(example).unwrap_or_else(|| panic!("no example {example}"))
}

/// A case that went through Envoy.
pub(crate) struct Ran {
    pub(crate) response: Response,
    /// Its line of the decision log.
    pub(crate) log: Value,
    /// What the upstream saw, if it was let through.
    pub(crate) echo: Option<Echo>,
}

impl Scene {
    fn start(name: String) -> Self {
        let path = directory(&name).join("trust.yaml");
        let mut issuers = BTreeMap::new();
        let compiled = compile(&Sources::read(&path), &Permissions::default(), Time::from_seconds(0.0), |need| {
            // RS256 is what every issuer of the examples may sign with.
            let issuer = Issuer::with(&["RS256"]);
            issuers.insert(need.issuer.as_str().to_owned(), (need.name.as_str().to_owned(), issuer));
            LiveKeys::unfetched(need.rules).into()
        });
        assert!(compiled.snapshot.is_some(), "{}", compiled.report.render(false));
        let table = Table::raw(with_keys(&std::fs::read_to_string(&path).unwrap(), &issuers).as_bytes());
        let (vectors, report) = Vectors::read(&directory(&name).join("trust_test.yaml"));
        let vectors = vectors.unwrap_or_else(|| panic!("{}", report.render(false)));
        let credence = Credence::serve(table.path()).start();
        Self { name, credence, vectors, issuers, _table: table }
    }

    pub(crate) fn cases(&self) -> &[Vector] {
        &self.vectors.cases
    }

    pub(crate) fn case(&self, name: &str) -> &Vector {
        self.cases().iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{}: no case {name:?}", self.name))
    }

    /// The name in the table of the issuer with this `iss`.
    pub(crate) fn issuer_name(&self, iss: &str) -> &str {
        &self.issuers[iss].0
    }

    /// The claims of the case, issued now.
    pub(crate) fn claims(&self, case: &Vector) -> Option<Value> {
        let mut claims = json!(case.token.claims(Time::from_seconds(now() as f64), &uuid::Uuid::now_v7().to_string())?);
        // The times that a case writes out are meant from its own `now`.
        if let (Presented::Token { claims: written, .. }, Some(then)) = (&case.token, self.vectors.now) {
            for (name, time) in ["iat", "nbf", "exp"].map(|name| (name, written.get(name).and_then(Json::as_number))) {
                if let Some(time) = time {
                    claims[name] = json!(time - then.seconds() + now() as f64);
                }
            }
        }
        Some(claims)
    }

    /// The token of the case, signed by its issuer; by the first of the table where nobody there has this `iss`.
    fn token(&self, case: &Vector) -> Option<String> {
        let claims = self.claims(case)?;
        let iss = claims["iss"].as_str().unwrap_or_default();
        let (_, signer) = self.issuers.get(iss).unwrap_or_else(|| self.issuers.values().next().unwrap());
        let token = Token::new(&signer.key(), "", "", "").header("typ", "JWT");
        Some(token.raw_claims(claims.to_string()).mint())
    }

    /// Sends the case through Envoy.
    pub(crate) fn send(&self, case: &Vector) -> Ran {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("{}-{}", self.name, NEXT.fetch_add(1, Ordering::Relaxed));
        let ask = &case.request;
        assert!(ask.context.is_empty() && ask.route.is_none(), "{}: this Envoy's route sets neither", case.name);
        let (host, target) = split_url(&ask.url).unwrap();
        let mut request = Request::new(&ask.method, target).host(host).header(MARK, &mark);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let token = self.token(case);
        if let Some(token) = &token {
            request = request.bearer(token);
        }
        let response = request.send(WORLD.envoy.address(&self.name));
        let echo = WORLD.upstream.saw(&mark).then(|| Echo::of(&response));
        let id = match &echo {
            Some(echo) => echo.one("x-credence-decision-id").to_owned(),
            None => response.json()["decision_id"].as_str().unwrap().to_owned(),
        };
        let log = self.credence.decision(&id);
        if let Some(signature) = token.as_deref().and_then(|token| token.rsplit('.').next()) {
            assert!(!log.to_string().contains(signature), "the log holds the token: {log}");
        }
        Ran { response, log, echo }
    }

    /// Sends the case and compares everything that it expects with what Envoy, the upstream and the log show.
    pub(crate) fn holds(&self, case: &Vector) -> Ran {
        let (name, expect) = (&case.name, &case.expect);
        let ran = self.send(case);
        let decision = if expect.allowed { "allow" } else { "deny" };
        assert_eq!(ran.log["decision"], decision, "{name}: {}", ran.log);
        if let Some(reason) = expect.reason {
            assert_eq!(ran.log["reason"], reason, "{name}: {}", ran.log);
        }
        for (grant, failed) in &expect.near_misses {
            let told = ran.log["near_miss"].as_array().unwrap().iter().find(|miss| miss["grant"] == **grant);
            let told = told.unwrap_or_else(|| panic!("{name}: {grant} is no near miss in {}", ran.log));
            assert_eq!(
                &set(told["failed"].as_array().unwrap().iter().map(|name| name.as_str().unwrap())),
                failed,
                "{name}"
            );
        }
        match &ran.echo {
            Some(echo) => self.let_through(case, echo, &ran.log),
            None => turned_away(name, &ran),
        }
        ran
    }

    /// The upstream sees the pair, the grants and the scopes, once each, and no credential.
    fn let_through(&self, case: &Vector, echo: &Echo, log: &Value) {
        let (name, claims) = (&case.name, self.claims(case).unwrap());
        let (iss, sub) = (claims["iss"].as_str().unwrap(), claims["sub"].as_str().unwrap());
        assert!(case.expect.allowed, "{name}: it reached the upstream");
        assert_eq!((echo.one("x-credence-issuer"), echo.one("x-credence-subject")), (iss, sub), "{name}");
        assert_eq!(echo.one("x-credence-principal"), format!("{iss}#{sub}"), "{name}");
        assert_eq!(echo.all("authorization"), [""; 0], "{name}");
        assert_eq!(log["principal"], json!({"iss": iss, "sub": sub}), "{name}");
        assert_eq!(log["issuer_name"], self.issuer_name(iss), "{name}");
        for (header, separator, expected) in
            [("x-credence-grants", ',', &case.expect.grants), ("x-credence-scopes", ' ', &case.expect.scopes)]
        {
            if let Some(expected) = expected {
                let seen = echo.all(header).first().map_or_else(BTreeSet::new, |value| set(value.split(separator)));
                assert_eq!(&seen, expected, "{name}: {header}");
            }
        }
    }
}

/// The client learns the class of the refusal and the decision's id; the rest of the answer is the same for all.
fn turned_away(name: &str, ran: &Ran) {
    let reason = Reason::ALL.into_iter().find(|reason| ran.log["reason"] == reason.code()).unwrap();
    let class = reason.class();
    let response = &ran.response;
    assert_eq!(response.status, class.http_status(false), "{name}");
    assert_eq!(response.json(), json!({"error": class.error(), "decision_id": ran.log["decision_id"]}), "{name}");
    let challenge = match class {
        Class::Unauthorized => Some("Bearer realm=\"credence\"".to_owned()),
        Class::Unavailable => None,
        _ => Some(format!("Bearer realm=\"credence\", error=\"{}\"", class.error())),
    };
    assert_eq!(response.header("www-authenticate"), challenge.as_deref(), "{name}");
    // `date`, `server`, `content-length` and `connection` are Envoy's.
    let known = [
        "www-authenticate",
        "content-type",
        "cache-control",
        "retry-after",
        "date",
        "server",
        "content-length",
        "connection",
    ];
    let more: Vec<_> = response.headers.iter().filter(|(name, _)| !known.contains(&name.as_str())).collect();
    assert!(more.is_empty(), "{name}: more than the client needs: {more:?}");
}

fn set<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.map(str::to_owned).collect()
}

/// The table with a key source of ours for each issuer, and with ends that the wall clock does not reach.
fn with_keys(text: &str, issuers: &BTreeMap<String, (String, Issuer)>) -> String {
    let mut out = String::new();
    let mut section = "";
    for line in text.lines() {
        if let Some(end) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            section = end;
        }
        if line.trim_start().starts_with("expires: ") {
            out += "    expires: 2099-12-31\n";
            continue;
        }
        out += &format!("{line}\n");
        let entry = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')).filter(|_| section == "issuers");
        if let Some((_, issuer)) = issuers.values().find(|(name, _)| Some(name.as_str()) == entry) {
            out += &format!("    jwksUri: {}\n", issuer.jwks_uri());
        }
    }
    assert_eq!(out.matches("    jwksUri: ").count(), issuers.len(), "an issuer is written in another form:\n{text}");
    out
}
