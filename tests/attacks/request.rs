//! The request around the token: where it is, where it goes, and what else it says.

use credence::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};

use crate::support::call::Call;
use crate::world::{API, NEIGHBOUR, SUBJECT, get, world};

#[test]
fn two_credentials_however_they_are_sent() {
    let world = world();
    let (token, other) = (world.token().mint(), world.other.token(SUBJECT, API).mint());
    world.control(&token);
    let both = format!("Bearer {token},Bearer {other}");
    for call in [
        get().header("authorization", &both),
        get().header("authorization", format!("Bearer {token},")),
        get().header("authorization", format!(",Bearer {token}")),
        get().header("authorization", format!("Bearer {token}, Basic YTpi")),
        get()
            .raw_headers()
            .header("authorization", format!("Bearer {token}"))
            .header("authorization", format!("Bearer {other}")),
        get().raw_headers().header("Authorization", format!("Bearer {token}")).header("authorization", ""),
        get().raw_headers().header("authorization", &both),
    ] {
        let answer = world.credence.check(&call);
        assert_eq!((answer.reason().as_str(), answer.status()), ("multiple_tokens", 400));
    }
    assert!(world.credence.check(&get().raw_headers().bearer(&token)).allowed(), "one raw header is one");
}

#[test]
fn a_token_where_nobody_asked_for_one() {
    let world = world();
    let token = world.token().mint();
    for name in [
        "cookie",
        "proxy-authorization",
        "x-authorization",
        "x-access-token",
        "x-token",
        "x-forwarded-access-token",
        "x-auth-token",
        "authentication",
        "authorization2",
        "x-authorization-bearer",
    ] {
        for value in [
            format!("Bearer {token}"),
            token.clone(),
            format!("access_token={token}"),
            format!("authorization={token}"),
        ] {
            assert_eq!(world.credence.check(&get().header(name, value)).reason(), "no_token", "{name}");
        }
    }
    let in_query = Call::get(&format!("{API}/v1/x?access_token={token}"));
    assert_eq!(world.credence.check(&in_query).reason(), "no_token");
}

#[test]
fn another_scheme_or_odd_blanks() {
    let world = world();
    let token = world.token().mint();
    let reason = |value: &str| world.credence.check(&get().header("authorization", value)).reason();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(reason(&format!("{scheme} {token}")), "ok", "{scheme}");
    }
    for scheme in ["DPoP", "Basic", "Token", "JWT", "Negotiate", "Bearer:", "Bearer\u{a0}", "Bearerx"] {
        assert_eq!(reason(&format!("{scheme} {token}")), "no_token", "{scheme}");
    }
    for value in [
        format!("Bearer  {token}"),
        format!("Bearer {token} "),
        format!("Bearer {token} x"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer \"{token}\""),
    ] {
        assert_eq!(reason(&value), "malformed", "{value:.30}");
    }
    for value in [token.as_str(), ""] {
        assert_eq!(reason(value), "no_token");
    }
}

#[test]
fn a_resource_with_its_own_header_reads_no_other() {
    let world = world();
    let audience = format!("{API}/header");
    let token = world.own.token(SUBJECT, &audience).mint();
    let call = || Call::get("https://header.acme.test/v1/x");
    for value in [token.clone(), format!("Bearer {token}")] {
        assert!(world.credence.check(&call().header("x-token", value)).allowed());
    }
    assert_eq!(world.credence.check(&call().bearer(&token)).reason(), "no_token");
    assert_eq!(world.credence.check(&call().header("x-token", format!("{token},{token}"))).reason(), "multiple_tokens");
}

