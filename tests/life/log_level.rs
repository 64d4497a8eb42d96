//! The level of the program's own log, changed while it runs.

use std::time::Duration;

use credence::clock::{Clock, Time};
use serde_json::{Value, json};

use crate::support::call::Call;
use crate::support::credence::Credence;
use crate::support::http::{Request, Response};
use crate::support::issuer::Issuer;
use crate::support::table::Table;
use crate::support::{eventually, runtime};
use crate::world::{API, call, reason, table, token};

fn put(credence: &Credence, query: &str, body: &str) -> Response {
    Request::new("PUT", &format!("/loglevel{query}")).body(body).send(credence.admin_address())
}

fn show(credence: &Credence) -> Value {
    credence.admin("/loglevel").json()
}

fn level(credence: &Credence) -> String {
    show(credence)["level"].as_str().unwrap().to_owned()
}

#[test]
fn the_level_is_changed_for_a_while_and_comes_back_by_itself() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).start();
    let started = json!({"level": "info", "until": null, "at_start": "info"});
    assert_eq!(show(&credence), started);
    let hour = |since: Time| since.after(Duration::from_secs(3600)).to_rfc3339();
    let before = Clock::System.now();
    let changed = put(&credence, "?for=1h", "warn,credence=debug\n");
    let within = hour(before)..=hour(Clock::System.now());
    let until = changed.json()["until"].as_str().unwrap().to_owned();
    assert!(within.contains(&until), "{until} is not in {within:?}");
    assert_eq!(show(&credence), changed.json());
    assert_eq!((changed.status, level(&credence).as_str()), (200, "warn,credence=debug"));
    assert_eq!(changed.json()["at_start"], "info");
    // A connection that speaks no HTTP/2 is told of at this level only.
    let odd = || {
        _ = Request::get("/").try_send(credence.grpc().parse().unwrap());
    };
    eventually("a line of the new level", || {
        odd();
        credence.stderr().contains("DEBUG").then_some(())
    });
    assert_eq!(put(&credence, "?for=1s", "error").status, 200);
    assert!(credence.stderr().contains("level=\"error\" seconds=1"), "nobody silences the log unseen");
    eventually("the level of the start", || (show(&credence) == started).then_some(()));
    let stderr = credence.stderr();
    assert!(
        stderr.contains("the log level was changed on the admin listener level=\"warn,credence=debug\" seconds=3600"),
        "{stderr}"
    );
    assert!(stderr.contains("the log level is that of the start again"), "{stderr}");
    assert_eq!(reason(&credence, "own", &token(&ci)), "ok");
}

#[test]
fn what_is_no_level_changes_nothing() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).arg("--log-format=json").start();
    let huge = "x".repeat(4 << 10);
    for body in [
        "",
        "loud",
        "INFO",
        "credence",
        "debug\ninfo",
        "credence[{a=\"b\"}]=debug",
        "\u{1b}[31mdebug",
        &"a".repeat(300),
    ] {
        let answer = put(&credence, "", body);
        assert!(answer.status == 400 && !answer.text().contains('\u{1b}'), "{body:?}: {}", answer.text());
    }
    assert_eq!(put(&credence, "", &huge).status, 413);
    for query in ["?for=ever", "?for=0s", "?for=2d", "?level=debug"] {
        assert_eq!(put(&credence, query, "debug").status, 400, "{query}");
    }
    let by_page = Request::new("PUT", "/loglevel").header("origin", "http://127.0.0.1:9192").body("debug");
    assert_eq!(by_page.send(credence.admin_address()).status, 403);
    for (name, value) in
        [("host", "credence-admin.credence.svc:9192"), ("x-forwarded-for", "10.0.0.7"), ("via", "1.1 mesh")]
    {
        let by_proxy = Request::new("PUT", "/loglevel").header(name, value).body("off");
        assert_eq!(by_proxy.send(credence.admin_address()).status, 403, "{name}");
    }
    for method in ["POST", "DELETE", "PATCH", "OPTIONS"] {
        assert_eq!(Request::new(method, "/loglevel").send(credence.admin_address()).status, 405, "{method}");
    }
    assert_eq!(level(&credence), "info");
    assert!(credence.stderr().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn no_level_shows_a_token() {
    let ci = Issuer::start();
    let file = Table::new(&table(&ci, &["own"]));
    let credence = Credence::serve(file.path()).arg("--log-level=trace").start();
    let token = token(&ci);
    for call in [
        call("own", &token),
        call("own", &token).raw_headers(),
        Call::get(&format!("{API}/?t={token}")).bearer("x.y.z"),
    ] {
        let mut request = tonic::Request::new(call.message());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        runtime().block_on(async { credence.client().check(request).await }).unwrap();
    }
    let stderr = credence.stderr();
    assert!(stderr.contains("TRACE"), "{stderr}");
    for part in token.split('.') {
        assert!(!stderr.contains(part), "{part} in {stderr}");
    }
}
