use super::super::{Permissions, SourceFile, compile};
use super::*;

const HEAD: &str = "apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\n";

fn now() -> Time {
    Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap()
}

fn files(files: &[(&str, &str)]) -> Sources {
    Sources::from_files(files.iter().map(|(name, text)| SourceFile::new(*name, format!("{HEAD}{text}"))))
}

fn read(text: &str) -> CompiledBlocks {
    compile_blocks(&files(&[("blocks.yaml", text)]), now(), None)
}

fn codes(compiled: &CompiledBlocks) -> Vec<&'static str> {
    compiled.report.sorted().iter().map(|finding| finding.code().as_str()).collect()
}

fn table() -> Snapshot {
    let text = "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  \
                idp: {issuer: https://idp.acme.test, owner: a, reviewBy: 2099-01-01}\n";
    let sources = Sources::from_files([SourceFile::new("trust.yaml", text)]);
    let keys = |need: crate::table::KeyNeed<'_>| Arc::new(crate::keys::LiveKeys::unfetched(need.rules));
    compile(&sources, &Permissions::default(), now(), keys).snapshot.unwrap()
}

#[test]
fn a_block_is_read_whole() {
    let text = "blocks:\n  a:\n    issuer: https://idp.acme.test\n    subject: worker\n    key: k1\n    jti: x\n    \
                issuedBefore: 2026-11-21T11:00:00Z\n    expires: 2026-11-30\n    reason: incident\n";
    let compiled = read(text);
    assert!(compiled.report.is_empty(), "{}", compiled.report.render(false));
    let blocks = compiled.blocks.unwrap();
    let block = blocks.iter().next().unwrap();
    let Conditions { issuer, subject, key, token_id: id, issued_before } = &block.conditions;
    assert_eq!((issuer.as_deref(), subject.as_deref()), (Some("https://idp.acme.test"), Some("worker")));
    assert_eq!(key.as_ref().unwrap().key_id.as_str(), "k1");
    assert_eq!(*id, Some(token_id("x")));
    assert_eq!(*issued_before, Time::from_rfc3339("2026-11-21T11:00:00Z"));
    assert_eq!(block.expires, Time::from_rfc3339("2026-12-01T00:00:00Z"), "a date lasts to its end");
    assert_eq!((block.name.as_str(), block.reason.as_str(), block.site.line), ("a", "incident", 4));
}

#[test]
fn nobody_is_blocked_only_where_that_is_written_out() {
    assert!(read("blocks: {}\n").blocks.unwrap().is_empty());
    for cut_off in ["", "blocks:\n", "blocks: \n", "blocks: []\n", "blocks:\n  a:\n", "blocks:\n  a: {}\n"] {
        assert!(read(cut_off).blocks.is_none(), "{cut_off:?} lifts every block");
    }
}

#[test]
fn a_file_that_is_cut_off_inside_a_block_is_refused_or_stops_more() {
    let whole = "blocks:\n  a:\n    reason: incident\n    issuer: https://idp.acme.test\n    subject: worker\n";
    for (at, _) in whole.match_indices('\n') {
        let cut = read(whole.get(..=at).unwrap());
        let wide = cut.blocks.is_some_and(|blocks| {
            blocks.iter().all(|block| block.conditions.subject.is_none() || at + 1 == whole.len())
        });
        assert!(wide || cut.report.refuses(), "{:?}", whole.get(..=at));
    }
}

#[test]
fn what_stops_nobody_is_warned_of_and_stands() {
    let table = table();
    for (fields, warned) in [
        ("issuer: idp", false),
        ("issuer: https://idp.acme.test", false),
        ("issuer: idpp", true),
        ("issuer: https://idp.acme.test/", true),
        ("issuer: idp, expires: 2026-11-20", true),
        ("issuer: idp, expires: 2026-11-21", false),
        ("issuer: idp, key: sha256:short", true),
    ] {
        let text = format!("blocks: {{a: {{{fields}, reason: incident}}}}\n");
        let compiled = compile_blocks(&files(&[("blocks.yaml", &text)]), now(), Some(&table));
        assert_eq!(codes(&compiled) == ["CR404"], warned, "{fields}: {}", compiled.report.render(false));
        assert_eq!(compiled.blocks.unwrap().len(), 1, "{fields}");
    }
    let long = format!("blocks: {{a: {{issuer: idp, jti: {}, reason: incident}}}}\n", "x".repeat(513));
    assert_eq!(codes(&read(&long)), ["CR404"]);
    let blocks = read("blocks: {a: {issuer: gone, reason: r}, b: {issuer: idp, reason: r}}\n").blocks.unwrap();
    assert_eq!(unknown_issuers(&blocks, &table), ["block a [blocks.yaml:3:10]: no issuer of the table is \"gone\""]);
}

