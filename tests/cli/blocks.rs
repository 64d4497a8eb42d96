//! What the verbs say of blocks.

use serde_json::{Value, json};

use crate::support::blocks::{Blocks, document, serve};
use crate::support::credence::command;
use crate::support::issuer::Issuer;
use crate::support::small::{API, SUBJECT, entry, table_of, token, until};
use crate::support::table::Table;
use crate::world::{Ended, run, with_input};

struct World {
    ci: Issuer,
    table: Table,
    blocks: Blocks,
}

fn world(blocks: &[&str]) -> World {
    let ci = Issuer::start();
    let table = Table::new(&table_of(&entry("ci", &ci, ""), &[("always", "ci")]));
    World { ci, table, blocks: Blocks::new(blocks) }
}

impl World {
    fn paths(&self) -> (String, String) {
        (self.table.path().display().to_string(), self.blocks.path().display().to_string())
    }
}

const PIPELINE: &str = "pipeline: {issuer: ci, subject: deployer, reason: incident}";

#[test]
fn check_knows_blocks_by_their_kind_and_holds_them_against_the_table_beside_them() {
    let world = world(&[PIPELINE, "gone: {issuer: co, reason: incident}"]);
    let (table, blocks) = world.paths();
    for args in [
        vec!["check", &table, &blocks],
        vec!["check", &blocks, &table],
        vec!["check", "--trust", &table, &blocks],
        vec!["check", "--fail-on", "warning", &blocks, &table],
    ] {
        let ended = run(&args);
        assert_eq!(ended.code, i32::from(args.contains(&"--fail-on")), "{args:?} {}", ended.all());
        assert!(ended.out.contains(&format!("{blocks}: 2 blocks, sha256 ")), "{}", ended.all());
        assert_eq!(ended.err.matches("warning[CR404]").count(), 1, "{}", ended.all());
        assert!(ended.err.contains("block \"gone\" names an issuer that is not in the table"), "{}", ended.err);
    }
    let alone = run(&["check", &blocks]);
    assert_eq!((alone.code, alone.err.as_str()), (0, ""), "{}", alone.all());
    assert!(alone.out.contains("held against no table"), "{}", alone.out);
}

#[test]
fn check_refuses_blocks_with_a_slip_and_says_so_in_every_form() {
    let world = world(&["slip: {isuer: ci, reason: incident}"]);
    let (_, blocks) = world.paths();
    let ended = run(&["check", &blocks]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert!(ended.err.contains("did you mean `issuer`?"), "{}", ended.err);
    let json: Value = serde_json::from_str(&run(&["check", "-o", "json", &blocks]).out).unwrap();
    assert_eq!((&json["tables"][0]["ok"], &json["tables"][0]["findings"][0]["code"]), (&json!(false), &json!("CR001")));
    world.blocks.replace(&[]);
    let json: Value = serde_json::from_str(&run(&["check", "-o", "json", &blocks]).out).unwrap();
    assert_eq!((&json["tables"][0]["ok"], &json["tables"][0]["blocks"]), (&json!(true), &json!(0)));
}

#[test]
fn a_directory_with_both_kinds_is_both() {
    let world = world(&[PIPELINE]);
    std::fs::copy(world.blocks.path(), world.table.dir().join("blocks.yaml")).unwrap();
    let ended = run(&["check", &world.table.dir().display().to_string()]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.all());
    assert!(ended.out.contains("1 issuers") && ended.out.contains("1 blocks, sha256"), "{}", ended.out);
}

fn asked(world: &World, verb: &str, more: &[&str]) -> Ended {
    let (table, blocks) = world.paths();
    let url = format!("{API}/always/x");
    let args = [&[verb, "--trust", &table, "--blocks", &blocks], more, &["GET", &url]].concat();
    with_input(command(&args), &token(&world.ci))
}

#[test]
fn explain_names_the_block_and_the_line() {
    let world = world(&[PIPELINE]);
    for keys in [&["--token-file", "-"][..], &["--token-file", "-", "--offline"]] {
        let ended = asked(&world, "explain", keys);
        assert_eq!(ended.code, 1, "{}", ended.all());
        assert!(ended.out.starts_with("deny blocked: "), "{}", ended.out);
        let line = format!("block pipeline stands against it: incident  [{}:4:3]", world.blocks.path().display());
        assert!(ended.out.contains(&line), "{}", ended.out);
    }
    let ended = asked(&world, "explain", &["--token-file", "-", "-o", "json"]);
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&json["reason"], &json["block"]), (&json!("blocked"), &json!("pipeline")));
    world.blocks.replace(&["other: {issuer: ci, jti: other, reason: incident}"]);
    let (fetched, offline) = (["--token-file", "-"], ["--token-file", "-", "--offline"]);
    let unproven = "which key verified was not looked at";
    for (args, told) in [(&fetched[..], false), (&offline, true)] {
        let ended = asked(&world, "explain", args);
        assert!(ended.code == 0 && ended.out.contains("none of 1 blocks stands against it"), "{}", ended.all());
        assert_eq!(ended.out.contains(unproven), told, "{}", ended.out);
    }
}

