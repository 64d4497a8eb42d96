//! From a refused token to a reviewed grant (S9), while the gateway runs.

use crate::gate::Gate;
use crate::support::eventually;
use crate::world::{directory, scene};

const CALL: &str = "the call that was refused";

#[test]
fn s9_the_reviewed_table_lets_the_refused_call_in_without_a_restart_and_nobody_else() {
    let scene = scene("onboarding");
    let before = std::fs::read_to_string(directory("onboarding").join("before.yaml")).unwrap();
    let gate = Gate::before(&before);
    let ran = gate.send(scene, CALL);
    assert!(ran.echo.is_none() && ran.response.status == 401, "{}", ran.log);
    assert_eq!(ran.log["reason"], "issuer_unknown");
    // What the page starts from: the log has what the token says of itself, and that it is no more than that.
    assert_eq!(ran.log["claimed"]["iss"], "https://token.actions.githubusercontent.com", "{}", ran.log);
    assert!(ran.log.get("principal").is_none() && ran.log.get("verified").is_none(), "{}", ran.log);

    gate.table.replace_raw(scene.table.text().as_bytes());
    let ran = eventually("the new table", || Some(gate.send(scene, CALL)).filter(|ran| ran.echo.is_some()));
    assert_eq!(ran.log["grants"], serde_json::json!(["payments-deploy-api"]), "{}", ran.log);
    assert_eq!(gate.credence.metric("credence_config_last_reload_successful{kind=\"table\"}"), Some(1.0));
    for (case, reason) in [
        ("another account on GitHub with the same names", "pin_mismatch"),
        ("a new repository that took over the old name", "grant_none"),
        ("another branch", "grant_none"),
        ("the same branch, started by what a stranger proposes", "grant_none"),
        ("the neighbour's service", "grant_none"),
        ("a token for somebody else", "audience_mismatch"),
    ] {
        let ran = gate.send(scene, case);
        assert!(ran.echo.is_none() && ran.log["reason"] == reason, "{case}: {}", ran.log);
    }
    // And back: trust that is taken away is gone within the next reload, remembered tokens too.
    gate.table.replace_raw(before.as_bytes());
    eventually("the old table", || gate.send(scene, CALL).echo.is_none().then_some(()));
}

#[test]
fn s9_the_table_of_the_example_is_what_was_there_and_eleven_lines() {
    let read = |name| std::fs::read_to_string(directory("onboarding").join(name)).unwrap();
    let (before, after) = (read("before.yaml"), read("trust.yaml"));
    let new: Vec<_> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
    let entries = new.iter().filter(|line| line.starts_with(' ')).count();
    assert_eq!((entries, new.len()), (11, 13), "eleven lines below two headings: {new:#?}");
}
