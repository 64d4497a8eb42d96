//! Values that could not work, or would undo what the chart promises: each is refused by its name, with what to write.

use crate::helm::Release;

/// Each of these values over this example is refused in these words.
fn refused(example: &str, cases: &[(&str, &[&str])]) {
    for (values, words) in cases {
        let refusal = Release::of(example).with(values).refusal();
        for word in *words {
            assert!(refusal.contains(word), "{values}: no {word:?} in {refusal}");
        }
    }
}

fn taken(example: &str, values: &[&str]) {
    for values in values {
        Release::of(example).with(values).render().container();
    }
}

#[test]
fn a_log_level_by_which_no_pod_would_start() {
    refused(
        "inline",
        &[
            ("config: {logLevel: foo}", &["`config.logLevel` has \"foo\"", "TARGET=LEVEL"]),
            ("config: {logLevel: \"info,credence=loud\"}", &["`config.logLevel` has \"credence=loud\""]),
            ("config: {logLevel: INFO}", &["`config.logLevel` has \"INFO\""]),
        ],
    );
    taken("inline", &["config: {logLevel: \"warn,credence::table=trace\"}"]);
}

#[test]
fn a_decision_log_that_cannot_be_written() {
    let nowhere: &[&str] = &["`config.decisionLog: /var/log/credence/d.jsonl`", "`extraVolumeMounts`", "`stdout`"];
    let log = "config: {decisionLog: /var/log/credence/d.jsonl}, extraVolumes: [{name: log, emptyDir: {}}]";
    let mounted = |mount: &str| format!("{{{log}, extraVolumeMounts: [{{name: log, mountPath: {mount}}}]}}");
    refused(
        "inline",
        &[
            ("config: {decisionLog: nonsense}", &["/config/decisionLog"]),
            ("config: {decisionLog: stderr}", &["/config/decisionLog"]),
            ("config: {decisionLog: /logs/}", &["/config/decisionLog"]),
            ("config: {decisionLog: /var/log/credence/d.jsonl}", nowhere),
            (&mounted("/var/log/cred"), nowhere),
            (&mounted("/var/log/credence, readOnly: true"), nowhere),
        ],
    );
    taken("inline", &["config: {decisionLog: \"off\"}", &mounted("/var/log/credence")]);
}

#[test]
fn a_peer_that_no_certificate_can_be() {
    refused(
        "inline",
        &[
            ("tls: {allowPeer: [\"*.acme.test\"]}", &["`tls.allowPeer` has \"*.acme.test\"", "no wildcards"]),
            ("tls: {allowPeer: [any, gateway.acme.test]}", &["`any` beside names"]),
            ("tls: {allowPeer: [\"SPIFFE://acme.test/x\"]}", &["no SPIFFE ID"]),
            ("tls: {allowPeer: [\"spiffe://acme.test/x/\"]}", &["no SPIFFE ID", "without a slash at the end"]),
            ("tls: {allowPeer: [\"spiffe://acme.test/../x\"]}", &["no SPIFFE ID"]),
            ("tls: {allowPeer: [192.0.2.7]}", &["an address proves nobody"]),
            ("tls: {allowPeer: [\"fd00::7\"]}", &["`tls.allowPeer` has \"fd00::7\""]),
            ("tls: {allowPeer: [gateway..acme]}", &["`tls.allowPeer` has \"gateway..acme\""]),
        ],
    );
    taken("inline", &["tls: {allowPeer: [\"dns:gateway.acme.test\", \"https://acme.test/gateway\", Gateway_1]}"]);
}

#[test]
fn a_certificate_that_would_be_renewed_before_it_is_there() {
    let manager = |text: &str| format!("tls: {{certManager: {{{text}}}}}");
    refused(
        "inline",
        &[
            (&manager("duration: 1h"), &["`tls.certManager.renewBefore: 720h`", "`tls.certManager.duration: 1h`"]),
            (&manager("duration: 90m, renewBefore: 1h30m"), &["is not less than"]),
            (&manager("duration: 59m59s"), &["`tls.certManager.duration: 59m59s`", "hour"]),
            (&manager("renewBefore: 4m"), &["`tls.certManager.renewBefore: 4m`", "5 minutes"]),
        ],
    );
    taken("inline", &[&manager("duration: 90m, renewBefore: 1h29m59s")]);
}

