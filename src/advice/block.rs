//! The block for a token that was stolen, and wider ones to choose from.

use std::fmt::Write as _;
use std::time::Duration;

use super::quoted;
use crate::clock::Time;
use crate::credential::ClaimedIssuer;
use crate::json::Json;
use crate::name::is_forbidden_character;

/// For so long after its `exp` no issuer's clock skew takes a token.
const AFTER_EXPIRY: Duration = Duration::from_secs(360);
/// What is to be written there stands with nobody but whoever saw what happened.
const REASON: &str = "replace this: which incident, and whom to ask before it is lifted";

/// One way to block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// What it stops, in a few words.
    pub stops: String,
    /// Its fields, in the order of writing.
    pub fields: Vec<(&'static str, String)>,
}

/// What a table's block could say about a token that nobody verified, narrowest first; none where it names no issuer.
pub fn alternatives(payload: &Json, key_id: Option<&str>, now: Time) -> Vec<Alternative> {
    let issuer = match ClaimedIssuer::of(payload) {
        Some(ClaimedIssuer::Issuer(issuer)) => issuer.to_owned(),
        Some(ClaimedIssuer::TrustDomain(domain)) => format!("spiffe://{domain}"),
        None => return Vec::new(),
    };
    let text = |name: &str| payload.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    let mut found = Vec::new();
    let mut add = |stops: String, field: Option<(&'static str, &str)>, expires: Option<Time>| {
        let mut fields = vec![("issuer", issuer.clone())];
        fields.extend(field.map(|(name, value)| (name, value.to_owned())));
        fields.extend(expires.map(|end| ("expires", end.to_string())));
        fields.push(("reason", REASON.to_owned()));
        // No token with such a character gets as far as a block, and no block can be written with it.
        if fields.iter().all(|(_, value)| !value.is_empty() && !value.chars().any(is_forbidden_character)) {
            found.push(Alternative { stops, fields });
        }
    };
    let ends = payload.get("exp").and_then(Json::as_number).map(|exp| Time::from_seconds(exp).after(AFTER_EXPIRY));
    // An end that no block can be written with is none: the token may live for ever.
    let ends = ends.filter(|end| Time::from_rfc3339(&end.to_string()).is_some());
    if let Some(jti) = text("jti") {
        add("this one token; ends when the token has".to_owned(), Some(("jti", jti)), ends);
    }
    if let Some(subject) = text("sub") {
        let stops = "every token of this subject, and every token in which it acts for somebody";
        add(stops.to_owned(), Some(("subject", subject)), None);
    }
    for actor in std::iter::successors(payload.get("act"), |actor| actor.get("act")) {
        if let Some(subject) = actor.get("sub").and_then(Json::as_str) {
            let stops = "every token of whoever acts here, and every token in which it acts for somebody";
            add(stops.to_owned(), Some(("subject", subject)), None);
        }
    }
    if let Some(key_id) = key_id {
        let stops = "every token of this issuer that this key verified: where the key leaked";
        add(stops.to_owned(), Some(("key", key_id)), None);
    }
    let stops = "every token of this issuer that was issued until now, or does not say when: where no key leaked";
    add(stops.to_owned(), Some(("issuedBefore", &now.to_string())), None);
    add("everything that this issuer signs".to_owned(), None, None);
    found
}

/// A file of blocks in which the first of them stands and the others are remarks.
pub fn document(name: &str, alternatives: &[Alternative]) -> String {
    let mut out = String::from(
        "# NOT VERIFIED: this is what the token says; anybody could have written it. Look it up in the decision log first.\n\
         # The narrowest block stands. For a wider one take its `# ` away, and remove those above it.\n\
         apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:\n",
    );
    for (at, alternative) in alternatives.iter().enumerate() {
        let mark = if at == 0 { "" } else { "# " };
        let _ = writeln!(out, "  # stops {}", alternative.stops);
        let _ = writeln!(out, "  {mark}{name}:");
        for (field, value) in &alternative.fields {
            let _ = writeln!(out, "  {mark}  {field}: {}", quoted(value));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{SourceFile, Sources, compile_blocks};

    const NOW: Time = Time::from_seconds(1_800_000_000.0);

    fn of(payload: &str) -> Vec<Alternative> {
        alternatives(&Json::parse(payload.as_bytes(), 16).unwrap(), Some("k1"), NOW)
    }

    #[test]
    fn the_narrowest_comes_first_and_stands() {
        let found = of(
            r#"{"iss": "https://a.test", "sub": "x: #y", "jti": "j\"1", "exp": 1800000300, "act": {"sub": "agent"}}"#,
        );
        let told: Vec<_> = found.iter().map(|one| one.fields[1].0).collect();
        assert_eq!(told, ["jti", "subject", "subject", "key", "issuedBefore", "reason"]);
        let text = document("stolen", &found);
        let sources = Sources::from_files([SourceFile::new("b.yaml", text.as_str())]);
        let compiled = compile_blocks(&sources, NOW, None);
        assert!(compiled.report.is_empty(), "{text}{}", compiled.report.render(false));
        let blocks = compiled.blocks.unwrap();
        let block = blocks.iter().next().unwrap();
        assert_eq!(block.conditions.token_id, Some(crate::claims::token_id("j\"1")));
        assert_eq!(block.expires, Some(Time::from_seconds(1_800_000_660.0)));
    }

    #[test]
    fn each_alternative_is_a_block() {
        let found = of(r#"{"iss": "https://a.test", "sub": "s", "jti": "j", "exp": 1800000300}"#);
        for one in &found {
            let text = document("stolen", std::slice::from_ref(one));
            let sources = Sources::from_files([SourceFile::new("b.yaml", text.as_str())]);
            let compiled = compile_blocks(&sources, NOW, None);
            assert_eq!(compiled.blocks.map(|blocks| blocks.len()), Some(1), "{text}");
        }
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn a_token_that_ends_when_no_date_can_be_written_is_blocked_for_good() {
        for exp in ["253402300799", "9007199254740991", "1e300", "-1e300"] {
            let found = of(&format!(r#"{{"iss": "https://a.test", "sub": "s", "jti": "j", "exp": {exp}}}"#));
            let sources = Sources::from_files([SourceFile::new("b.yaml", document("stolen", &found).as_str())]);
            let blocks = compile_blocks(&sources, NOW, None).blocks.unwrap_or_else(|| panic!("{exp}"));
            assert_eq!(blocks.iter().next().unwrap().expires, None, "{exp}");
        }
    }

    #[test]
    fn what_does_not_show_is_in_no_block_and_without_an_issuer_there_is_none() {
        let found = of("{\"iss\": \"https://a.test\", \"sub\": \"a\u{202e}b\", \"exp\": 1800000300}");
        assert!(found.iter().all(|one| one.fields.iter().all(|(name, _)| *name != "subject")));
        assert!(of(r#"{"sub": "s", "jti": "j"}"#).is_empty());
        let spiffe = of(r#"{"sub": "spiffe://prod.test/x"}"#);
        assert_eq!(spiffe[0].fields[0].1, "spiffe://prod.test");
    }
}
