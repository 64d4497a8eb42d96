//! Running a verb, and the table that the tests here explain by.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::credence::command;
use crate::support::issuer::Issuer;
use crate::support::table::Table;

/// Audience of the resource `api`; its host is the same without the scheme.
pub(crate) const API: &str = "https://api.acme.test";
/// The subject that the grants of [`table`] name.
pub(crate) const SUBJECT: &str = "repo:acme/payments";

/// How a verb ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Both streams.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Whether both streams are free of what moves a cursor or hides text.
    pub(crate) fn is_plain(&self) -> bool {
        let moves =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}');
        !self.all().chars().any(moves)
    }
}

/// Runs a prepared command with this on its standard input.
pub(crate) fn with_input(mut command: Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A verb that does not want all of it may have gone.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a verb.
pub(crate) fn run(args: &[&str]) -> Ended {
    with_input(command(args), "")
}

/// `credence explain` by this table, with the token on standard input.
pub(crate) fn explain(table: &Table, token: &str, more: &[&str]) -> Ended {
    let trust = table.path().display().to_string();
    let fixed = ["explain", "--trust", &trust, "--token-file", "-"];
    with_input(command(&[&fixed, more].concat()), token)
}

/// The table: the issuer, a resource with an open place and one by context, and several grants.
pub(crate) fn table(ci: &Issuer) -> Table {
    Table::new(&format!(
        r#"issuers:
  ci: {{issuer: "{}", owner: team@acme.test, reviewBy: 2099-01-01}}
resources:
  api:
    audience: {API}
    hosts: [api.acme.test]
    anonymous: [{{methods: [GET], paths: [/healthz], reason: probes carry no credential}}]
  refunds: {{audience: https://refunds.acme.test, context: {{resource: refunds}}}}
grants:
  deploy:
    issuer: ci
    resource: api
    subject: {SUBJECT}
    claims: {{ref: refs/heads/main}}
    methods: [POST]
    paths: [/v1/deploys/**]
    scopes: [deploy:payments]
  read: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [GET], paths: [/v1/**]}}
  old: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [DELETE], paths: [/v1/**], expires: 2020-01-01}}
  act: {{issuer: ci, resource: api, subject: {SUBJECT}, actor: {{subject: agent}}, methods: [GET], paths: [/act], scopes: [book]}}
  once: {{issuer: ci, resource: api, subject: {SUBJECT}, methods: [GET], paths: [/once], replay: once}}
  refund: {{issuer: ci, resource: refunds, subject: {SUBJECT}, methods: [POST], paths: any}}
"#,
        ci.url()
    ))
}
