{{/*
The alerts. `critical` is worth a night's sleep: calls are refused that should not be, or nobody knows what is refused.
`warning` waits for the morning, `info` for the week. No stranger can page: what anybody can cause who reaches a gateway is
never more than a warning, unless it keeps others out.

A counter appears with its first count, which `increase` does not see: `x unless x offset …` does.
A Prometheus that scrapes native histograms has no `_bucket` series: `… or histogram_quantile(q, sum(rate(x[5m])))` is for it.
*/}}

{{- define "credence.alerts" -}}
{{- $full := include "credence.fullname" . -}}
{{- $namespace := include "credence.namespace" . -}}
{{- $of := printf "namespace=%q,job=%q" $namespace $full -}}
{{- $limits := .Values.prometheusRule.thresholds -}}
- alert: CredenceDown
  expr: absent(up{ {{- $of -}} } == 1)
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: 'No credence answers in {{ $namespace }}'
    description: 'Prometheus reaches no replica. Gateways that fail closed refuse every request with 503.'
{{- if and .Values.prometheusRule.kubeStateMetrics (ne .Values.mode "Sidecar") }}
{{- $ofPods := printf "namespace=%q,pod=~\"%s-([a-z0-9]+-)?[a-z0-9]{5}\"" $namespace $full }}
{{- $unix := include "credence.unix" . }}
- alert: CredenceNotReady
  expr: >-
    kube_pod_status_ready{ {{- $ofPods -}} ,condition="true"} == 0
    unless on(namespace, pod) kube_pod_status_phase{ {{- $ofPods -}} ,phase=~"Failed|Succeeded"} == 1
    {{- if $unix }}
    unless on(namespace, pod) (kube_pod_info{ {{- $ofPods -}} } * on(node) group_left() (max by (node) (kube_node_status_condition{condition="Ready",status="true"}) == bool 0)) == 1
    {{- end }}
  for: {{ if $unix }}5m{{ else }}10m{{ end }}
  labels: {severity: {{ if $unix }}critical{{ else }}warning{{ end }}}
  annotations:
    summary: '{{ `{{ $labels.pod }} is not ready` }}'
    description: '{{ if $unix }}Gateways of its node ask it all the same, nobody else answers there, and every request is refused.{{ else }}It gets no calls.{{ end }} Either no table is in force, or an issuer with `required` has had no keys since the start, or the init container has something against the table.'
{{- end }}
- alert: CredenceGatewaysCannotConnect
  expr: >-
    sum(rate(credence_tls_handshakes_total{ {{- $of -}} ,result=~"client_certificate|server_certificate|protocol"}[5m])) > {{ $limits.handshakeFailuresPerSecond }}
    and on() (sum(rate(credence_tls_handshakes_total{ {{- $of -}} ,result="ok"}[5m])) or vector(0)) == 0
    and on() (sum(rate(credence_decisions_total{ {{- $of -}} }[5m])) or vector(0)) == 0
    and on() (sum(rate(credence_decisions_total{ {{- $of -}} ,reason="ok"}[1h] offset 1w))
    or sum(rate(credence_decisions_total{ {{- $of -}} ,reason="ok"}[1h] offset 1d))) > 1 / 60
  for: 10m
  labels: {severity: critical}
  annotations:
    summary: 'Gateways do not get through to credence in {{ $namespace }}'
    description: 'Handshakes fail and none succeeds, and not one call has arrived for ten minutes, where there were calls a week ago. A certificate has ended, or an authority was changed at one end only.'
- alert: CredenceHandshakesFail
  expr: sum by (result) (rate(credence_tls_handshakes_total{ {{- $of -}} ,result=~"client_certificate|server_certificate|protocol"}[10m])) > {{ $limits.handshakeFailuresPerSecond }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `TLS handshakes fail: {{ $labels.result }}` }}'
    description: '{{ `{{ $value | humanize }} a second. Some gateway does not get in, or somebody else knocks.` }}'
- alert: CredenceNoDecisions
  expr: >-
    (sum(rate(credence_decisions_total{ {{- $of -}} }[10m])) or vector(0)) == 0
    and on() (sum(rate(credence_decisions_total{ {{- $of -}} ,reason="ok"}[1h] offset 1w))
    or sum(rate(credence_decisions_total{ {{- $of -}} ,reason="ok"}[1h] offset 1d))) > {{ $limits.trafficPerSecond }}
    and on() count(up{ {{- $of -}} } == 1) > 0
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: 'Nobody asks credence in {{ $namespace }} any more'
    description: 'A week ago there were calls at this time. If gateways cannot reach it they refuse every request, and if they do not ask it they let every request in.'
