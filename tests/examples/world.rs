//! One Envoy with a listener for each example, behind each a credence with that example's table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use credence::clock::Time;
use credence::json::Json;
use credence::keys::LiveKeys;
use credence::reason::{Class, Reason};
use credence::table::{Permissions, Presented, Sources, Vector, Vectors, compile};
use serde_json::{Value, json};

use crate::gate::Door;
use crate::signers::Signer;
use crate::signers::Signers;
use crate::support::credence::{Credence, Serve};
use crate::support::envoy::Envoy;
use crate::support::envoy_config::{Cluster, Listener};
use crate::support::http::Response;
use crate::support::table::Table;
use crate::support::token::Token;
use crate::support::upstream::{Echo, Upstream, grpc_upstream};
use crate::support::{eventually, now, root};

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
    signers: Signers,
    /// The example's, with keys of ours.
    pub(crate) table: Table,
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
    let world = World { envoy: Envoy::start(&listeners, &clusters), upstream, scenes };
    // A token that is used once was issued since the program began, whole seconds counted.
    let started = now();
    eventually("the next second", || (now() > started).then_some(()));
    world
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
    pub(crate) mark: String,
}

impl Ran {
    /// What filters behind credence see: its part of Envoy's dynamic metadata.
    pub(crate) fn metadata(&self) -> Value {
        WORLD.envoy.access(&self.mark)["metadata"]["credence"].clone()
    }
}

impl Scene {
    fn start(name: String) -> Self {
        Self::start_with(name, |serve| serve)
    }

    /// The example in a credence of its own, with more arguments.
    pub(crate) fn start_with(name: String, more: impl FnOnce(Serve) -> Serve) -> Self {
        let path = directory(&name).join("trust.yaml");
        let mut signers = Signers::default();
        let compiled = compile(&Sources::read(&path), &Permissions::default(), Time::from_seconds(0.0), |need| {
            signers.add(need);
            LiveKeys::unfetched(need.rules).into()
        });
        signers.publish(compiled.snapshot.as_ref().unwrap_or_else(|| panic!("{}", compiled.report.render(false))));
        let table = Table::raw(signers.rewrite(&std::fs::read_to_string(&path).unwrap()).as_bytes());
        let (vectors, report) = Vectors::read(&directory(&name).join("trust_test.yaml"));
        let vectors = vectors.unwrap_or_else(|| panic!("{}", report.render(false)));
        let credence = more(Credence::serve(table.path())).start();
        Self { name, credence, vectors, signers, table }
    }

    pub(crate) fn cases(&self) -> &[Vector] {
        &self.vectors.cases
    }

    pub(crate) fn case(&self, name: &str) -> &Vector {
        self.cases().iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{}: no case {name:?}", self.name))
    }

    /// Who signs for the entry with this name, or for one of the issuers that it stands for.
    pub(crate) fn signer(&self, name: &str) -> &Signer {
        self.signers.0.iter().find(|signer| signer.name == name).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    /// Who signs in the place of the table's issuers: one for each exact issuer.
    pub(crate) fn signers(&self) -> &[Signer] {
        &self.signers.0
    }

    /// Who signs the token of a case: whom it names, else the one that its claims name; the first of the table where
    /// nobody there is meant.
    pub(crate) fn signer_of(&self, case: &Vector) -> &Signer {
        let claims = self.claims(case).unwrap();
        let (iss, sub) = (claims["iss"].as_str(), claims["sub"].as_str().unwrap_or_default());
        let named = |signer: &&Signer| case.signer.as_deref().is_none_or(|name| name == signer.name);
        let meant = self.signers.0.iter().filter(named).find(|signer| signer.is_meant(iss, sub));
        meant.unwrap_or(&self.signers.0[0])
    }

    /// The name in the table of the issuer with this `iss`.
    pub(crate) fn issuer_name(&self, iss: &str) -> &str {
        &self.signers.0.iter().find(|signer| signer.iss == iss).unwrap().name
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

    /// The token of the case as its issuer writes and signs it.
    pub(crate) fn token(&self, case: &Vector) -> Option<Token> {
        let claims = self.claims(case)?;
        let signer = self.signer_of(case);
        let token = Token::new(&signer.key, "", "", "").raw_claims(claims.to_string());
        Some(match signer.kind() {
            Some(kind) => token.header("typ", kind),
            None => token.without_header("typ"),
        })
    }

    /// Sends the case through Envoy.
    fn send(&self, case: &Vector) -> Ran {
        self.send_as(case, self.token(case).map(|token| token.mint()))
    }

    /// Sends the request of a case that has a token with another one, bent or signed by whom the test wants.
    pub(crate) fn forge(&self, case: &str, bend: impl FnOnce(Token) -> String) -> Ran {
        let case = self.case(case);
        let ran = self.send_as(case, self.token(case).map(bend));
        if ran.echo.is_none() {
            turned_away(&case.name, &ran);
        }
        ran
    }

    fn send_as(&self, case: &Vector, token: Option<String>) -> Ran {
        let door =
            Door { listener: &self.name, envoy: &WORLD.envoy, upstream: &WORLD.upstream, credence: &self.credence };
        door.send(case, token.as_deref())
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
        let name = &case.name;
        let Some(claims) = self.claims(case) else { return nobody(case, echo, log) };
        let signer = self.signer_of(case);
        let (iss, sub) = (signer.iss.as_str(), claims["sub"].as_str().unwrap());
        let realm = signer.realm.as_ref();
        assert!(case.expect.allowed, "{name}: it reached the upstream");
        assert_eq!((echo.one("x-credence-issuer"), echo.one("x-credence-subject")), (iss, sub), "{name}");
        let within = realm.map(|realm| format!(";realm={realm}")).unwrap_or_default();
        assert_eq!(echo.one("x-credence-principal"), format!("{iss}{within}#{sub}"), "{name}");
        assert_eq!(echo.all("x-credence-realm"), realm.into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(log["realm"], json!(realm), "{name}");
        assert!(case.expect.iss.as_ref().is_none_or(|expected| expected == iss), "{name}: {iss}");
        assert!(case.expect.realm.is_none() || case.expect.realm.as_ref() == realm, "{name}: {realm:?}");
        // Whoever acts, is told as a pair too, by the word of the same issuer.
        let actor = claims["act"]["sub"].as_str();
        let told = |header: &str| echo.all(header).first().map(|value| (*value).to_owned());
        assert_eq!(told("x-credence-actor-subject").as_deref(), actor, "{name}");
        assert_eq!(told("x-credence-actor-issuer").as_deref(), actor.map(|_| iss), "{name}");
        let expected = actor.map(|actor| json!({"iss": iss, "sub": actor, "asserted_by": iss}));
        assert_eq!(log["actor"], json!(expected), "{name}");
        assert_eq!(echo.all("authorization"), [""; 0], "{name}");
        assert_eq!(log["principal"], json!({"iss": iss, "sub": sub}), "{name}");
        assert_eq!(log["issuer_name"], signer.name, "{name}");
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

/// A place that is open to all: the upstream sees who decided, and nobody's name.
fn nobody(case: &Vector, echo: &Echo, log: &Value) {
    let name = &case.name;
    assert!(case.expect.allowed && log["reason"] == "anonymous", "{name}: {log}");
    let names: Vec<_> = echo.identity_headers().into_iter().map(|(name, _)| name).collect();
    assert_eq!((names, echo.all("authorization").len()), (vec!["x-credence-decision-id"], 0), "{name}");
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
