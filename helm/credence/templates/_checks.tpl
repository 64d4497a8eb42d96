{{/* What the schema cannot say: every contradiction ends the rendering with what to do about it. */}}

{{/* Whether more than one replica can be asked. */}}
{{- define "credence.several" -}}
{{- if ne .Values.mode "Deployment" -}}
true
{{- else if .Values.autoscaling.enabled -}}
{{- if gt (int .Values.autoscaling.maxReplicas) 1 -}}true{{- end -}}
{{- else if gt (int .Values.replicaCount) 1 -}}
true
{{- end -}}
{{- end }}

{{/* Whether gateways ask by a socket. */}}
{{- define "credence.unix" -}}
{{- if or (eq .Values.mode "Sidecar") (and (eq .Values.mode "DaemonSet") (eq .Values.daemonSet.listen "unix")) -}}
true
{{- end -}}
{{- end }}

{{/* Whether the admin port is open to the containers of the pod alone. */}}
{{- define "credence.adminClosed" -}}
{{- if and (eq .Values.mode "Sidecar") (eq .Values.sidecar.admin "loopback") -}}true{{- end -}}
{{- end }}

{{- define "credence.mtls" -}}
{{- if and (eq .Values.tls.mode "mtls") (not (include "credence.unix" .)) -}}true{{- end -}}
{{- end }}

