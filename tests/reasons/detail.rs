//! What `--deny-detail` and `--claim-headers` add, and that nothing is added without them.

use serde_json::json;

use crate::expected::{class, refused};
use crate::world::{api, good, world};

#[test]
fn the_client_learns_the_precise_reason_only_where_the_operator_says_so() {
    let world = world();
    let calls = [
        ("no_token", api("GET", "/v1/x")),
        ("path_not_normalized", api("GET", "/v1//x")),
        ("pin_mismatch", api("GET", "/v1/x").bearer(good(&world.pinned))),
        ("grant_none", api("PUT", "/v1/x").bearer(good(&world.ci))),
        ("keys_unavailable", api("GET", "/v1/x").bearer(good(&world.silent))),
    ];
    for (reason, call) in calls {
        let told = world.talkative.check(&call);
        refused(&told, class(reason), class(reason).status, &json!({ "reason": reason }), None);
        let untold = world.credence.check(&call);
        refused(&untold, class(reason), class(reason).status, &json!({}), None);
        assert!(!untold.body().contains(reason));
    }
}

#[test]
fn claim_headers_carry_what_is_forwarded_and_of_that_only_what_fits_a_header() {
    let world = world();
    let token = good(&world.ci)
        .claim("repository", "acme/zoë 100%")
        .claim("run_number", 42)
        .claim("ref_protected", true)
        .claim("groups", json!(["a", "b"]));
    let call = api("GET", "/v1/x").bearer(token.mint());
    let headers = |answer: crate::support::answer::Answer| {
        let mut headers = answer.headers();
        headers.retain(|(name, _)| name.starts_with("x-credence-claim-"));
        headers.sort();
        (headers, answer.metadata()["claims"].clone())
    };
    let own = |name: &str, value: &str| (format!("x-credence-claim-{name}"), value.to_owned());
    let claims = json!({"repo": "acme/zoë 100%", "run": 42.0, "guarded": true});
    let expected = vec![own("guarded", "true"), own("repo", "acme/zo%C3%AB%20100%25"), own("run", "42")];
    assert_eq!(headers(world.talkative.check(&call)), (expected, claims.clone()));
    assert_eq!(headers(world.credence.check(&call)), (vec![], claims));
}

#[test]
fn a_forwarded_claim_that_the_token_does_not_have_leaves_no_gap_for_the_clients_own() {
    let world = world();
    let call = api("GET", "/v1/x").bearer(good(&world.ci).claim("repository", "").claim("run_number", json!(null)));
    for credence in [&world.credence, &world.talkative] {
        let answer = credence.check(&call.clone().header("x-credence-claim-repo", "acme/forged"));
        assert!(answer.allowed());
        assert_eq!(answer.metadata()["claims"], json!({}));
        for name in ["repo", "run", "guarded", "teams", "never-there"] {
            let header = format!("x-credence-claim-{name}");
            assert_eq!(answer.header(&header), None);
            assert!(answer.removed().contains(&header), "{header}");
            assert!(answer.removed().contains(&header.replace('-', "_")), "{header}");
        }
    }
}
