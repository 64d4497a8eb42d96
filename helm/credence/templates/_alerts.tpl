{{/*
The alerts. `critical` is worth a night's sleep: calls are refused that should not be, or nobody knows what is refused.
`warning` waits for the morning, `info` for the week.

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
- alert: CredenceNotReady
  expr: kube_pod_status_ready{namespace={{ $namespace | quote }},pod=~"{{ $full }}-([a-z0-9]+-)?[a-z0-9]{5}",condition="true"} == 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `{{ $labels.pod }} is not ready` }}'
    description: 'It gets no calls. Either no table is in force, or an issuer with `required` has had no keys since the start, or the init container has something against the table.'
{{- end }}
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
  labels: {severity: critical}
  annotations:
    summary: '{{ `No usable key of issuer {{ $labels.issuer }}` }}'
    description: '{{ `Every token of it is refused with 503 on {{ $labels.pod }}.` }}'
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
  expr: min by (kind, name) (credence_trust_expires_timestamp_seconds{ {{- $of -}} }) - time() < {{ $limits.trustExpiresDays }} * 86400 and min by (kind, name) (credence_trust_expires_timestamp_seconds{ {{- $of -}} }) > time()
  for: 1h
  labels: {severity: info}
  annotations:
    summary: '{{ `{{ $labels.kind }} {{ $labels.name }} ends in {{ $value | humanizeDuration }}` }}'
    description: 'Whoever depends on it is refused from then on. Renew it after a review, or let it end.'
- alert: CredenceCertificateExpiresSoon
  expr: credence_tls_certificate_expires_timestamp_seconds{ {{- $of -}} } - time() < {{ $limits.certificateExpiresDays }} * 86400
  for: 1h
  labels: {severity: warning}
  annotations:
    summary: '{{ `The certificate of {{ $labels.pod }} ends in {{ $value | humanizeDuration }}` }}'
    description: 'Gateways will not connect from then on. Whoever renews it has not.'
- alert: CredenceDenySpike
  expr: >-
    (sum by (reason) (rate(credence_decisions_total{ {{- $of -}} ,decision="deny"}[10m])) > {{ $limits.denySpikePerSecond }})
    unless (sum by (reason) (rate(credence_decisions_total{ {{- $of -}} ,decision="deny"}[10m]))
    <= {{ $limits.denySpikeFactor }} * sum by (reason) (rate(credence_decisions_total{ {{- $of -}} ,decision="deny"}[1d] offset 1h)))
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
  expr: sum by (issuer) (rate(credence_token_verifications_total{ {{- $of -}} ,result=~"signature_invalid|key_unknown|key_not_pinned"}[10m])) > {{ $limits.signatureFailuresPerSecond }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `Signatures that do not verify, in the name of {{ $labels.issuer }}` }}'
    description: '{{ `{{ $value | humanize }} a second. Somebody forges tokens, or the keys here are not those that the issuer signs with.` }}'
- alert: CredenceReplay
  expr: >-
    sum by (issuer) ((increase(credence_decisions_total{ {{- $of -}} ,reason="replayed"}[10m]) > 0)
    or (credence_decisions_total{ {{- $of -}} ,reason="replayed"} unless credence_decisions_total{ {{- $of -}} ,reason="replayed"} offset 10m))
  labels: {severity: critical}
  annotations:
    summary: '{{ `A token of {{ $labels.issuer }} was shown again that may be used once` }}'
    description: 'Somebody has a copy of it, or a client repeats its calls. The decision log tells who and from where.'
- alert: CredenceReplayUnavailable
  expr: sum(rate(credence_decisions_total{ {{- $of -}} ,reason="replay_unavailable"}[5m])) > 0
  for: 15m
  labels: {severity: critical}
  annotations:
    summary: 'Tokens that may be used once are refused'
    description: 'Whether they were used before cannot be known. The shared store does not answer, or there is no room.'
- alert: CredenceSlow
  expr: >-
    (histogram_quantile(0.99, sum by (le) (rate(credence_decision_duration_seconds_bucket{ {{- $of -}} }[5m])))
    or histogram_quantile(0.99, sum(rate(credence_decision_duration_seconds{ {{- $of -}} }[5m])))) > {{ $limits.p99Seconds }}
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: '{{ `One decision of a hundred takes longer than {{ $value | humanizeDuration }}` }}'
    description: 'Gateways give up after their timeout and refuse. Usually the CPU limit, or a replay store that is far away.'
- alert: CredenceOverloaded
  expr: sum(rate(credence_decisions_total{ {{- $of -}} ,reason="overloaded"}[5m])) > 0
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: 'Calls are refused because there are too many'
    description: '{{ `{{ $value | humanize }} a second get 503. More at once than config.maxConcurrent, or a flood of bad signatures.` }}'
- alert: CredenceDecisionLogLost
  expr: >-
    sum by (pod) (increase(credence_decision_log_dropped_total{ {{- $of -}} }[10m])) > 0
    or sum by (pod) (rate(credence_decisions_total{ {{- $of -}} ,reason="log_unavailable"}[10m])) > 0
  labels: {severity: critical}
  annotations:
    summary: '{{ `{{ $labels.pod }} loses lines of its decision log` }}'
    description: 'Nobody will know afterwards who was let in. With decisionLogFull=deny, requests are refused instead.'
- alert: CredenceInternalError
  expr: >-
    sum by (pod) ((increase(credence_decisions_total{ {{- $of -}} ,reason="internal"}[10m]) > 0)
    or (credence_decisions_total{ {{- $of -}} ,reason="internal"} unless credence_decisions_total{ {{- $of -}} ,reason="internal"} offset 10m))
  labels: {severity: critical}
  annotations:
    summary: '{{ `A fault in credence itself, on {{ $labels.pod }}` }}'
    description: 'The requests were refused. The program''s own log says what happened; please report it.'
- alert: CredenceReplicasDisagree
  expr: count(count by (sha256) (credence_config_info{ {{- $of -}} })) > 1
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: 'Replicas have different tables in force'
    description: '{{ `{{ $value }} tables at once: which one decides depends on the replica that is asked.` }}'
{{- end }}
