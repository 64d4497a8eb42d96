//! Who signs in the place of a table's issuers: fresh keys, served by us in the form in which each kind publishes its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use credence::keys::KeyFormat;
use credence::table::{KeyNeed, Snapshot};
use credence::trust::TrustedIssuer;
use serde_json::{Value, json};

use crate::support::issuer::Issuer;
use crate::support::key::Key;

/// The fields of an entry that say where its keys are, and how they are reached.
const WHERE: [&str; 6] = ["discoveryUrl", "jwksUri", "jwksFile", "spiffeBundleUrl", "caFile", "bearerTokenFile"];

/// One exact issuer of a table.
pub(crate) struct Signer {
    /// The entry.
    pub(crate) name: String,
    /// Its `iss`; of a trust domain `spiffe://NAME`.
    pub(crate) iss: String,
    pub(crate) realm: Option<String>,
    /// The key that it signs with.
    pub(crate) key: Arc<Key>,
    /// Published by another entry of the same `iss` too.
    pub(crate) shared: Option<Arc<Key>>,
    /// Its own, under a `kid` that another entry of the same `iss` gives to a key of its own.
    pub(crate) namesake: Option<Arc<Key>>,
    /// Of all issuers of its entry: published with `{tenantid}` in the place of the tenant.
    pub(crate) common: Option<Arc<Key>>,
    /// Published in its bundle, for X.509.
    pub(crate) x509: Option<Arc<Key>>,
    /// What the header of its tokens says.
    kind: String,
    /// The thumbprints that the table pins, each with the key that takes its place: the first is the one in use, the
    /// others are announced and not published yet.
    pub(crate) pins: Vec<(String, Arc<Key>)>,
    source: Arc<Source>,
}

/// Where the keys of one entry are.
struct Source {
    server: Issuer,
    bundle: bool,
    jwks: Mutex<Vec<Value>>,
}

impl Source {
    fn publish(&self, jwk: Value) {
        let mut jwks = self.jwks.lock().unwrap();
        if !jwks.contains(&jwk) {
            jwks.push(jwk);
        }
        self.server.publish_also(jwks.clone());
    }
}

impl Signer {
    /// What the table and its profile say of the tokens.
    fn learn(&mut self, snapshot: &Snapshot) {
        let is_it = |one: &&TrustedIssuer| one.name.as_str() == self.name && one.issuer.as_str() == self.iss;
        let known = snapshot.issuers.iter().find(is_it).unwrap();
        let mut kinds = known.token_types.iter().map(|kind| kind.as_str());
        self.kind =
            if kinds.any(|kind| kind == "jwt") { "JWT" } else { known.token_types.iter().next().unwrap().as_str() }
                .to_owned();
        self.realm = known.realm.as_ref().map(ToString::to_string);
    }

    fn publish_all(&self) {
        let used_for = |key: &Key, member: &str, value: &str| {
            let mut jwk = key.jwk();
            jwk[member] = json!(value);
            jwk
        };
        match (&self.x509, &self.common) {
            // As a trust bundle does: each key says what it is for.
            (Some(x509), _) => {
                self.source.publish(used_for(&self.key, "use", "jwt-svid"));
                self.source.publish(used_for(x509, "use", "x509-svid"));
            }
            // As Entra does: one set for all tenants, in which each key says whose it is, or that it is everybody's.
            (None, Some(common)) => {
                self.source.publish(used_for(&self.key, "issuer", &self.iss));
                self.source.publish(used_for(common, "issuer", &template(&self.iss)));
            }
            (None, None) => self.publish(&self.key),
        }
        for key in [&self.shared, &self.namesake].into_iter().flatten() {
            self.publish(key);
        }
    }

    /// Publishes another key, as an issuer does that rotates, or one that was broken into.
    pub(crate) fn publish(&self, key: &Key) {
        self.source.publish(key.jwk());
    }

    /// `typ` of its tokens; `None` where they have none.
    pub(crate) fn kind(&self) -> Option<&str> {
        Some(self.kind.as_str()).filter(|kind| !kind.is_empty())
    }

    /// Whether a token of this `iss`, or without one of this `sub`, is of this issuer.
    pub(crate) fn is_meant(&self, iss: Option<&str>, sub: &str) -> bool {
        let in_domain = self.source.bundle && sub.strip_prefix(&self.iss).is_some_and(|path| path.starts_with('/'));
        in_domain || iss == Some(&self.iss)
    }
}

/// The signers of one table, in the order in which it asks for keys.
#[derive(Default)]
pub(crate) struct Signers(pub(crate) Vec<Signer>);

