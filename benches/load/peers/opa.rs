//! OPA-Envoy: one rule that calls `io.jwt.decode_verify` with the key set of the one issuer. Its token cache stays as it
//! is by default, which is off.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use super::{Belief, Program, free_port};
use crate::Outcome;
use crate::contestant::{Contestant, Speaks};
use crate::judge::{Expect, SUBJECT};
use crate::support::process::Process;
use crate::support::scratch;

pub(super) fn start(program: &Path, belief: &Belief) -> Outcome<Contestant> {
    let (needs, port) = (scratch(), free_port()?);
    let file = |name: &str| needs.path().join(name).display().to_string();
    let (config, policy) = (file("config.json"), file("policy.rego"));
    std::fs::write(&policy, rules(belief))?;
    let plugin = json!({"addr": format!("127.0.0.1:{port}"), "path": "bench/answer", "skip-request-body-parse": true});
    std::fs::write(&config, json!({"plugins": {"envoy_ext_authz_grpc": plugin}}).to_string())?;
    let fixed = ["run", "--server", "--addr", "127.0.0.1:0", "--log-level", "error", "--skip-version-check"];
    let process = Process::start(program, fixed.into_iter().chain(["--config-file", &config, &policy]));
    Ok(Contestant {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        pids: vec![process.pid()],
        speaks: Speaks::Grpc { yes: Expect::OtherAllow, no: Expect::OtherRefuse },
        running: Box::new(Program { process, _needs: needs }),
    })
}

fn rules(belief: &Belief) -> String {
    let Belief { issuer, audience, jwks } = belief;
    format!(
        r#"package bench

constraints := {{"cert": `{jwks}`, "iss": "{issuer}", "aud": "{audience}"}}

default answer := {{"allowed": false, "http_status": 401}}

answer := {{"allowed": true, "headers": {{"{SUBJECT}": claims.sub}}}} if {{
    ["Bearer", token] = split(input.attributes.request.http.headers.authorization, " ")
    [true, _, claims] = io.jwt.decode_verify(token, constraints)
}}
"#
    )
}