- alert: CredenceReloadFailed
  expr: credence_config_last_reload_successful{ {{- $of -}} ,kind!="blocks"} == 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: '{{ `{{ $labels.pod }} did not take a new {{ $labels.kind }}` }}'
    description: 'The last good one serves on. Changes since then are not in force, and a pod that starts now may not start.'
- alert: CredenceBlocksNotTaken
  expr: credence_config_last_reload_successful{ {{- $of -}} ,kind="blocks"} == 0
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: '{{ `{{ $labels.pod }} did not take new blocks` }}'
    description: 'Those before stand. Somebody who is to be kept out now may still come in.'
- alert: CredenceNoKeys
  expr: sum by (pod, issuer) (credence_keys{ {{- $of -}} ,state="usable"}) == 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: '{{ `No usable key of issuer {{ $labels.issuer }}` }}'
    description: '{{ `Whoever shows a token of it to {{ $labels.pod }} is refused with 503.` }}'
- alert: CredenceKeysMissed
  expr: >-
    sum by (pod, issuer) (credence_keys{ {{- $of -}} ,state="usable"}) == 0
    and on (pod, issuer) sum by (pod, issuer) (rate(credence_token_verifications_total{ {{- $of -}} ,result="keys_unavailable"}[10m])) > 0
    and on (issuer) count by (issuer) (present_over_time(credence_token_verifications_total{ {{- $of -}} ,result="ok"}[3d]))
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: '{{ `Callers are refused for want of keys of issuer {{ $labels.issuer }}` }}'
    description: '{{ `Its tokens were good within the last three days; now each of them is refused with 503 on {{ $labels.pod }}.` }}'
- alert: CredenceKeysStale
  expr: (time() - credence_jwks_last_success_timestamp_seconds{ {{- $of -}} }) > {{ $limits.keysStaleHours }} * 3600 and credence_jwks_last_success_timestamp_seconds{ {{- $of -}} } > 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `Keys of issuer {{ $labels.issuer }} are old` }}'
    description: '{{ `They were last fetched {{ $value | humanizeDuration }} ago on {{ $labels.pod }}. Beyond its maxStale every token of it is refused.` }}'
- alert: CredenceKeyNotPinned
  expr: sum by (issuer) (credence_keys{ {{- $of -}} ,state="not_pinned"}) > 0
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: '{{ `Issuer {{ $labels.issuer }} publishes a key that the table does not pin` }}'
    description: 'A rotation that somebody should have announced, or a key that is not theirs. What it signs is refused.'
- alert: CredenceTrustExpiresSoon
  expr: (min by (kind, name) (credence_trust_expires_timestamp_seconds{ {{- $of -}} }) - time() < {{ $limits.trustExpiresDays }} * 86400) >= {{ $limits.trustUrgentDays }} * 86400
  for: 1h
  labels: {severity: info}
  annotations:
    summary: '{{ `{{ $labels.kind }} {{ $labels.name }} ends in {{ $value | humanizeDuration }}` }}'
    description: 'Whoever depends on it is refused from then on. Renew it after a review, or let it end.'
- alert: CredenceTrustAboutToExpire
  expr: (min by (kind, name) (credence_trust_expires_timestamp_seconds{ {{- $of -}} }) - time() < {{ $limits.trustUrgentDays }} * 86400) > 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `{{ $labels.kind }} {{ $labels.name }} ends in {{ $value | humanizeDuration }}` }}'
    description: 'Whoever depends on it is refused from then on, and nobody has renewed it yet.'
- alert: CredenceTrustExpired
  expr: >-
    min by (kind, name) (credence_trust_expires_timestamp_seconds{ {{- $of -}} }) - time() <= 0
    and on(kind, name) (label_replace(label_replace(
    sum by (issuer) (increase(credence_token_verifications_total{ {{- $of -}} ,result="issuer_expired"}[1h])) > {{ $limits.callsAfterEndPerHour }},
    "kind", "issuer", "", ""), "name", "$1", "issuer", "(.+)")
    or label_replace(label_replace(
    sum by (resource) (increase(credence_resource_decisions_total{ {{- $of -}} ,decision="deny"}[1h])) > {{ $limits.callsAfterEndPerHour }},
    "kind", "resource", "", ""), "name", "$1", "resource", "(.+)"))
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: '{{ `{{ $labels.kind }} {{ $labels.name }} has ended, and calls still arrive for it` }}'
    description: 'All of them are refused. Renew it after a review, or tell the callers that it is over.'