impl Signers {
    /// Takes in one exact issuer. Those of one entry publish in one place.
    pub(crate) fn add(&mut self, need: KeyNeed<'_>) {
        let (name, iss) = (need.name.as_str().to_owned(), need.issuer.as_str().to_owned());
        let bundle = matches!(need.origin.format, KeyFormat::SpiffeBundle(_));
        let fresh = || Source { server: Issuer::with(&[]), bundle, jwks: Mutex::default() };
        let source = self.0.iter().find(|other| other.name == name).map(|other| Arc::clone(&other.source));
        // RS256 is what every issuer of the examples may sign with.
        let key = Arc::new(Key::generate(&format!("{name}-{}", self.0.len()), "RS256"));
        let mut keys = std::iter::once(Arc::clone(&key))
            .chain((1..).map(|nth| Arc::new(Key::generate(&format!("{name}-next-{nth}"), "RS256"))));
        let pins = need.rules.pins.iter().flat_map(|pins| pins.iter());
        self.0.push(Signer {
            pins: pins.map(|pin| (pin.to_string(), keys.next().unwrap())).collect(),
            key,
            source: source.unwrap_or_else(|| Arc::new(fresh())),
            kind: String::new(),
            realm: None,
            shared: None,
            namesake: None,
            common: None,
            x509: bundle.then(|| Arc::new(Key::generate("x509", "RS256"))),
            name,
            iss,
        });
    }

    /// Publishes the keys, each in the form of its kind of issuer.
    pub(crate) fn publish(&mut self, snapshot: &Snapshot) {
        let of_one_iss = self.keys_of_several(|signer| &signer.iss, "both");
        let of_one_entry = self.keys_of_several(|signer| &signer.name, "common");
        for signer in &mut self.0 {
            signer.learn(snapshot);
            signer.shared = of_one_iss.get(&signer.iss).cloned();
            signer.namesake = signer.shared.as_ref().map(|_| Arc::new(Key::generate("one-name", "RS256")));
            signer.common = of_one_entry.get(&signer.name).cloned();
            signer.publish_all();
        }
    }

    /// A key for each text that several signers have in common.
    fn keys_of_several(&self, text: fn(&Signer) -> &String, kid: &str) -> BTreeMap<String, Arc<Key>> {
        let is_of_several = |one: &&Signer| self.0.iter().filter(|other| text(one) == text(other)).count() > 1;
        let texts: BTreeSet<_> = self.0.iter().filter(is_of_several).map(text).collect();
        texts.into_iter().map(|text| (text.clone(), Arc::new(Key::generate(kid, "RS256")))).collect()
    }

    /// The table with our key sources and pins in the place of those that nobody answers for, and with ends that the wall
    /// clock does not reach. Everything else stays as the example says it.
    pub(crate) fn rewrite(&self, text: &str) -> String {
        let mut out = String::new();
        let mut section = "";
        for line in text.lines() {
            // What a comment says does not matter here.
            let bare = line.split(" #").next().unwrap().trim_end();
            if let Some(end) = bare.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
                section = end;
            }
            if line.trim_start().starts_with("expires: ") {
                out += "    expires: 2099-12-31\n";
                continue;
            }
            let field = bare.strip_prefix("    ").and_then(|line| line.split(':').next());
            if section == "issuers" && field.is_some_and(|field| WHERE.contains(&field)) {
                continue;
            }
            out += &format!("{line}\n");
            let entry =
                bare.strip_prefix("  ").and_then(|line| line.strip_suffix(':')).filter(|_| section == "issuers");
            if let Some(signer) = self.0.iter().find(|signer| Some(signer.name.as_str()) == entry) {
                let field = if signer.source.bundle { "spiffeBundleUrl" } else { "jwksUri" };
                out += &format!("    {field}: {}\n", signer.source.server.jwks_uri());
            }
        }
        let mut entries: Vec<_> = self.0.iter().map(|signer| &signer.name).collect();
        entries.dedup();
        let urls = out.matches("    jwksUri: ").count() + out.matches("    spiffeBundleUrl: ").count();
        assert_eq!(urls, entries.len(), "an issuer is written in another form:\n{text}");
        for signer in &self.0 {
            for (pin, key) in &signer.pins {
                assert!(out.contains(pin), "{pin} is written in another form");
                out = out.replace(pin, &key.thumbprint());
            }
        }
        out
    }
}

/// The `iss` with `{tenantid}` in the place of its GUID.
fn template(iss: &str) -> String {
    let parts = iss.split('/').map(|part| if part.len() == 36 { "{tenantid}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