#[test]
fn a_name_or_a_label_that_kubernetes_would_refuse() {
    for (value, place) in [
        ("nameOverride=Foo", "/nameOverride"),
        ("fullnameOverride=Foo_Bar", "/fullnameOverride"),
        ("fullnameOverride=1st", "/fullnameOverride"),
        ("namespaceOverride=a.b", "/namespaceOverride"),
        ("image.tag=a b", "/image/tag"),
        ("image.repository=Acme/Credence", "/image/repository"),
        ("imagePullSecrets[0].name=A", "/imagePullSecrets/0/name"),
        ("trust.existingConfigMap=UPPER", "/trust/existingConfigMap"),
        ("trust.configMaps[0].name=a_b", "/trust/configMaps/0/name"),
        ("blocks.existingConfigMap=a..b", "/blocks/existingConfigMap"),
        ("tls.existingSecret=-a", "/tls/existingSecret"),
        ("tls.certKey=a/b", "/tls/certKey"),
        ("tls.clientCA.existingConfigMap=a-", "/tls/clientCA/existingConfigMap"),
        ("tls.certManager.issuerRef.name=A", "/tls/certManager/issuerRef/name"),
        ("replayStore.passwordSecret.name=A", "/replayStore/passwordSecret/name"),
        ("issuerSecrets.existingSecret=a b", "/issuerSecrets/existingSecret"),
        ("serviceAccount.name=A", "/serviceAccount/name"),
        ("priorityClassName=A", "/priorityClassName"),
        ("sidecar.gatewayContainer=", "/sidecar/gatewayContainer"),
        ("commonLabels.a=b c", "/commonLabels/a"),
        ("podLabels.a b=c", "/podLabels"),
        ("nodeSelector.a=-", "/nodeSelector/a"),
        ("podAnnotations.a b=c", "/podAnnotations"),
        ("podMonitor.sidecarSelector.a=b/c", "/podMonitor/sidecarSelector/a"),
    ] {
        let refusal = Release::of("inline").set(value).refusal();
        assert!(refusal.contains(place), "{value}: {refusal}");
    }
    // What comes of the name of the release.
    let refusal = Release::of("inline").called("1st").refusal();
    assert!(refusal.contains("called \"1st-credence\"") && refusal.contains("`fullnameOverride`"), "{refusal}");
    taken(
        "inline",
        &[
            "commonLabels: {acme.test/team: \"\", a_b: \"1.0\"}",
            "{fullnameOverride: c, tls: {existingSecret: a.b-1}}",
            "image: {repository: \"localhost:5000/a__b/c-d\", tag: _1.0-rc.1}",
        ],
    );
}

#[test]
fn one_port_for_two_listeners() {
    let same: &[&str] = &["`listen.grpcPort` and `listen.adminPort` are both 9191", "change one"];
    refused("inline", &[("listen: {adminPort: 9191}", same)]);
    // Over a socket there is one port only.
    taken("daemonset-socket", &["listen: {adminPort: 9191}"]);
}

#[test]
fn a_flag_that_the_chart_writes_by_itself() {
    let twice: &[&str] = &["`extraArgs` has --log-level,", "a flag twice ends the program"];
    refused("inline", &[("extraArgs: [--log-level=debug]", twice), ("extraArgs: [--log-level]", twice)]);
    taken("inline", &["extraArgs: [--service-account-dir=/x]"]);
}

