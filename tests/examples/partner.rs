//! Scenario S3: a partner may call one service namespace. With Envoy Gateway it is told in tests/gateways.

use crate::files::credence;
use crate::traps::{allowed, refused};
use crate::world::directory;

#[test]
fn s3_the_partner_calls_its_namespace_by_both_hosts() {
    allowed("partner-namespace", "the partner submits an order");
    allowed("partner-namespace", "at the namespace's own host");
}

#[test]
fn s3_the_same_token_is_refused_at_the_neighbour_by_path_and_by_host() {
    for case in [
        "the same token at the neighbour by path",
        "the same token at the neighbour by host",
        "a token for both audiences is good in one namespace only",
    ] {
        let ran = refused("partner-namespace", case, "grant_none");
        assert_eq!(ran.log["resource"], "invoices", "{case}");
    }
}

#[test]
fn s3_a_place_that_is_neither_namespaces_is_nobodys() {
    refused("partner-namespace", "the namespace's path at the neighbour's host", "resource_unknown");
    refused("partner-namespace", "a path that begins like the namespace's", "resource_unknown");
    refused("partner-namespace", "a path that climbs over to the neighbour", "path_not_normalized");
}

#[test]
fn s3_the_table_for_envoy_gateway_holds_its_cases_without_a_finding() {
    let own = directory("partner-namespace").join("envoy-gateway");
    let (code, text) = credence("check", &own.join("trust.yaml"));
    assert!(code == 0 && !text.contains("error[") && !text.contains("warning["), "{text}");
    let (code, text) = credence("test", &own);
    assert!(code == 0 && text.contains(" passed") && !text.contains("no case is allowed"), "{text}");
}
