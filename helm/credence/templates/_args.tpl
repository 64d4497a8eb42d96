{{/* What the program is told. */}}

{{/* Numbers come as floats, and large ones would be written with an exponent. */}}
{{- define "credence.scalar" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/* What reads the table as `serve` does: for `check` and `status`. */}}
{{- define "credence.tableArgs" -}}
{{- if .Values.issuerSecrets.existingSecret }}
- --secrets-dir=/etc/credence/secrets
{{- end }}
{{- end }}

{{/* Where a container is by itself, its admin port is, too. */}}
{{- define "credence.adminAddress" -}}
{{- if include "credence.adminClosed" . }}127.0.0.1{{ else }}{{ .Values.listen.address }}{{ end -}}
{{- end }}

{{/* Without those of the user. */}}
{{- define "credence.ownArgs" -}}
{{- $config := .Values.config -}}
- serve
- --trust=/etc/credence/trust
{{- if .Values.blocks.enabled }}
- --blocks=/etc/credence/blocks
{{- end }}
{{- include "credence.tableArgs" . }}
{{- if include "credence.unix" . }}
- --listen=unix:{{ include "credence.socketDir" . }}/authz.sock
{{- else }}
- --listen={{ .Values.listen.address }}:{{ .Values.listen.grpcPort }}
{{- if include "credence.mtls" . }}
- --tls-cert=/etc/credence/tls/tls.crt
- --tls-key=/etc/credence/tls/tls.key
- --tls-client-ca=/etc/credence/tls/client-ca.crt
{{- range .Values.tls.allowPeer }}
- {{ printf "--allow-peer=%s" . | quote }}
{{- end }}
{{- else }}
- --insecure-listen
{{- end }}
{{- end }}
- --admin-listen={{ include "credence.adminAddress" . }}:{{ .Values.listen.adminPort }}
- {{ printf "--decision-log=%s" $config.decisionLog | quote }}
- --decision-log-full={{ $config.decisionLogFull }}
- --deny-detail={{ $config.denyDetail }}
{{- if $config.claimHeaders }}
- --claim-headers
{{- end }}
{{- if $config.reflection }}
- --reflection
{{- end }}
- --log-format={{ $config.logFormat }}
- {{ printf "--log-level=%s" $config.logLevel | quote }}
{{- range $flag, $key := dict "max-concurrent" "maxConcurrent" "max-request-bytes" "maxRequestBytes" "max-bad-signatures" "maxBadSignatures" "workers" "workers" }}
{{- if not (kindIs "invalid" (get $config $key)) }}
- --{{ $flag }}={{ include "credence.scalar" (get $config $key) }}
{{- end }}
{{- end }}
- --token-memory={{ include "credence.scalar" $config.tokenMemory }}
- --replay-memory={{ include "credence.scalar" $config.replayMemory }}
- --drain-seconds={{ include "credence.scalar" $config.drainSeconds }}
{{- with .Values.replayStore }}
{{- if .url }}
- {{ printf "--replay-store=%s" .url | quote }}
{{- if .passwordSecret.name }}
- --replay-password-file=/etc/credence/replay/password
{{- end }}
{{- if or .ca.existingSecret .ca.existingConfigMap }}
- --replay-ca-file=/etc/credence/replay/ca.crt
{{- end }}
{{- if .clientCertSecret }}
- --replay-client-cert=/etc/credence/replay/tls.crt
- --replay-client-key=/etc/credence/replay/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.tracing.endpoint }}
- {{ printf "--otlp-endpoint=%s" .Values.tracing.endpoint | quote }}
{{- end }}
{{- end }}

{{- define "credence.args" -}}
{{ include "credence.ownArgs" . }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* What it is told by variables: those of OpenTelemetry, then those of the user. */}}
{{- define "credence.env" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: K8S_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: K8S_POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- $attributes := list "k8s.pod.name=$(K8S_POD_NAME)" "k8s.namespace.name=$(K8S_POD_NAMESPACE)" }}
{{- range $name, $value := .resourceAttributes }}
{{- $attributes = append $attributes (printf "%s=%s" $name $value) }}
{{- end }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ join "," $attributes | quote }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler }}
{{- if hasSuffix "traceidratio" .sampler }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplerArg | toString | quote }}
{{- end }}
{{- if .protocol }}
- name: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL
  value: {{ .protocol }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