#[test]
fn what_stops_more_than_it_may_seem_is_warned_of() {
    for (fields, warned) in [
        ("subject: worker", true),
        ("subject: worker, issuer: idp", false),
        ("key: k1", true),
        ("key: k1, issuer: idp", false),
        ("key: \"sha256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\"", false),
        ("jti: x", false),
        ("issuer: idp", false),
        ("issuedBefore: 2026-11-20T00:00:00Z", true),
        ("issuedBefore: 2026-11-22T00:00:00Z", true),
        ("issuedBefore: 2026-11-22T00:00:00Z, issuer: idp", true),
        ("issuedBefore: 2026-11-20T00:00:00Z, issuer: idp", false),
        ("issuedBefore: 2026-11-22T00:00:00Z, issuer: idp, subject: a", false),
    ] {
        let compiled = read(&format!("blocks: {{a: {{{fields}, reason: incident}}}}\n"));
        assert_eq!(codes(&compiled) == ["CR405"], warned, "{fields}: {}", compiled.report.render(false));
        assert_eq!(compiled.blocks.unwrap().len(), 1, "{fields}");
    }
}

#[test]
fn a_file_that_vanished_from_a_directory_lifts_nothing() {
    let (a, b) = (("a.yaml", "blocks: {a: {jti: x, reason: r}}\n"), ("b.yaml", "blocks: {b: {jti: y, reason: r}}\n"));
    let lifted = |before: &[(&str, &str)], after: &[(&str, &str)]| {
        let (before, after) = (files(before), files(after));
        let (before, after) = (compile_blocks(&before, now(), None), compile_blocks(&after, now(), None));
        lifted_by_absence(&before.blocks.unwrap(), &after.blocks.unwrap(), &after.files, now()).errors()
    };
    assert_eq!(lifted(&[a, b], &[a]), 1);
    assert_eq!(lifted(&[a, b], &[a, b]), 0);
    assert_eq!(lifted(&[a, b], &[a, ("b.yaml", "blocks: {}\n")]), 0, "somebody wrote that");
    assert_eq!(lifted(&[a, b], &[a, ("c.yaml", "blocks: {b: {jti: y, reason: r}}\n")]), 0, "it moved");
    let ended = ("b.yaml", "blocks: {b: {jti: y, expires: 2026-11-01, reason: r}}\n");
    assert_eq!(lifted(&[a, ended], &[a]), 0, "it had ended");
}

#[test]
fn a_file_of_another_kind_is_passed_over_in_a_directory_only() {
    let table = SourceFile::new("trust.yaml", "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\n");
    let blocks = SourceFile::new("z.yaml", format!("{HEAD}blocks: {{a: {{jti: x, reason: r}}}}\n"));
    let both = Sources::from_files([table, blocks]);
    assert_eq!(Documents::of(&both), Documents { table: true, blocks: true });
    let compiled = compile_blocks(&both, now(), None);
    assert_eq!((compiled.blocks.unwrap().len(), compiled.files.len()), (1, 1));
    let alone = Sources::from_files([SourceFile::new("t.yaml", "apiVersion: x\nkind: TrustTable\n")]);
    assert!(compile_blocks(&alone, now(), None).blocks.is_none(), "a directory without blocks says nothing of them");
    let misspelt = Sources::from_files([SourceFile::new(
        "b.yaml",
        "apiVersion: credence.dev/v1alpha1\nkind: TrustBlock\nblocks: {}\n",
    )]);
    assert!(compile_blocks(&misspelt, now(), None).blocks.is_none());
}

#[test]
fn a_table_that_is_no_yaml_holds_back_no_blocks_in_its_directory_and_other_wrecks_do() {
    let blocks = SourceFile::new("z.yaml", format!("{HEAD}blocks: {{a: {{jti: x, reason: r}}}}\n"));
    let wreck = |text: &str| SourceFile::new("a.yaml", text);
    let with = |text: &str| {
        let blocks = SourceFile::new("z.yaml", blocks.text());
        compile_blocks(&Sources::from_files([wreck(text), blocks]), now(), None).blocks.map(|blocks| blocks.len())
    };
    assert_eq!(with("kind: TrustTable\nissuers: [nonsense\n"), Some(1));
    for text in [
        "issuers: [nonsense\n",
        "kind: TrustBlocks\nblocks: [nonsense\n",
        "kind: TrustTable\nkind: TrustBlocks\nx: [\n",
    ] {
        assert_eq!(with(text), None, "{text}");
    }
}

#[test]
fn a_name_in_two_files_is_refused() {
    let text = "blocks: {a: {jti: x, reason: r}}\n";
    let compiled = compile_blocks(&files(&[("a.yaml", text), ("b.yaml", text)]), now(), None);
    assert_eq!(codes(&compiled), ["CR004"]);
}
