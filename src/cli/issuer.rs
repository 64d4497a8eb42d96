//! `issuer probe`: who is at this URL, and what the table would have to say.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::open::given;
use super::output::{diagnostic, escaped_json, result, trouble};
use super::probe_report::Findings;
use super::probe_stanza::stanza;
use super::probe_story::Story;
use crate::claims::trust_domain;
use crate::clock::Clock;
use crate::fetch::{self, Surroundings};
use crate::keys::{Access, ClientCertificate, ServerIdentity};

/// Look at an issuer before it is trusted.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence issuer probe https://idp.acme.test/realms/b2b")]
pub(super) struct Issuer {
    #[command(subcommand)]
    verb: IssuerVerb,
}

#[derive(Debug, Subcommand)]
enum IssuerVerb {
    Probe(ProbeArguments),
}

/// Ask a URL who is there, and print an entry for the table.
///
/// Takes what is at hand: the `iss` of a token, the URL of a discovery document, of a key set or of a SPIFFE bundle.
/// Fetches at most three documents in the same way and within the same limits as the server would, and tells the exact
/// `issuer`, every key with its thumbprint, what is wrong with TLS or a clock, and an entry that is ready for `issuers:`.
/// Whether that issuer should be believed is for you to say: what answers at a URL proves nothing about it.
///
/// Exit code: 0 keys were found that can be used, 1 the issuer cannot be reached, is another than was typed or has no
/// usable key, 2 could not run.
#[derive(Debug, Args)]
#[command(after_help = "Example: credence issuer probe --ca-file cluster-ca.pem https://10.0.0.1:6443")]
struct ProbeArguments {
    /// The only certificate authorities believed, PEM, instead of the system's.
    #[arg(long, env = "CREDENCE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A file under `--secrets-dir` with a bearer token, sent to the host of the URL and to no other.
    #[arg(long, env = "CREDENCE_BEARER_TOKEN_FILE", value_name = "FILE", requires = "secrets_dir")]
    bearer_token_file: Option<PathBuf>,
    /// The SPIFFE ID that the server must prove under `--ca-file`, whatever its host is called (`https_spiffe`).
    #[arg(long, env = "CREDENCE_SPIFFE_ENDPOINT_ID", value_name = "ID", requires = "ca_file")]
    spiffe_endpoint_id: Option<String>,
    /// A client certificate, PEM, shown to the host of the URL and to no other.
    #[arg(long, env = "CREDENCE_CLIENT_CERT_FILE", value_name = "FILE", requires = "client_key_file")]
    client_cert_file: Option<PathBuf>,
    /// A file under `--secrets-dir` with its private key, PEM.
    #[arg(long, env = "CREDENCE_CLIENT_KEY_FILE", value_name = "FILE", requires_all = ["client_cert_file", "secrets_dir"])]
    client_key_file: Option<PathBuf>,
    /// The directory that secrets are read from.
    #[arg(long, env = "CREDENCE_SECRETS_DIR", value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
    /// An HTTP proxy, http://HOST:PORT, instead of what HTTPS_PROXY says.
    #[arg(long, env = "CREDENCE_PROXY", value_name = "URL")]
    proxy: Option<String>,
    /// For people, or for programs.
    #[arg(long, short, env = "CREDENCE_OUTPUT", value_enum, default_value_t = Output::Text)]
    output: Output,
    /// An `iss`, or the URL of a discovery document, a key set or a SPIFFE bundle.
    url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

pub(super) fn run(issuer: &Issuer) -> u8 {
    let IssuerVerb::Probe(arguments) = &issuer.verb;
    match probe(arguments) {
        Ok(code) => code,
        Err(error) => trouble(error),
    }
}

fn probe(arguments: &ProbeArguments) -> Result<u8, String> {
    let access = access(arguments)?;
    let mut surroundings = Surroundings::of_process();
    surroundings.secrets_dir = given(arguments.secrets_dir.as_ref());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let clock = Clock::System;
    let found = runtime.block_on(fetch::probe(&arguments.url, access.clone(), surroundings, &clock));
    let probe = found.map_err(|error| format!("{error}; expected https://HOST/PATH"))?;
    let findings = Findings::of(&arguments.url, &probe);
    let written = stanza(&probe, &findings, &access, clock.now());
    let story = Story { typed: &arguments.url, probe: &probe, findings: &findings, stanza: written };
    match arguments.output {
        Output::Text => {
            result(&story.text());
            let trouble = story.trouble();
            if !trouble.is_empty() {
                diagnostic(&trouble);
            }
        }
        Output::Json => {
            result(&escaped_json(&story.json()));
        }
    }
    Ok(story.code())
}

/// How the URL is asked.
fn access(arguments: &ProbeArguments) -> Result<Access, String> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let server = match text(&arguments.spiffe_endpoint_id) {
        None => ServerIdentity::Host,
        Some(id) if trust_domain(&id).is_some() => ServerIdentity::Spiffe(id),
        Some(id) => {
            return Err(format!(
                "--spiffe-endpoint-id {id:?} is not a SPIFFE ID: write it like spiffe://prod.example.com/spire/server"
            ));
        }
    };
    let client_certificate =
        match (given(arguments.client_cert_file.as_ref()), given(arguments.client_key_file.as_ref())) {
            (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key }),
            (None, None) => None,
            _ => {
                return Err("--client-cert-file and --client-key-file belong together: one of them is empty".to_owned());
            }
        };
    Ok(Access {
        ca_file: given(arguments.ca_file.as_ref()),
        server,
        bearer_token_file: given(arguments.bearer_token_file.as_ref()),
        client_certificate,
        proxy: text(&arguments.proxy),
    })
}