#[test]
fn path_tricks_against_a_granted_prefix() {
    let world = world();
    let token = world.own.token(SUBJECT, API).mint();
    let reason = |path: &str| world.credence.check(&get().target(path).bearer(&token)).reason();
    for path in
        ["/v1", "/v1/", "/v1/x", "/v1/x/", "/v1/x?a=../../admin", "/v1/x?b=//", "/v1/a%20b", "/v1/%C3%A4", "/v1/a:b@c"]
    {
        assert_eq!(reason(path), "ok", "{path}");
    }
    for path in [
        "/v1/../admin",
        "/v1/..",
        "/v1/.",
        "/v1/./x",
        "//v1/x",
        "/v1//x",
        "/v1/x//",
        "/v1/%2e%2e/admin",
        "/v1/%2E./admin",
        "/v1/.%2e/admin",
        "/v1/..%2fadmin",
        "/v1%2f..%2fadmin",
        "/v1/%2e%2e%2fadmin",
        "/v1/..;/admin",
        "/v1;x=1/y",
        "/v1/x;jsessionid=1",
        "/v1/\\..\\admin",
        "/v1\\x",
        "/v1/%5c..%5cadmin",
        "/v1/%00",
        "/v1/x%00.js",
        "/v1/%0d%0aSet-Cookie:x",
        "/v1/%252e%252e/admin",
        "/v1/%c0%ae%c0%ae/admin",
        "/v1/%e0%80%af",
        "/v1/%ff",
        "/v1/%",
        "/v1/%2",
        "/v1/%zz",
        "/v1/#x",
        "/v1/%23",
        "/v1/%3f",
        "/v1/x%3Ba",
        "/%76%31/x",
        "/v1/\u{e4}",
        "/v1/a b",
        "/v1/\t",
        "",
        "*",
        "v1/x",
        "https://api.acme.test/v1/x",
        "/v1/x%2F",
        "/v1/%2Fx",
    ] {
        assert_eq!(reason(path), "path_not_normalized", "{path:?}");
    }
    for path in ["/V1/x", "/v1x", "/v", "/", "/admin", "/v1:x", "/roles"] {
        assert_eq!(reason(path), "grant_none", "{path:?}");
    }
    assert_eq!(reason(&format!("/v1/{}", "a".repeat(9_000))), "path_not_normalized");
}

#[test]
fn host_tricks() {
    let world = world();
    let token = world.token().mint();
    let reason = |host: &str| world.credence.check(&get().host(host).bearer(&token)).reason();
    for host in ["api.acme.test", "API.acme.TEST", "api.acme.test:443", "api.acme.test:8080"] {
        assert_eq!(reason(host), "ok", "{host}");
    }
    for host in [
        "api.acme.test.",
        "api.acme.test.evil.test",
        "xapi.acme.test",
        "evil.test",
        "user@api.acme.test",
        "api.acme.test@evil.test",
        "api.acme.test,evil.test",
        "api.acme.test evil.test",
        "api.acme.test:0",
        "api.acme.test:65536",
        "api.acme.test:+443",
        "api.acme.test:443:443",
        "api.acme.test:",
        "api.acme.test/x",
        "api.acme.test#x",
        "api.acme.test?x",
        "api.acme.test\0",
        "\u{430}pi.acme.test",
        "%61pi.acme.test",
        "",
        "*",
        "api..acme.test",
        "[::1]",
        "api.acme.test\\x",
    ] {
        assert_eq!(reason(host), "resource_unknown", "{host:?}");
    }
}

#[test]
fn an_authority_a_path_or_a_method_that_contradicts_itself() {
    let world = world();
    let token = world.token().mint();
    assert_eq!(
        world
            .credence
            .check(
                &get()
                    .header(":authority", "api.acme.test")
                    .header(":path", "/v1/x")
                    .header(":method", "GET")
                    .bearer(&token)
            )
            .reason(),
        "ok"
    );
    for (name, value) in [
        (":authority", "neighbour.acme.test"),
        (":path", "/admin"),
        (":method", "DELETE"),
        (":authority", ""),
        (":path", "/v1/x?"),
    ] {
        let answer = world.credence.check(&get().header(name, value).bearer(&token));
        assert_eq!(answer.reason(), "malformed_request", "{name} {value:?}");
    }
}

