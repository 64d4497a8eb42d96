//! Tables for real, and the lines that a server would log under them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::super::super::record::Record;
use super::super::{Origins, Table};
use crate::block::{Block, Blocks, Conditions};
use crate::clock::Time;
use crate::keys::LiveKeys;
use crate::keys::testing::{Signer, set};
use crate::name::{BlockName, Site};
use crate::observe::{Call, line};
use crate::path::{Rules, walk};
use crate::replay::Store;
use crate::request::{AuthzRequest, Headers};
use crate::table::{Permissions, Snapshot, SourceFile, Sources, compile};
use crate::trail::Strict;

pub(super) const NOW: f64 = 1_795_000_000.25;
/// Of issuers a and b; the third is nobody's.
pub(super) static SIGNERS: LazyLock<[Signer; 3]> = LazyLock::new(|| [Signer::ed(), Signer::ed(), Signer::ed()]);

/// Stand whatever the table is.
pub(super) static BLOCKS: LazyLock<Blocks> = LazyLock::new(|| {
    let of = |name: &str, conditions| Block {
        name: BlockName::new(name),
        site: Site { file: "blocks.yaml".into(), line: 1, column: 1 },
        conditions,
        expires: None,
        reason: "r".to_owned(),
    };
    let subject = Conditions { subject: Some("y".to_owned()), ..Conditions::default() };
    let entry = Conditions { issuer: Some("b".to_owned()), subject: Some("t".to_owned()), ..Conditions::default() };
    Blocks::build(vec![of("actor", subject), of("at-b", entry)])
});

/// The entries of a table, by section, each a line.
pub(super) type Model = [Vec<Option<String>>; 3];

pub(super) struct World {
    pub(super) snapshot: Snapshot,
    pub(super) origins: Origins,
}

impl World {
    pub(super) fn build(model: &Model) -> Result<Self, String> {
        let mut text = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n".to_owned();
        for (section, entries) in ["issuers", "resources", "grants"].iter().zip(model) {
            if entries.iter().any(Option::is_some) {
                text += &format!("{section}:\n");
            }
            for entry in entries.iter().flatten() {
                text += &format!("  {entry}\n");
            }
        }
        let files = vec![SourceFile::new("trust.yaml".to_owned(), text.clone())];
        let mut origins = HashMap::new();
        let now = Time::from_seconds(NOW);
        let compiled = compile(&Sources::from_files(files), &Permissions::default(), now, |need| {
            origins.insert((need.name.clone(), need.issuer.clone()), need.origin.clone());
            let signer = &SIGNERS[usize::from(need.issuer.as_str() != "https://a.test")];
            Arc::new(LiveKeys::fixed(set(&[signer.named("k")]), need.rules))
        });
        let report = compiled.report.render(false);
        Ok(Self { snapshot: compiled.snapshot.ok_or_else(|| format!("{text}{report}"))?, origins })
    }

    pub(super) fn table(&self) -> Table<'_> {
        Table { snapshot: &self.snapshot, origins: &self.origins }
    }

    /// The line of a call as the server writes it, read back.
    pub(super) fn decide(&self, call: &Asked, used: Used) -> Record {
        let headers = call.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let request = AuthzRequest {
            method: call.method,
            host: call.host,
            target: call.path,
            headers: Headers::new(headers, false),
            context: call.context.into_iter().map(|value| ("part", value)).collect(),
            ..AuthzRequest::default()
        };
        let time = Time::from_seconds(NOW);
        let since = if used == Used::Unknown { NOW } else { 0.0 };
        let store = Store::new(1 << 16, Time::from_seconds(since));
        let go = || {
            walk(
                Rules { table: &self.snapshot, blocks: &BLOCKS },
                &request,
                time,
                &mut Strict::default().spending(&store),
            )
        };
        if used == Used::Before {
            drop(go());
        }
        let walked = go();
        let mut bytes = Vec::new();
        let table = Some(crate::observe::Table { generation: 1, sha256: &self.snapshot.digest });
        let call =
            Call { time, decision_id: "id", duration_us: 1, status: 200, request: Some(&request), table, span: None };
        line(&mut bytes, &walked, call);
        Record::parse(&bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&bytes)))
    }
}

/// Whether the token of a call was used before, where that table was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    Never,
    Before,
    /// The store is younger than the token.
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: &'static str,
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) context: Option<&'static str>,
}