#[test]
fn why_points_at_the_line_of_the_block_that_refused() {
    let world = world(&["other: {jti: x, reason: elsewhere}", PIPELINE]);
    let (table, blocks) = world.paths();
    let log = world.table.dir().join("decisions.jsonl").display().to_string();
    let credence = serve(world.table.path(), world.blocks.path()).decision_log(&log).start();
    let id = until(&credence, "always", &token(&world.ci), "blocked").decision_id();
    crate::support::eventually("the line", || std::fs::read_to_string(&log).ok().filter(|text| text.contains(&id)));
    let why = |more: &[&str]| run(&[&["why", &id, "--log", &log, "--trust", &table], more].concat());
    let told = why(&["--blocks", &blocks]);
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{}", told.all());
    assert!(told.out.starts_with("deny blocked"), "{}", told.out);
    assert!(told.out.contains(&format!("  pipeline  [{blocks}:5:3]\n  reason: incident\n")), "{}", told.out);
    let json: Value = serde_json::from_str(&why(&["--blocks", &blocks, "-o", "json"]).out).unwrap();
    assert_eq!(
        (&json["block"], &json["block_site"], &json["block_reason"]),
        (&json!("pipeline"), &json!(format!("{blocks}:5:3")), &json!("incident"))
    );
    assert!(why(&[]).out.contains("  pipeline  (give its file with --blocks"), "{}", why(&[]).out);
    world.blocks.replace(&[]);
    let lifted = why(&["--blocks", &blocks]);
    assert!(lifted.out.contains("  pipeline  [not in the blocks at hand"), "{}", lifted.out);
    world.blocks.replace(&["slip: {reason: incident}"]);
    assert_eq!(why(&["--blocks", &blocks]).code, 2);
}