- alert: CredenceGrantExpired
  expr: >-
    sum by (issuer) ((increase(credence_decisions_total{ {{- $of -}} ,reason="grant_expired"}[1h]) > 0)
    or (credence_decisions_total{ {{- $of -}} ,reason="grant_expired"} unless credence_decisions_total{ {{- $of -}} ,reason="grant_expired"} offset 1h))
  labels: {severity: warning}
  annotations:
    summary: '{{ `Callers of {{ $labels.issuer }} use a grant outside its times` }}'
    description: 'Nothing but the end (or the start) of a grant or its resource stands against their calls. The decision log names the grant.'
- alert: CredenceCertificateExpiresSoon
  expr: >-
    (credence_tls_certificate_expires_timestamp_seconds{ {{- $of -}} } - time() < {{ $limits.certificateExpiresDays }} * 86400) > 0
    unless credence_tls_certificate_expires_timestamp_seconds{ {{- $of -}} } - time()
    >= (credence_tls_certificate_expires_timestamp_seconds{ {{- $of -}} } - credence_tls_certificate_starts_timestamp_seconds{ {{- $of -}} }) / 3
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `The certificate of {{ $labels.pod }} ends in {{ $value | humanizeDuration }}` }}'
    description: 'Gateways will not connect from then on. Whoever renews it has not.'
- alert: CredenceCertificateExpired
  expr: credence_tls_certificate_expires_timestamp_seconds{ {{- $of -}} } - time() <= 0
  labels: {severity: critical}
  annotations:
    summary: '{{ `The certificate of {{ $labels.pod }} has ended` }}'
    description: 'No gateway that verifies it connects any more. What is connected goes on until it connects anew.'
- alert: CredenceDenySpike
  expr: >-
    (sum by (reason) (rate(credence_decisions_total{ {{- $of -}} ,decision="deny"}[10m])) > {{ $limits.denySpikePerSecond }})
    unless (sum by (reason) (rate(credence_decisions_total{ {{- $of -}} ,decision="deny"}[10m]))
    <= {{ $limits.denySpikeFactor }} * sum by (reason) (rate(credence_decisions_total{ {{- $of -}} ,decision="deny"}[1d] offset 1d)))
    and on() count(up{ {{- $of -}} } offset 2d) > 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `Far more refusals than yesterday: {{ $labels.reason }}` }}'
    description: '{{ `{{ $value | humanize }} a second. A table that went too far, an issuer that changed its tokens, or an attack.` }}'
- alert: CredenceUnknownIssuerSpike
  expr: sum(rate(credence_decisions_total{ {{- $of -}} ,reason="issuer_unknown"}[15m])) > {{ $limits.unknownIssuerPerSecond }}
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: 'Tokens of issuers that nobody decided on'
    description: '{{ `{{ $value | humanize }} a second. A new client that was not announced, or a federation in the shadow. The decision log has their iss as "claimed".` }}'
- alert: CredenceSignatureFailures
  expr: sum by (issuer) (rate(credence_token_verifications_total{ {{- $of -}} ,result=~"signature_invalid|key_unknown|key_not_pinned|overloaded"}[10m])) > {{ $limits.signatureFailuresPerSecond }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `Signatures that do not verify, in the name of {{ $labels.issuer }}` }}'
    description: '{{ `{{ $value | humanize }} a second. Somebody forges tokens, or the keys here are not those that the issuer signs with.` }}'
- alert: CredenceReplay
  expr: >-
    sum by (issuer) ((increase(credence_decisions_total{ {{- $of -}} ,reason="replayed"}[1h]) > 0)
    or (credence_decisions_total{ {{- $of -}} ,reason="replayed"} unless credence_decisions_total{ {{- $of -}} ,reason="replayed"} offset 1h))
  labels: {severity: warning}
  annotations:
    summary: '{{ `A token of {{ $labels.issuer }} was shown again that may be used once` }}'
    description: 'It was refused. A client repeats its calls, or somebody has a copy of it. The decision log tells who and from where.'