#[test]
fn more_memory_for_tokens_than_the_container_may_have() {
    let over: &[&str] = &["`config.tokenMemory` (512MiB)", "`resources.limits.memory` (384Mi)", "raise the limit"];
    refused(
        "inline",
        &[
            ("config: {tokenMemory: 512MiB}", over),
            ("config: {tokenMemory: 536870912}", &["`config.tokenMemory` (536870912)"]),
            ("config: {replayMemory: 300MiB}", &["`config.replayMemory` (300MiB)"]),
            ("resources: {limits: {memory: 150M}}", &["(150M)"]),
            ("resources: {limits: {memory: 0.1Gi}}", &["(0.1Gi)"]),
            ("resources: {requests: {memory: 1Gi}}", &["`resources.requests.memory` (1Gi) is more than"]),
        ],
    );
    taken(
        "inline",
        &["config: {tokenMemory: 288MiB}", "resources: {limits: {memory: 160Mi}}", "resources: {limits: null}"],
    );
    // A shared store remembers elsewhere.
    taken("several", &["config: {replayMemory: 300MiB}"]);
}

#[test]
fn nobody_to_answer() {
    refused("inline", &[("replicaCount: 0", &["`replicaCount: 0` leaves nobody to answer", "1 or more"])]);
    // Somebody else sets the number.
    Release::of("autoscaling").set("replicaCount=0").render();
    refused("autoscaling", &[("resources: {requests: {cpu: null}}", &["needs `resources.requests.cpu`"])]);
}

#[test]
fn a_budget_that_lets_no_node_be_drained() {
    let never: &[&str] = &["lets no replica be evicted", "Let it be 1"];
    refused(
        "inline",
        &[
            (
                "podDisruptionBudget: {minAvailable: 2}",
                &["`podDisruptionBudget.minAvailable: 2` of 2 replicas", "`maxUnavailable: 1`"],
            ),
            ("podDisruptionBudget: {minAvailable: 51%}", &["`podDisruptionBudget.minAvailable: 51%` of 2"]),
            ("podDisruptionBudget: {minAvailable: 100%}", &["lets none be evicted"]),
            ("{replicaCount: 1, podDisruptionBudget: {minAvailable: 1}}", &["of 1 replicas"]),
            ("podDisruptionBudget: {maxUnavailable: 0}", never),
            ("podDisruptionBudget: {maxUnavailable: 0%}", never),
            ("podDisruptionBudget: {maxUnavailable: half}", &["/podDisruptionBudget/maxUnavailable"]),
        ],
    );
    refused("autoscaling", &[("podDisruptionBudget: {minAvailable: 3}", &["of 3 replicas"])]);
    for fine in [
        "minAvailable: 1",
        "minAvailable: 50%",
        "minAvailable: 0",
        "maxUnavailable: 1%",
        "{enabled: false, maxUnavailable: 0}",
    ] {
        let fine = if fine.starts_with('{') { fine.to_owned() } else { format!("{{{fine}}}") };
        taken("inline", &[&format!("podDisruptionBudget: {fine}")]);
    }
}

#[test]
fn a_strategy_by_which_no_pod_is_replaced() {
    refused(
        "inline",
        &[
            (
                "strategy: {rollingUpdate: {maxSurge: 0}}",
                &["`strategy.rollingUpdate.maxUnavailable` and `maxSurge` are both 0"],
            ),
            ("strategy: {type: Recreate}", &["`strategy.type: Recreate`", "`rollingUpdate: null`"]),
        ],
    );
    taken("inline", &["strategy: {type: Recreate, rollingUpdate: null}"]);
}

#[test]
fn a_token_of_the_service_account_that_nobody_needs() {
    let none: &[&str] = &["no issuer of the table says `kubernetes: inCluster`"];
    refused(
        "inline",
        &[
            ("kubernetes: {discoveryRole: true}", &["`kubernetes.discoveryRole`", "set `kubernetes.inCluster: true`"]),
            ("kubernetes: {inCluster: true}", none),
            ("kubernetes: {inCluster: true, discoveryRole: true}", none),
        ],
    );
    // What stands in a ConfigMap of somebody else's is not known here.
    taken("existing", &["kubernetes: {inCluster: true, discoveryRole: true}"]);
}

