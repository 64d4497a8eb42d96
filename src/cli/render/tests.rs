use std::sync::Arc;

use clap::Parser as _;
use saphyr::{LoadableYamlNode as _, Yaml};

use super::snippet::{EXAMPLE, piece};
use super::*;
use crate::clock::Time;
use crate::keys::LiveKeys;
use crate::table::{Permissions, SourceFile, Sources, compile};

const PLAIN: &str = "  api: {audience: api, hosts: [api.acme.test, \"ops.acme.test:8443\"]}\n";
const PICKED: &str = "  api: {audience: api, hosts: [api.acme.test]}
  payments: {audience: pay, context: {resource: payments, \"odd\": \"a: b # }\"}}
  orders: {audience: orders, route: {namespace: shop, name: orders}, context: {tier: gold}}
";

fn snapshot(resources: &str) -> Snapshot {
    let text = format!(
        "apiVersion: credence.dev/v1alpha1\nkind: TrustTable\nissuers:\n  ci: {{issuer: https://ci.test}}\nresources:\n{resources}"
    );
    let sources = Sources::from_files([SourceFile::new("trust.yaml", text)]);
    let now = Time::from_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let compiled = compile(&sources, &Permissions::default(), now, |need| Arc::new(LiveKeys::unfetched(need.rules)));
    let report = compiled.report.render(false);
    compiled.snapshot.unwrap_or_else(|| panic!("{report}"))
}

/// What the command line says beside `--to` and `--trust`.
#[derive(Debug, clap::Parser)]
struct Flags {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    tls: Tls,
}

fn flags(words: &str) -> Result<Flags, clap::Error> {
    Flags::try_parse_from(std::iter::once("render").chain(words.split_whitespace()))
}

fn rendered(to: Target, resources: &str, words: &str) -> Rendered {
    let Flags { names, tls } = flags(words).unwrap();
    names.check(to).and_then(|()| tls.check(to, &names)).unwrap();
    of(to, &snapshot(resources), &names, &tls)
}

const ALL: [Target; 3] = [Target::Envoy, Target::EnvoyGateway, Target::Istio];

#[test]
fn everything_that_is_printed_is_yaml_and_the_same_each_time() {
    for to in ALL {
        for (resources, words) in [(PLAIN, ""), (PICKED, ""), (PLAIN, "--tls insecure"), (PICKED, "--tls insecure")] {
            let Rendered { text, .. } = rendered(to, resources, words);
            let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{to:?}: {error}\n{text}"));
            assert!(documents.iter().all(|document| document.is_mapping()), "{to:?}\n{text}");
            assert_eq!(documents.len(), 1 + text.matches("\n---\n").count(), "{text}");
            assert_eq!(text, rendered(to, resources, words).text);
            assert_eq!(text.contains("Questions travel without TLS"), words.contains("insecure"), "{text}");
        }
    }
}

#[test]
fn what_envoy_is_told_is_what_the_tested_example_says() {
    let Rendered { text, lost } = rendered(Target::Envoy, PLAIN, "--tls insecure --service 127.0.0.1");
    assert!(lost.is_empty());
    // Every line of the example that has to do with credence is there, in its order.
    let (listener, rest) = EXAMPLE.split_once("          normalize_path").unwrap();
    assert!(!listener.contains("credence_") && !rest.is_empty());
    let ours = EXAMPLE.lines().skip_while(|line| !line.contains("normalize_path"));
    let filter = ours.clone().take_while(|line| !line.contains("envoy.filters.http.router")).map(str::trim);
    let cluster = EXAMPLE.lines().skip_while(|line| *line != "  - name: credence");
    let cluster = cluster.take_while(|line| *line != "  - name: upstream").map(str::trim);
    let text = text.replace("\"127.0.0.1\"", "127.0.0.1");
    let mut printed = text.lines().map(str::trim);
    for line in filter.chain(cluster).filter(|line| !line.starts_with('#') && *line != "http_filters:") {
        assert!(printed.any(|other| other == line), "{line:?} is missing, or at another place\n{text}");
    }
    assert!(piece("- name: envoy.filters.http.ext_authz", 0).contains("decoder_header_mutation_rules"));
    assert!(!piece("- name: envoy.filters.http.ext_authz", 0).contains("router"));
}

#[test]
fn names_come_from_the_flags() {
    let words = "--service authz --namespace trust --port 7443 --server-name a.test";
    for (to, own, wanted) in [
        (
            Target::Envoy,
            "--ca-file /a/ca --client-cert-file /a/crt --client-key-file /a/key",
            &[
                "address: \"authz\"",
                "port_value: 7443",
                "type: STRICT_DNS",
                "sni: \"a.test\"",
                "exact: \"a.test\"",
                "trusted_ca: {filename: \"/a/ca\"}",
                "certificate_chain: {filename: \"/a/crt\"}",
                "private_key: {filename: \"/a/key\"}",
            ][..],
        ),
        (
            Target::EnvoyGateway,
            "--gateway edge --gateway-namespace gates --ca-secret authority --client-secret shown --envoy-proxy proxies",
            &[
                "name: \"authz\", namespace: \"trust\", port: 7443",
                "namespace: \"gates\"",
                "name: \"edge\"",
                "hostname: \"a.test\"",
                "kind: Secret, name: \"authority\"",
                "clientCertificateRef: {kind: Secret, name: \"shown\"}",
                "kind: EnvoyProxy\nmetadata: {name: \"proxies\", namespace: \"gates\"}",
                "kind: BackendTLSPolicy\nmetadata: {name: credence, namespace: \"trust\"}",
            ][..],
        ),
        (
            Target::Istio,
            "--gateway edge --gateway-namespace gates --client-secret shown",
            &[
                "service: authz.trust.svc.cluster.local",
                "host: authz.trust.svc.cluster.local",
                "port: 7443",
                "istio: \"edge\"",
                "credentialName: \"shown\"",
                "sni: \"a.test\"",
                "subjectAltNames: [\"a.test\"]",
            ][..],
        ),
    ] {
        let Rendered { text, .. } = rendered(to, PLAIN, &format!("{words} {own}"));
        for part in wanted {
            assert!(text.contains(part), "{to:?}: no {part:?} in\n{text}");
        }
        assert!(!text.contains("9191") && !text.contains("CHANGE"), "nothing is left to guess:\n{text}");
    }
    for bad in ["", "a b", "a}", "-a", "a\nb: c", "#"] {
        assert!(name(bad).is_err() && tls::path(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn what_no_flag_said_is_marked_with_the_flag_that_says_it() {
    let flags = ["--service", "--client-cert-file", "--client-key-file", "--ca-file", "--server-name"];
    let proxies = ["--gateway", "--gateway-namespace", "--ca-secret", "--envoy-proxy", "--client-secret"];
    let gateways = ["--gateway", "--gateway-namespace", "--client-secret"];
    for (to, flags) in [(Target::Envoy, &flags[..]), (Target::EnvoyGateway, &proxies), (Target::Istio, &gateways)] {
        let Rendered { text, .. } = rendered(to, PLAIN, "");
        let marks: String = text.lines().filter(|line| line.trim_start().starts_with("# CHANGE: ")).collect();
        for flag in flags {
            assert!(marks.contains(flag), "{to:?}: no {flag} in {marks}");
        }
        // Every guess stands below a mark.
        for guess in ["\"eg\"", "\"default\"", "istio-system", "ingressgateway", "credence-client", "/etc/envoy/"] {
            for object in text.split("\n---\n").filter(|object| object.contains(guess)) {
                assert!(object.contains("# CHANGE: ") || object.contains("kind: ReferenceGrant"), "{guess}: {object}");
            }
        }
    }
}

#[test]
fn each_gateway_is_told_of_mutual_tls_unless_there_is_to_be_none() {
    for (to, told) in [
        (Target::Envoy, &["UpstreamTlsContext", "match_typed_subject_alt_names", "tls_certificates"][..]),
        (Target::EnvoyGateway, &["kind: BackendTLSPolicy", "clientCertificateRef"]),
        (Target::Istio, &["kind: DestinationRule", "mode: MUTUAL", "subjectAltNames"]),
    ] {
        let (mutual, insecure) = (rendered(to, PLAIN, "").text, rendered(to, PLAIN, "--tls insecure").text);
        for part in told {
            assert!(mutual.contains(part) && !insecure.contains(part), "{to:?}: {part}\n{mutual}\n{insecure}");
        }
    }
    let socket = rendered(Target::Envoy, PLAIN, "--service unix:/run/credence/authz.sock").text;
    assert!(socket.contains("address: {pipe: {path: \"/run/credence/authz.sock\"}}"), "{socket}");
    assert!(!socket.contains("UpstreamTlsContext") && !socket.contains("9191"), "{socket}");
}

#[test]
fn a_name_that_yaml_takes_for_a_number_or_a_truth_stays_a_name() {
    for (to, own) in [
        (Target::Envoy, ""),
        (Target::EnvoyGateway, "--ca-secret NAME --client-secret NAME --envoy-proxy NAME"),
        (Target::Istio, "--client-secret NAME"),
    ] {
        let gateway = if to == Target::Envoy { "" } else { "--gateway NAME --gateway-namespace NAME" };
        let words = format!("--service NAME --namespace NAME --server-name NAME {gateway} {own}");
        let printed = |name: &str| rendered(to, PICKED, &words.replace("NAME", name)).text;
        let plain = printed("plain-name");
        assert!(plain.matches("plain-name").count() > 2, "{to:?}\n{plain}");
        for odd in ["1", "1.5", "0x1", "0o7", "1e3", "true", "null", "no", "y", "2026-11-21"] {
            let text = printed(odd);
            let (wanted, found) = (Yaml::load_from_str(&plain).unwrap(), Yaml::load_from_str(&text).unwrap());
            assert_eq!(wanted.len(), found.len());
            for (wanted, found) in wanted.iter().zip(&found) {
                same_but_for_the_name(wanted, found, odd, &text);
            }
            // `no`, `y` and dates are strings to this reader, not to those of YAML 1.1.
            for end in [",", "}", "]", "\n"].into_iter().filter(|_| matches!(odd, "no" | "y" | "2026-11-21")) {
                assert!(!text.contains(&format!(": {odd}{end}")), "{to:?}: {odd} is bare in\n{text}");
            }
        }
    }
}

/// One tree, whose strings have this name where the other has `plain-name`.
fn same_but_for_the_name(wanted: &Yaml<'_>, found: &Yaml<'_>, name: &str, text: &str) {
    if let (Some(wanted), Some(found)) = (wanted.as_mapping(), found.as_mapping()) {
        assert_eq!(wanted.len(), found.len(), "{name}\n{text}");
        for ((wanted_key, wanted), (found_key, found)) in wanted.iter().zip(found) {
            same_but_for_the_name(wanted_key, found_key, name, text);
            same_but_for_the_name(wanted, found, name, text);
        }
    } else if let (Some(wanted), Some(found)) = (wanted.as_sequence(), found.as_sequence()) {
        assert_eq!(wanted.len(), found.len(), "{name}\n{text}");
        wanted.iter().zip(found).for_each(|(wanted, found)| same_but_for_the_name(wanted, found, name, text));
    } else if let Some(wanted) = wanted.as_str() {
        assert_eq!(found.as_str(), Some(wanted.replace("plain-name", name).as_str()), "{found:?} in\n{text}");
    } else {
        assert_eq!(wanted, found, "{text}");
    }
}

#[test]
fn plain_envoy_asks_at_an_ipv6_address_as_at_any_other() {
    for spelled in ["::1", "[::1]", "0:0::1"] {
        let text = rendered(Target::Envoy, PLAIN, &format!("--service {spelled}")).text;
        assert!(text.contains("address: {socket_address: {address: \"::1\", port_value: 9191}}"), "{text}");
        assert!(text.contains("type: STATIC\n") && text.contains("exact: \"credence.credence.svc\""), "{text}");
    }
}

#[test]
fn the_authority_of_credences_certificate_may_be_in_a_configmap() {
    let text = rendered(Target::EnvoyGateway, PLAIN, "--ca-configmap authority").text;
    assert!(text.contains("    caCertificateRefs: [{group: \"\", kind: ConfigMap, name: \"authority\"}]"), "{text}");
    assert!(!text.contains("--ca-secret"), "{text}");
}

#[test]
fn the_page_for_envoy_shows_what_is_printed() {
    let page = include_str!("../../../docs/install/envoy.md");
    let command = page.split("$ credence render --to envoy ").nth(1).unwrap().split("```").next().unwrap();
    let words = command.replace("--trust trust.yaml", "").replace('\\', "");
    let Rendered { text, .. } = rendered(Target::Envoy, PLAIN, &words);
    let clusters = text.split_once("# Of static_resources:\n").unwrap().1;
    assert!(page.contains(&format!("```yaml\n{clusters}```")), "docs/install/envoy.md does not hold:\n{clusters}");
}

#[test]
fn a_flag_that_would_change_nothing_is_refused() {
    for (to, words, why) in [
        (Target::Envoy, "--client-secret a", "`--client-secret` is not of this gateway"),
        (Target::EnvoyGateway, "--ca-file /a", "come by `--client-secret`"),
        (Target::Istio, "--ca-secret a", "`--ca-secret` is not of this gateway"),
        (Target::Istio, "--envoy-proxy a", "`--envoy-proxy` is not of this gateway"),
        (Target::Istio, "--tls insecure --client-secret a", "leave it or `--tls insecure` out"),
        (Target::Envoy, "--service unix:/a --ca-file /b", "over a unix socket there is no TLS"),
        (Target::EnvoyGateway, "--service unix:/a", "is for plain Envoy"),
        (Target::Istio, "--ca-configmap a", "`--ca-configmap` is not of this gateway"),
        (Target::EnvoyGateway, "--service ::1", "is for plain Envoy"),
        (Target::Istio, "--service 192.0.2.1", "say the name of the Service"),
        (Target::Envoy, "--gateway a", "`--gateway` is of Envoy Gateway and Istio"),
        (Target::Envoy, "--gateway-namespace a", "`--gateway-namespace` is of Envoy Gateway and Istio"),
    ] {
        let Flags { names, tls } = flags(words).unwrap();
        let error = names.check(to).and_then(|()| tls.check(to, &names)).expect_err(words);
        assert!(error.contains(why), "{words}: {error}");
    }
    for bad in [
        "--service unix:relative",
        "--ca-file relative",
        "--tls none",
        "--server-name a_b",
        "--ca-secret a --ca-configmap b",
        "--service [::1]:9191",
        "--service [a]",
        "--service ::1%lo",
    ] {
        assert!(flags(bad).is_err(), "{bad}");
    }
}

#[test]
fn envoy_gateway_is_told_context_and_routes_where_resources_are_picked_by_them() {
    let plain = rendered(Target::EnvoyGateway, PLAIN, "").text;
    assert!(!plain.contains("includeRouteMetadata") && !plain.contains("contextExtensions"), "{plain}");
    let Rendered { text, lost } = rendered(Target::EnvoyGateway, PICKED, "");
    assert!(lost.is_empty());
    for part in [
        "includeRouteMetadata: true",
        "{name: \"resource\", type: Value, value: \"payments\"}",
        "{name: \"tier\", type: Value, value: \"gold\"}",
        "kind: HTTPRoute",
        "kind: ReferenceGrant",
        "namespace: \"shop\"",
        "failOpen: false",
        "{type: Prefix, value: x.credence}",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert_eq!(text.matches("kind: SecurityPolicy\nmetadata").count(), 3, "{text}");
}

#[test]
fn what_a_gateway_cannot_tell_is_said_for_each_resource() {
    let lost = |to| rendered(to, PICKED, "").lost;
    assert_eq!(lost(Target::Envoy).len(), 1);
    assert!(lost(Target::Envoy)[0].contains("orders"));
    let istio = lost(Target::Istio);
    assert!(istio.len() == 2 && istio[0].contains("Istio"), "{istio:?}");
}

#[test]
fn istio_asks_about_every_request_and_says_how_to_ask_about_the_tables_hosts_alone() {
    let Rendered { text, .. } = rendered(Target::Istio, PLAIN, "");
    assert!(text.contains("\n  rules: [{}]\n") && text.contains("NOT CHECKED AT ALL"), "{text}");
    let narrower =
        r#"  # rules: [{to: [{operation: {hosts: ["api.acme.test", "api.acme.test:*", "ops.acme.test:8443"]}}]}]"#;
    assert!(text.contains(narrower), "{text}");
    for others in ["  api: {audience: api, hosts: [\"*.acme.test\"]}\n", "  api: {audience: api, context: {a: b}}\n"] {
        let text = rendered(Target::Istio, others, "").text;
        assert!(text.contains("\n  rules: [{}]\n") && !text.contains("hosts: ["), "{text}");
    }
}

#[test]
fn istio_is_told_what_its_tested_example_says() {
    let text =
        rendered(Target::Istio, "  api: {audience: api, hosts: [ledger.acme.test, partners.acme.test]}\n", "").text;
    let (mesh, objects) = text.split_once("---\n").unwrap();
    assert_eq!(objects, include_str!("../../../examples/istio/credence.yaml"));
    let values = include_str!("../../../examples/istio/istiod-values.yaml");
    for line in mesh.lines().filter(|line| !line.starts_with('#')) {
        assert!(values.contains(&format!("\n  {line}\n")), "{line:?} is not in\n{values}");
    }
}
