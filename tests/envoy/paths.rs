//! Tricks with the request target against a grant for `/v1/**`, with Envoy's path normalisation off (its default).

use crate::support::http::Request;
use crate::support::upstream::Echo;
use crate::world::{API, API_HOST, SUBJECT, api, mark, world};

/// Each of these could be read as something outside `/v1/` by somebody behind the gateway.
const TRICKS: [&str; 44] = [
    "/v1/../admin",
    "/v1/..",
    "/v1/../../admin",
    "/v1/./../admin",
    "/v1/x/../../admin",
    "/v1/%2e%2e/admin",
    "/v1/%2E%2E/admin",
    "/v1/.%2e/admin",
    "/v1/%2e./admin",
    "/v1/%2e",
    "/v1/.",
    "/v1/./x",
    "/v1/..%2fadmin",
    "/v1/..%2Fadmin",
    "/v1%2f..%2fadmin",
    "/v1/%2f..%2f/admin",
    "/v1/x%2fy",
    "/v1/..%5cadmin",
    "/v1/..\\admin",
    "/v1/\\..\\admin",
    "/v1\\..\\admin",
    "/v1/..;/admin",
    "/v1/..;a=b/admin",
    "/v1/;/../admin",
    "/v1;/../admin",
    "/v1/x;y",
    "/v1/x%3by",
    "/v1//../admin",
    "/v1//x",
    "//v1/x",
    "//admin",
    "/v1/%00",
    "/v1/x%00.txt",
    "/v1/%0d%0aadmin",
    "/v1/%252e%252e/admin",
    "/v1/%25%32%65/admin",
    "/v1/%3f/../admin",
    "/v1/%23",
    "/v1/%c0%ae%c0%ae/admin",
    "/v1/%e0%80%ae/admin",
    "/v1/%u002e%u002e/admin",
    "/v1/%",
    "/v1/%2",
    "/v1/%61dmin",
];

#[test]
fn no_path_trick_gets_past_a_prefix_grant() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    for listener in ["plain", "raw", "open"] {
        for path in TRICKS {
            let mark = mark();
            let response = api("GET", path, &mark).bearer(&token).try_send(world.envoy.address(listener));
            let status = response.map(|response| response.status).unwrap_or(400);
            assert!(!world.upstream.saw(&mark), "{path} got through on {listener}");
            assert_eq!(status, 400, "{path} on {listener}");
        }
    }
}

#[test]
fn a_path_outside_the_grant_is_no_trick_and_no_way_in() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    for path in ["/", "/v1x", "/V1/x", "/admin", "/admin?/v1/x", "/v2/v1/x", "/%C3%A9"] {
        let mark = mark();
        let response = api("GET", path, &mark).bearer(&token).send(world.envoy.address("plain"));
        assert_eq!(response.status, 403, "{path}");
        assert!(!world.upstream.saw(&mark), "{path}");
    }
}

#[test]
fn honest_paths_below_the_prefix_pass_as_they_are() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    for path in [
        "/v1",
        "/v1/",
        "/v1/a/b/",
        "/v1/...",
        "/v1/a..b",
        "/v1/%C3%A9",
        "/v1/a%20b",
        "/v1/x?next=/../admin",
        "/v1/x?a=%2e%2e",
    ] {
        let echo = Echo::of(&api("GET", path, &mark()).bearer(&token).send(world.envoy.address("plain")));
        assert_eq!(echo.path(), path);
    }
}

#[test]
fn an_absolute_request_target_is_judged_by_its_own_host() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    let ask = |target: &str, host: &str| {
        let mark = mark();
        let request = Request::get(target).host(host).header("x-test-mark", &mark).bearer(&token);
        (request.send(world.envoy.address("plain")).status, world.upstream.saw(&mark))
    };
    assert_eq!(ask("http://elsewhere.acme.test/v1/x", API_HOST), (403, false));
    assert_eq!(ask(&format!("http://{API_HOST}/v1/x"), "elsewhere.acme.test"), (200, true));
}

#[test]
fn no_host_trick_reaches_the_resource() {
    let world = world();
    let token = world.ci.token(SUBJECT, API).mint();
    let hosts = [
        "api.acme.test.evil.test",
        "evil.test.api.acme.test",
        "xapi.acme.test",
        "api.acme.test.",
        "user@api.acme.test",
        "api.acme.test:0",
        "api.acme.test:70000",
        "api.acme.test:80:80",
        "api.acme.test,evil.test",
        "evil.test,api.acme.test",
        "[api.acme.test]",
        "api.acme.test%00",
        "api%2eacme%2etest",
    ];
    for host in hosts {
        let mark = mark();
        let forwarded = |request: Request| {
            request.header("x-forwarded-host", API_HOST).header("forwarded", format!("host={API_HOST}"))
        };
        let request = forwarded(Request::get("/v1/x").host(host).header("x-test-mark", &mark)).bearer(&token);
        let status = request.try_send(world.envoy.address("plain")).map(|response| response.status).unwrap_or(400);
        assert!(matches!(status, 400 | 403), "{host}: {status}");
        assert!(!world.upstream.saw(&mark), "{host}");
    }
    for host in ["API.acme.TEST", "api.acme.test:443"] {
        let request = Request::get("/v1/x").host(host).bearer(&token);
        assert_eq!(request.send(world.envoy.address("plain")).status, 200, "{host}");
    }
}