#[test]
fn headers_that_name_another_host_url_or_method_have_no_effect() {
    let world = world();
    let token = world.token().mint();
    for (name, value) in [
        ("x-forwarded-host", "neighbour.acme.test"),
        ("forwarded", "host=neighbour.acme.test"),
        ("x-host", "evil.test"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("X_HTTP_METHOD_OVERRIDE", "DELETE"),
        ("x-envoy-original-path", "/admin"),
        ("x-forwarded-uri", "/admin"),
        ("x-forwarded-method", "DELETE"),
        ("x-forwarded-prefix", "/admin"),
    ] {
        let answer = world.credence.check(&get().header(name, value).bearer(&token));
        assert!(answer.allowed(), "{name}");
        let overrides = name.to_lowercase().replace('_', "-");
        if ["x-original-url", "x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override"]
            .contains(&overrides.as_str())
        {
            assert!(answer.removed().contains(&name.to_lowercase()), "{name} reaches the upstream");
        }
        // And they open nothing that the request line does not.
        let elsewhere =
            Call::new("DELETE", &format!("{API}/v1/x")).header("x-http-method-override", "GET").bearer(&token);
        assert_eq!(world.credence.check(&elsewhere).reason(), "grant_none");
    }
}

#[test]
fn methods_in_another_case_or_made_up() {
    let world = world();
    let token = world.token().mint();
    for method in ["get", "Get", "GET ", " GET", "HEAD", "CONNECT", "TRACE", "FOO", "GET\0", "*", "any"] {
        let call = Call::new(method, &format!("{API}/v1/x")).bearer(&token);
        assert_eq!(world.credence.check(&call).reason(), "grant_none", "{method:?}");
    }
    assert_eq!(
        world.credence.check(&Call::new("", &format!("{API}/v1/x")).bearer(&token)).reason(),
        "malformed_request"
    );
}

#[test]
fn a_question_without_attributes_or_about_a_plain_connection() {
    let world = world();
    for message in [CheckRequest::default(), CheckRequest { attributes: Some(AttributeContext::default()) }] {
        let answer = world.credence.check_message(message);
        assert_eq!((answer.reason().as_str(), answer.status()), ("malformed_request", 400));
    }
}

#[test]
fn headers_by_the_thousand() {
    let world = world();
    let token = world.token().mint();
    let crowd =
        |count: usize| (0..count).fold(get().bearer(&token), |call, number| call.header(&format!("x-{number}"), "v"));
    assert!(world.credence.check(&crowd(4_000)).allowed());
    assert_eq!(world.credence.check(&crowd(5_000)).reason(), "malformed_request");
}

#[test]
fn spoofed_identity_in_every_spelling_is_overwritten_or_removed() {
    let world = world();
    let names = [
        "x-credence-issuer",
        "x-credence-subject",
        "x-credence-principal",
        "x-credence-realm",
        "x-credence-scopes",
        "x-credence-grants",
        "x-credence-actor-issuer",
        "x-credence-actor-subject",
        "x-credence-decision-id",
        "x_credence_subject",
        "x_credence_principal",
        "x-credence_subject",
        "x.credence.subject",
        "X-Credence-Subject",
        "X_CREDENCE_SUBJECT",
        "x-credence-claim-role",
        "x-credence-anything",
    ];
    let call = names.iter().fold(get().bearer(world.token()), |call, name| call.header(name, "forged"));
    let answer = world.credence.check(&call);
    assert!(answer.allowed());
    for name in names {
        let name = name.to_lowercase();
        let set = answer.header(&name).is_some_and(|value| value != "forged");
        let removed = answer.removed().contains(&name);
        assert!(set != removed, "{name}: set {set}, removed {removed}");
    }
    // A caller of the neighbour gets the neighbour's pair, whatever it says.
    let there = Call::get(&format!("{NEIGHBOUR}/v1/x"))
        .header("x-credence-issuer", "forged")
        .bearer(world.other.token(SUBJECT, NEIGHBOUR));
    assert_eq!(world.credence.check(&there).header("x-credence-issuer").as_deref(), Some(world.other.url()));
}

#[test]
fn lines_in_the_log_that_a_caller_wrote() {
    let world = world();
    let forged = "x\n{\"schema\":\"credence.decision/v1\",\"decision\":\"allow\"}\u{1b}[2J\u{202e}";
    let answer = world.credence.check(&get().header("x-request-id", forged).bearer(world.token().claim("sub", forged)));
    let line = world.credence.decision(&answer.decision_id());
    assert_eq!((line["decision"].as_str(), line["reason"].as_str()), (Some("deny"), Some("claims_malformed")));
    assert!(
        world.credence.decisions().iter().all(|line| line["decision_id"].is_string()),
        "each line is a whole one of ours"
    );
}