- alert: CredenceReplaySpike
  expr: sum by (issuer) (increase(credence_decisions_total{ {{- $of -}} ,reason="replayed"}[10m])) > {{ $limits.replaysPerTenMinutes }}
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: '{{ `Tokens of {{ $labels.issuer }} that may be used once are shown again and again` }}'
    description: '{{ `{{ $value | humanize }} in ten minutes, all of them refused. Clients that repeat their calls, or somebody who has copies of many.` }}'
- alert: CredenceReplayUnavailable
  expr: sum(rate(credence_decisions_total{ {{- $of -}} ,reason="replay_unavailable"}[5m])) > {{ $limits.replayUnavailablePerSecond }}
  for: 15m
  labels: {severity: critical}
  annotations:
    summary: 'Tokens that may be used once are refused'
    description: 'Whether they were used before cannot be known. The shared store does not answer, or there is no room.'
- alert: CredenceReplayStoreDown
  expr: min by (pod) (credence_replay_store_up{ {{- $of -}} }) == 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: '{{ `{{ $labels.pod }} does not reach the store of used tokens` }}'
    description: 'Tokens that may be used once are refused there as soon as one is shown.'
- alert: CredenceSlow
  expr: >-
    (histogram_quantile(0.99, sum by (le) (rate(credence_decision_duration_seconds_bucket{ {{- $of -}} ,decision="allow"}[5m])))
    or histogram_quantile(0.99, sum(rate(credence_decision_duration_seconds{ {{- $of -}} ,decision="allow"}[5m])))) > {{ $limits.p99Seconds }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `One yes of a hundred takes longer than {{ $value | humanizeDuration }}` }}'
    description: 'Gateways give up after their timeout and refuse. Usually the CPU limit, or a replay store that is far away.'
- alert: CredenceOverloaded
  expr: >-
    sum(rate(credence_calls_shed_total{ {{- $of -}} }[5m])) / sum(rate(credence_decisions_total{ {{- $of -}} }[5m])) > {{ $limits.overloadedShare }}
    and on() sum(rate(credence_calls_shed_total{ {{- $of -}} }[5m])) > {{ $limits.overloadedPerSecond }}
  for: 10m
  labels: {severity: critical}
  annotations:
    summary: 'Calls are refused because there are too many'
    description: '{{ `{{ $value | humanizePercentage }} of them get 503, whoever makes them: there are more at once than config.maxConcurrent, or they do not arrive whole.` }}'
- alert: CredenceDecisionLogLost
  expr: sum by (pod) (increase(credence_decision_log_dropped_total{ {{- $of -}} }[1h])) > 0
  labels: {severity: warning}
  annotations:
    summary: '{{ `{{ $labels.pod }} lost lines of its decision log` }}'
    description: 'Nobody will know afterwards who was let in then.'
- alert: CredenceDecisionLogFailing
  expr: >-
    sum by (pod) (rate(credence_decision_log_dropped_total{ {{- $of -}} }[5m])) > 0
    or sum by (pod) (rate(credence_decisions_total{ {{- $of -}} ,reason="log_unavailable"}[5m])) > 0
  for: 10m
  labels: {severity: critical}
  annotations:
    summary: '{{ `{{ $labels.pod }} cannot write its decision log` }}'
    description: 'Lines go on being lost, or, with decisionLogFull=deny, requests go on being refused.'
- alert: CredenceInternalError
  expr: >-
    sum by (pod) ((increase(credence_decisions_total{ {{- $of -}} ,reason="internal"}[1h]) > 0)
    or (credence_decisions_total{ {{- $of -}} ,reason="internal"} unless credence_decisions_total{ {{- $of -}} ,reason="internal"} offset 1h))
  labels: {severity: warning}
  annotations:
    summary: '{{ `A fault in credence itself, on {{ $labels.pod }}` }}'
    description: 'The requests were refused. The program''s own log says what happened; please report it.'
- alert: CredenceInternalErrorsPersist
  expr: sum(rate(credence_decisions_total{ {{- $of -}} ,reason="internal"}[5m])) > 0
  for: 10m
  labels: {severity: critical}
  annotations:
    summary: 'A fault in credence itself, again and again'
    description: '{{ `{{ $value | humanize }} requests a second are refused because of it.` }}'
- alert: CredenceReplicasDisagree
  expr: count(count by (sha256) (credence_config_info{ {{- $of -}} })) > 1
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: 'Replicas have different tables in force'
    description: '{{ `{{ $value }} tables at once: which one decides depends on the replica that is asked.` }}'
{{- end }}