#[test]
fn a_way_out_of_the_container_is_refused_unless_it_is_written() {
    let openings = [
        ("securityContext: {privileged: true}", "securityContext.privileged is true"),
        ("securityContext: {allowPrivilegeEscalation: true}", "securityContext.allowPrivilegeEscalation is not false"),
        ("securityContext: {allowPrivilegeEscalation: null}", "securityContext.allowPrivilegeEscalation is not false"),
        ("securityContext: {readOnlyRootFilesystem: false}", "securityContext.readOnlyRootFilesystem is not true"),
        ("securityContext: {runAsUser: 0}", "securityContext.runAsUser is 0"),
        ("podSecurityContext: {runAsUser: 0}", "podSecurityContext.runAsUser is 0"),
        ("securityContext: {runAsNonRoot: false}", "securityContext.runAsNonRoot is false"),
        ("podSecurityContext: {runAsNonRoot: false}", "podSecurityContext.runAsNonRoot is false"),
        (
            "{securityContext: {runAsNonRoot: null}, podSecurityContext: {runAsNonRoot: null}}",
            "runAsNonRoot is left out",
        ),
        ("securityContext: {capabilities: {drop: [NET_RAW]}}", "securityContext.capabilities.drop lacks ALL"),
        ("securityContext: {capabilities: null}", "securityContext.capabilities.drop lacks ALL"),
        ("securityContext: {capabilities: {add: [NET_ADMIN]}}", "securityContext.capabilities.add has NET_ADMIN"),
        ("securityContext: {seccompProfile: {type: Unconfined}}", "securityContext.seccompProfile.type is Unconfined"),
        (
            "{securityContext: {seccompProfile: null}, podSecurityContext: {seccompProfile: null}}",
            "seccompProfile is left out",
        ),
        (
            "podSecurityContext: {appArmorProfile: {type: Unconfined}}",
            "podSecurityContext.appArmorProfile.type is Unconfined",
        ),
        (
            "podSecurityContext: {windowsOptions: {hostProcess: true}}",
            "podSecurityContext.windowsOptions.hostProcess is true",
        ),
        ("securityContext: {procMount: Unmasked}", "securityContext.procMount is Unmasked"),
        ("extraVolumes: [{name: all, hostPath: {path: /}}]", "extraVolumes has all, a directory of the node"),
    ];
    for (values, said) in openings {
        refused("inline", &[(values, &[said, "`unrestricted: true`"])]);
        let notes = Release::of("inline").with(values).set("unrestricted=true").notes();
        assert!(notes.contains("WARNING: unrestricted is true") && notes.contains(said), "{values}: {notes}");
    }
    // In a gateway's pod, too, where the pod's own context is not the chart's.
    refused("sidecar", &[("securityContext: {seccompProfile: null}", &["securityContext.seccompProfile is left out"])]);
    refused("sidecar", &[("podSecurityContext: {fsGroup: null}", &["`podSecurityContext.fsGroup` is left out"])]);
    // All at once.
    let two = "securityContext: {privileged: true, runAsUser: 0}";
    refused("inline", &[(two, &["securityContext.privileged is true", "securityContext.runAsUser is 0"])]);
    // Another user is as good; so is one whom the cluster chooses.
    taken(
        "inline",
        &[
            "{securityContext: {runAsUser: 1000}, podSecurityContext: {runAsUser: 1000}}",
            "{securityContext: {runAsUser: null, runAsGroup: null}, podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}}",
            "securityContext: {seccompProfile: null}",
            "securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}",
        ],
    );
}

/// There is no value that would take a pod into its node.
#[test]
fn the_nodes_own_network_processes_and_memory_are_not_to_be_had() {
    for value in ["hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"] {
        let refusal = Release::of("inline").set(&format!("{value}=true")).refusal();
        assert!(refusal.contains(&format!("'{value}' not allowed")), "{refusal}");
    }
}