{{/* The entries of one map of the inline table, in all of its files, as JSON. In: root, key. */}}
{{- define "credence.entries" -}}
{{- $key := .key -}}
{{- $found := list -}}
{{- $texts := dict "trust.inline" .root.Values.trust.inline -}}
{{- range $name, $text := .root.Values.trust.files -}}
{{- if or (hasSuffix ".yaml" $name) (hasSuffix ".yml" $name) -}}
{{- $_ := set $texts (printf "trust.files.%s" $name) $text -}}
{{- end -}}
{{- end -}}
{{- range $name, $text := $texts -}}
{{- if $text -}}
{{- $table := fromYaml $text -}}
{{- if hasKey $table "Error" -}}
{{- fail (printf "\n\n%s is not YAML: %s\n`credence check` says where." $name $table.Error) -}}
{{- end -}}
{{- $entries := get $table $key -}}
{{- if kindIs "map" $entries -}}
{{- range $_, $entry := $entries -}}
{{- if kindIs "map" $entry -}}
{{- $found = append $found $entry -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{- define "credence.checkTrust" -}}
{{- $trust := .Values.trust -}}
{{- $given := list -}}
{{- if $trust.inline }}{{ $given = append $given "trust.inline" }}{{ end -}}
{{- if $trust.existingConfigMap }}{{ $given = append $given "trust.existingConfigMap" }}{{ end -}}
{{- if $trust.configMaps }}{{ $given = append $given "trust.configMaps" }}{{ end -}}
{{- if eq (len $given) 0 -}}
{{- fail "\n\nNo trust table: nothing would be allowed. Give one as `trust.inline`, `trust.existingConfigMap` or `trust.configMaps`." -}}
{{- end -}}
{{- if gt (len $given) 1 -}}
{{- fail (printf "\n\nSeveral trust tables: %s. Give one; files of several ConfigMaps go together by `trust.configMaps`." (join " and " $given)) -}}
{{- end -}}
{{- if and $trust.files (not $trust.inline) -}}
{{- fail "\n\n`trust.files` stand beside `trust.inline` only: put them into the ConfigMap that you name." -}}
{{- end -}}
{{- if hasKey $trust.files "trust.yaml" -}}
{{- fail "\n\n`trust.files` has a file trust.yaml, which is what `trust.inline` is called: give it another name." -}}
{{- end -}}
{{- $names := dict -}}
{{- range $trust.configMaps -}}
{{- if hasKey $names .name -}}
{{- fail (printf "\n\n`trust.configMaps` names %s twice: write all of its keys into one entry." .name) -}}
{{- end -}}
{{- $_ := set $names .name true -}}
{{- end -}}
{{- if and .Values.blocks.inline .Values.blocks.existingConfigMap -}}
{{- fail "\n\nBlocks are given twice: `blocks.inline` and `blocks.existingConfigMap`. Give one." -}}
{{- end -}}
{{- if and (or .Values.blocks.inline .Values.blocks.existingConfigMap) (not .Values.blocks.enabled) -}}
{{- fail "\n\nThere are blocks, and `blocks.enabled` is false: nobody would be blocked. Remove one of the two." -}}
{{- end -}}
{{- end }}

{{- define "credence.checkTable" -}}
{{- range fromJsonArray (include "credence.entries" (dict "root" . "key" "grants")) -}}
{{- if and (eq (toString (get . "replay")) "once") (include "credence.several" $) (not $.Values.replayStore.url) -}}
{{- fail "\n\nA grant of the table says `replay: once`, and there is more than one replica: each would take a token once.\nGive them a shared store with `replayStore.url`, or have one replica (`replicaCount: 1`, `autoscaling.enabled: false`)." -}}
{{- end -}}
{{- end -}}
{{- $inCluster := false -}}
{{- range fromJsonArray (include "credence.entries" (dict "root" . "key" "issuers")) -}}
{{- if get . "kubernetes" -}}
{{- $inCluster = true -}}
{{- end -}}
{{- end -}}
{{- $account := .Values.kubernetes -}}
{{- if and $inCluster (not $account.inCluster) -}}
{{- fail "\n\nAn issuer of the table says `kubernetes: inCluster`, for which pods need a token: set `kubernetes.inCluster: true`." -}}
{{- end -}}
{{- if and $account.discoveryRole (not $account.inCluster) -}}
{{- fail "\n\n`kubernetes.discoveryRole` lets an account read the cluster's keys that no pod has a token of: set `kubernetes.inCluster: true`, or leave out `discoveryRole`." -}}
{{- end -}}
{{- if and $account.inCluster .Values.trust.inline (not $inCluster) -}}
{{- fail "\n\n`kubernetes.inCluster` gives every pod a token, and no issuer of the table says `kubernetes: inCluster`: add the issuer, or leave out `kubernetes.inCluster` and `discoveryRole`." -}}
{{- end -}}
{{- end }}

{{- define "credence.checkTls" -}}
{{- $tls := .Values.tls -}}
{{- if include "credence.mtls" . -}}
{{- if not (or $tls.existingSecret $tls.certManager.enabled) -}}
{{- fail "\n\n`tls.mode: mtls` needs a certificate: name its Secret in `tls.existingSecret`, or let cert-manager make it (`tls.certManager`).\nIf a mesh already keeps strangers from the port, say `tls.mode: insecure`: whoever reaches it may ask." -}}
{{- end -}}
{{- if not $tls.allowPeer -}}
{{- fail "\n\n`tls.mode: mtls` needs the names of your gateways' certificates in `tls.allowPeer`, such as spiffe://acme.test/ns/gateways/sa/envoy;\n`any` takes whatever the authority signed." -}}
{{- end -}}
{{- if and $tls.certManager.enabled (not (get $tls.certManager.issuerRef "name")) -}}
{{- fail "\n\n`tls.certManager.enabled` needs `tls.certManager.issuerRef.name`: who issues the certificate." -}}
{{- end -}}
{{- if and $tls.clientCA.existingSecret $tls.clientCA.existingConfigMap -}}
{{- fail "\n\n`tls.clientCA` names a Secret and a ConfigMap: name one." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "credence.checkPods" -}}
{{- $values := .Values -}}
{{- if and (eq $values.probes.readiness.type "grpc") (or (include "credence.mtls" .) (include "credence.unix" .)) -}}
{{- fail "\n\n`probes.readiness.type: grpc` cannot work here: the kubelet speaks gRPC neither over TLS nor on a socket, and no pod would become ready. Use `auto` or `http`." -}}
{{- end -}}
{{- if le (int $values.terminationGracePeriodSeconds) (add (int $values.preStopSleepSeconds) (int $values.config.drainSeconds)) -}}
{{- fail (printf "\n\n`terminationGracePeriodSeconds: %d` would kill a drain: it must be more than `preStopSleepSeconds` (%d) and `config.drainSeconds` (%d) together." (int $values.terminationGracePeriodSeconds) (int $values.preStopSleepSeconds) (int $values.config.drainSeconds)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (ne $values.mode "Deployment") -}}
{{- fail (printf "\n\n`autoscaling.enabled` is for `mode: Deployment`, not %s." $values.mode) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- fail "\n\n`autoscaling.minReplicas` is more than `autoscaling.maxReplicas`." -}}
{{- end -}}
{{- if and (eq $values.mode "DaemonSet") (not (include "credence.unix" .)) (eq $values.service.internalTrafficPolicy "Cluster") -}}
{{- fail "\n\nA DaemonSet on TCP keeps to the node: leave out `service.internalTrafficPolicy: Cluster`, or use a Deployment." -}}
{{- end -}}
{{- if and (eq $values.mode "Sidecar") (not (get $values.podSecurityContext "fsGroup")) -}}
{{- fail "\n\n`podSecurityContext.fsGroup` is left out: the socket of a sidecar is for that group. Give one, such as 65532." -}}
{{- end -}}
{{- end }}

{{- define "credence.checkReplay" -}}
{{- $store := .Values.replayStore -}}
{{- if regexMatch "^[a-z+]+://.*:.*@" $store.url -}}
{{- fail "\n\n`replayStore.url` holds a password, and everybody who may look at the pod would read it there. Put it into a Secret\n  kubectl -n NAMESPACE create secret generic redis-password --from-file=password\nname that by `replayStore.passwordSecret.name` (`key` where it is not `password`), and leave in the URL at most the user: rediss://USER@HOST:6379." -}}
{{- end -}}
{{- if and $store.passwordSecret.name (not $store.url) -}}
{{- fail "\n\n`replayStore.passwordSecret` is given and `replayStore.url` is empty: say where the store is." -}}
{{- end -}}
{{- if and $store.ca.existingSecret $store.ca.existingConfigMap -}}
{{- fail "\n\n`replayStore.ca` names a Secret and a ConfigMap: name one." -}}
{{- end -}}
{{- end }}

{{- define "credence.checkReach" -}}
{{- $values := .Values -}}
{{- if and $values.networkPolicy.enabled (ne $values.mode "Sidecar") (not (include "credence.unix" .)) (not $values.networkPolicy.gateways) -}}
{{- fail "\n\n`networkPolicy.gateways` is empty: nobody could ask. Name your gateways, for example\n  networkPolicy:\n    gateways:\n      - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: envoy-gateway-system}}\nor set `networkPolicy.enabled: false`." -}}
{{- end -}}
{{- if and $values.networkPolicy.enabled $values.replayStore.url (ne $values.mode "Sidecar") (not $values.networkPolicy.replayStore) -}}
{{- fail "\n\n`replayStore.url` is given and `networkPolicy.replayStore` is empty: the store could not be reached. Say where it is, for example\n  networkPolicy:\n    replayStore:\n      - to: [{podSelector: {matchLabels: {app: redis}}}]\n        ports: [{protocol: TCP, port: 6379}]" -}}
{{- end -}}
{{- if and $values.networkPolicy.enabled $values.tracing.endpoint (ne $values.mode "Sidecar") (not $values.networkPolicy.collector) -}}
{{- fail "\n\n`tracing.endpoint` is given and `networkPolicy.collector` is empty: the collector could not be reached. Say where it is, for example\n  networkPolicy:\n    collector:\n      - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: observability}}}]\n        ports: [{protocol: TCP, port: 4317}]" -}}
{{- end -}}
{{- if and $values.service.headless (ne $values.service.type "ClusterIP") -}}
{{- fail (printf "\n\n`service.headless` and `service.type: %s` cannot both be: a headless Service has no address of its own." $values.service.type) -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled -}}
{{- fail "\n\n`serviceMonitor` and `podMonitor` are both enabled: every figure would count twice. Enable one." -}}
{{- end -}}
{{- if and (eq $values.mode "Sidecar") $values.serviceMonitor.enabled -}}
{{- fail "\n\nSidecars have no Service to monitor: use `podMonitor` with `podMonitor.sidecarSelector`." -}}
{{- end -}}
{{- if and (eq $values.mode "Sidecar") $values.podMonitor.enabled (ne $values.sidecar.admin "pod") -}}
{{- fail "\n\n`podMonitor` could read nothing: the admin port of sidecars is open to their own pod alone. Set `sidecar.admin: pod`; the notes have the NetworkPolicy that closes it to all but Prometheus." -}}
{{- end -}}
{{- if and $values.prometheusRule.enabled (include "credence.adminClosed" .) -}}
{{- fail "\n\n`prometheusRule` could see nothing, and CredenceDown would fire for ever: the admin port of sidecars is open to their own pod alone. Set `sidecar.admin: pod` and have Prometheus read it (`podMonitor`), or leave out `prometheusRule`." -}}
{{- end -}}
{{- if and (eq $values.mode "Sidecar") $values.podMonitor.enabled (not $values.podMonitor.sidecarSelector) -}}
{{- fail "\n\n`podMonitor.sidecarSelector` is empty: give the labels of your gateways' pods." -}}
{{- end -}}
{{- end }}

{{- define "credence.check" -}}
{{- include "credence.checkName" . -}}
{{- include "credence.checkTrust" . -}}
{{- include "credence.checkTable" . -}}
{{- include "credence.checkTls" . -}}
{{- include "credence.checkPeers" . -}}
{{- include "credence.checkCertificate" . -}}
{{- include "credence.checkReplay" . -}}
{{- include "credence.checkSecurity" . -}}
{{- include "credence.checkPods" . -}}
{{- include "credence.checkConfig" . -}}
{{- include "credence.checkDecisionLog" . -}}
{{- if ne .Values.mode "Sidecar" -}}
{{- include "credence.checkMemory" . -}}
{{- end -}}
{{- if eq .Values.mode "Deployment" -}}
{{- include "credence.checkReplicas" . -}}
{{- else if eq .Values.mode "DaemonSet" -}}
{{- include "credence.checkDaemonSet" . -}}
{{- end -}}
{{- include "credence.checkReach" . -}}
{{- end }}
