//! Oathkeeper: its decision API, which Envoy asks by HTTP/1.1, with one rule: the `jwt` authenticator, key set from a
//! file, everybody allowed who is authentic, the subject in a header.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::{Belief, Program, free_port};
use crate::Outcome;
use crate::contestant::{Contestant, Speaks};
use crate::http1::Reply;
use crate::judge::SUBJECT;
use crate::support::process::Process;
use crate::support::scratch;
use crate::world::HOST;

pub(super) fn start(program: &Path, belief: &Belief) -> Outcome<Contestant> {
    let (needs, port) = (scratch(), free_port()?);
    let write = |name: &str, value: &Value| {
        let path = needs.path().join(name);
        std::fs::write(&path, value.to_string()).map(|()| path.display().to_string())
    };
    let (keys, rules) = (write("jwks.json", &belief.jwks)?, write("rules.json", &rules())?);
    let on = |port: u16| json!({"host": "127.0.0.1", "port": port});
    let config = write(
        "config.json",
        &json!({
            "serve": {"api": on(port), "proxy": on(free_port()?), "prometheus": on(free_port()?)},
            "log": {"level": "error"},
            "access_rules": {"repositories": [format!("file://{rules}")]},
            "errors": {"fallback": ["json"], "handlers": {"json": {"enabled": true}}},
            "authenticators": {"jwt": {"enabled": true, "config": {
                "jwks_urls": [format!("file://{keys}")], "trusted_issuers": [belief.issuer],
                "target_audience": [belief.audience], "allowed_algorithms": ["ES256", "RS256"]}}},
            "authorizers": {"allow": {"enabled": true}},
            "mutators": {"header": {"enabled": true, "config": {"headers": {SUBJECT: "{{ print .Subject }}"}}}},
        }),
    )?;
    let process = Process::start(program, ["serve", "--disable-telemetry", "--config", &config]);
    Ok(Contestant {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        pids: vec![process.pid()],
        speaks: Speaks::Http { reply: Reply::Decision, before: "/decisions" },
        running: Box::new(Program { process, _needs: needs }),
    })
}

fn rules() -> Value {
    json!([{
        "id": "bench",
        "match": {"url": format!("http://{HOST}/v1/<.*>"), "methods": ["GET", "POST"]},
        "authenticators": [{"handler": "jwt"}],
        "authorizer": {"handler": "allow"},
        "mutators": [{"handler": "header"}],
    }])
}