#[test]
fn can_says_no_for_whoever_is_blocked_and_lists_say_that_they_do_not_ask() {
    let world = world(&[PIPELINE]);
    let ended = asked(&world, "can", &["--issuer", "ci", "--subject", SUBJECT]);
    assert_eq!((ended.code, ended.out.lines().next()), (1, Some("no: blocked, SIGNATURE ASSUMED")), "{}", ended.all());
    let ended = asked(&world, "who-can", &[]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(ended.err.contains("1 blocks are not taken off here"), "{}", ended.err);
}

#[test]
fn test_judges_its_cases_with_the_blocks() {
    let world = world(&["all: {issuer: ci, reason: incident}"]);
    let cases = format!(
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTableTest\ntable: trust.yaml\ncases:\n  - name: reads\n    \
         token: {{iss: \"{}\", sub: {SUBJECT}, aud: {API}}}\n    request: {{method: GET, url: {API}/always/x}}\n    \
         expect: {{decision: deny, reason: blocked}}\n",
        world.ci.url()
    );
    let file = world.table.dir().join("trust_test.yaml");
    std::fs::write(&file, cases).unwrap();
    let (file, blocks) = (file.display().to_string(), world.blocks.path().display().to_string());
    assert_eq!(run(&["test", "--blocks", &blocks, &file]).code, 0);
    assert_eq!(run(&["test", &file]).code, 1);
}

#[test]
fn blocks_that_do_not_load_stop_every_verb() {
    let world = world(&["slip: {reason: incident}"]);
    for (verb, more) in
        [("explain", &["--offline"][..]), ("can", &["--issuer", "ci", "--subject", "x"]), ("who-can", &[])]
    {
        let ended = asked(&world, verb, more);
        assert_eq!(ended.code, 2, "{verb}: {}", ended.all());
        assert!(ended.err.contains("block \"slip\" says not whom it stops"), "{verb}: {}", ended.err);
    }
}

#[test]
fn inspect_writes_a_block_that_stops_just_this_token() {
    let world = world(&[]);
    let stolen = token(&world.ci);
    let ended = with_input(command(&["inspect", "--block", "stolen", "--token-file", "-"]), &stolen);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.all());
    assert!(ended.out.starts_with("# NOT VERIFIED"), "{}", ended.out);
    assert!(!ended.out.contains(stolen.rsplit('.').next().unwrap()), "the token itself is not printed");
    let credence = serve(world.table.path(), world.blocks.path()).start();
    world.blocks.replace_raw(ended.out.as_bytes());
    until(&credence, "always", &stolen, "blocked");
    until(&credence, "always", &token(&world.ci), "ok");
    // Each of the others, without the marks, is a block as well.
    let second = ended.out.split("\n  # stops ").nth(2).unwrap().replace("\n  # ", "\n  ");
    let wider = format!("apiVersion: credence.dev/v1alpha1\nkind: TrustBlocks\nblocks:\n  # stops {second}\n");
    world.blocks.replace_raw(wider.as_bytes());
    until(&credence, "always", &token(&world.ci), "blocked");
}

#[test]
fn inspect_writes_no_block_from_what_does_not_show_and_none_under_a_name_that_is_none() {
    let world = world(&[]);
    let hidden = world.ci.token("a\u{202e}b\u{1b}[2J", API).claim("jti", "x\ny").mint();
    let ended = with_input(command(&["inspect", "--block", "stolen", "--token-file", "-"]), &hidden);
    assert!(ended.is_plain() && ended.code == 0, "{}", ended.all());
    assert!(!ended.out.contains("subject:") && !ended.out.contains("jti:"), "{}", ended.out);
    let ended = with_input(command(&["inspect", "--block", "No Name", "--token-file", "-"]), &hidden);
    assert_eq!(ended.code, 2, "{}", ended.all());
}

/// What is said where nothing is wrong with any one of them.
const DIFFER: &str = "the replicas that answer do not all have the same table and blocks";

#[test]
fn status_waits_until_every_replica_has_what_is_expected() {
    let world = world(&[]);
    let (table, blocks) = world.paths();
    let late = Blocks::new(&[]);
    let (one, two) =
        (serve(world.table.path(), world.blocks.path()).start(), serve(world.table.path(), late.path()).start());
    let urls = [&one, &two].map(|credence| format!("http://{}", credence.admin_address()));
    let status = |more: &[&str]| run(&[&["status", &urls[0], &urls[1]], more].concat());
    let ended = status(&["--expect", &table, "--expect", &blocks]);
    assert_eq!((ended.code, ended.out.matches("yes  http").count()), (0, 2), "{}", ended.all());

    world.blocks.replace(&[PIPELINE]);
    until(&one, "always", &token(&world.ci), "blocked");
    let ended = status(&["--expect", &blocks, "--timeout", "0"]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    let told = format!("NO   {}\n", urls[1]);
    assert!(ended.out.contains(&format!("yes  {}\n", urls[0])) && ended.out.contains(&told), "{}", ended.out);
    assert!(ended.out.contains("expected sha256"), "{}", ended.out);
    for more in [&[][..], &["--ready", "--timeout", "0"]] {
        let differ = status(more);
        assert_eq!((differ.code, differ.out.matches("yes  ").count()), (1, 2), "{}", differ.all());
        assert!(differ.all().contains(DIFFER), "{}", differ.all());
    }

    let waits = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| status(&["--expect", &blocks, "-o", "json"]));
        late.replace(&[PIPELINE]);
        waiting.join().unwrap()
    });
    assert_eq!(waits.code, 0, "{}", waits.all());
    let json: Value = serde_json::from_str(&waits.out).unwrap();
    assert_eq!((&json["as_expected"], &json["replicas"][1]["blocks"]["entries"]), (&json!(true), &json!(1)));

    late.replace_raw(b"kind: nonsense");
    let refused = crate::support::eventually("the refusal to be told", || {
        let ended = status(&["--timeout", "0", "--expect", &blocks]);
        ended.out.contains("the last change was not taken").then_some(ended)
    });
    assert_eq!(refused.code, 0, "it stands by what is expected: {}", refused.all());
}

#[test]
fn status_says_of_whom_there_is_no_answer_and_what_cannot_be_expected() {
    let world = world(&["slip: {reason: incident}"]);
    let (table, blocks) = world.paths();
    let nobody = run(&["status", "http://127.0.0.1:1", "--expect", &table, "--timeout", "0"]);
    assert_eq!(nobody.code, 1, "{}", nobody.all());
    assert!(nobody.out.contains("no answer: "), "{}", nobody.out);
    // One that is away differs from nobody.
    let none = Blocks::new(&[]);
    let credence = serve(world.table.path(), none.path()).start();
    let up = format!("http://{}", credence.admin_address());
    for urls in [&["http://127.0.0.1:1"][..], &["http://127.0.0.1:1", &up]] {
        let away = run(&[&["status"], urls].concat());
        assert_eq!((away.code, away.out.matches("no answer: ").count()), (1, 1), "{}", away.all());
        assert!(!away.all().contains("the replicas"), "{}", away.all());
    }
    let stranger = run(&["status", world.ci.url(), "--expect", &table, "--timeout", "0"]);
    assert_eq!(stranger.code, 1, "{}", stranger.all());
    assert!(stranger.out.contains("no answer of credence"), "{}", stranger.out);
    let slip = run(&["status", "http://127.0.0.1:1", "--expect", &blocks]);
    assert_eq!(slip.code, 2, "{}", slip.all());
    let twice = run(&["status", "http://127.0.0.1:1", "--expect", &table, "--expect", &table]);
    assert_eq!(twice.code, 2, "{}", twice.all());
    assert_eq!(run(&["status", "127.0.0.1:9192"]).code, 2);
    assert!(document(&[]).ends_with("{}\n"));
}
