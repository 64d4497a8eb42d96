{{/* Container and volumes, the same in a Deployment, a DaemonSet and beside a gateway. */}}

{{- define "credence.socketDir" -}}
{{- if eq .Values.mode "Sidecar" }}{{ .Values.sidecar.socketDir }}{{ else }}/run/credence{{ end -}}
{{- end }}

{{- define "credence.tlsSecret" -}}
{{- default (printf "%s-tls" (include "credence.fullname" .)) .Values.tls.existingSecret -}}
{{- end }}

{{- define "credence.trustConfigMap" -}}
{{- default (printf "%s-trust" (include "credence.fullname" .)) .Values.trust.existingConfigMap -}}
{{- end }}

{{- define "credence.blocksConfigMap" -}}
{{- default (printf "%s-blocks" (include "credence.fullname" .)) .Values.blocks.existingConfigMap -}}
{{- end }}

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

{{- define "credence.args" -}}
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
- --admin-listen={{ .Values.listen.address }}:{{ .Values.listen.adminPort }}
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
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* Directories, never single files (subPath), which would not change with their ConfigMap. */}}
{{- define "credence.tableMounts" -}}
- {name: credence-trust, mountPath: /etc/credence/trust, readOnly: true}
{{- if .Values.blocks.enabled }}
- {name: credence-blocks, mountPath: /etc/credence/blocks, readOnly: true}
{{- end }}
{{- if .Values.issuerSecrets.existingSecret }}
- {name: credence-secrets, mountPath: /etc/credence/secrets, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "credence.hasReplayFiles" -}}
{{- with .Values.replayStore -}}
{{- if and .url (or .passwordSecret.name .ca.existingSecret .ca.existingConfigMap .clientCertSecret) -}}true{{- end -}}
{{- end -}}
{{- end }}

{{- define "credence.mounts" -}}
{{ include "credence.tableMounts" . }}
{{- if include "credence.mtls" . }}
- {name: credence-tls, mountPath: /etc/credence/tls, readOnly: true}
{{- end }}
{{- if include "credence.hasReplayFiles" . }}
- {name: credence-replay, mountPath: /etc/credence/replay, readOnly: true}
{{- end }}
{{- if include "credence.unix" . }}
- {name: credence-socket, mountPath: {{ include "credence.socketDir" . }}}
{{- end }}
{{- if .Values.kubernetes.inCluster }}
- {name: credence-account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
{{- end }}

{{- define "credence.tableVolumes" -}}
- name: credence-trust
  projected:
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
    sources:
    {{- if .Values.trust.configMaps }}
      {{- range $source := .Values.trust.configMaps }}
      - configMap:
          name: {{ $source.name }}
          items:
          {{- range default (list "trust.yaml") $source.keys }}
            - {key: {{ . | quote }}, path: {{ printf "%s.%s" $source.name . | quote }}}
          {{- end }}
      {{- end }}
    {{- else }}
      - configMap:
          name: {{ include "credence.trustConfigMap" . }}
    {{- end }}
{{- if .Values.blocks.enabled }}
- name: credence-blocks
  projected:
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
    sources:
      - configMap:
          name: {{ include "credence.blocksConfigMap" . }}
{{- end }}
{{- with .Values.issuerSecrets.existingSecret }}
- name: credence-secrets
  secret:
    secretName: {{ . }}
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Certificate and key of one Secret, authorities of the same or of another one. */}}
{{- define "credence.tlsVolume" -}}
- name: credence-tls
  projected:
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
    sources:
      - secret:
          name: {{ include "credence.tlsSecret" . }}
          items:
            - {key: {{ .Values.tls.certKey | quote }}, path: tls.crt}
            - {key: {{ .Values.tls.keyKey | quote }}, path: tls.key}
      {{- with .Values.tls.clientCA }}
      {{- if .existingConfigMap }}
      - configMap:
          name: {{ .existingConfigMap }}
      {{- else }}
      - secret:
          name: {{ default (include "credence.tlsSecret" $) .existingSecret }}
      {{- end }}
          items:
            - {key: {{ .key | quote }}, path: client-ca.crt}
      {{- end }}
{{- end }}

{{- define "credence.replayVolume" -}}
- name: credence-replay
  projected:
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
    sources:
    {{- with .Values.replayStore }}
      {{- if .passwordSecret.name }}
      - secret:
          name: {{ .passwordSecret.name }}
          items:
            - {key: {{ .passwordSecret.key | quote }}, path: password}
      {{- end }}
      {{- if .ca.existingConfigMap }}
      - configMap:
          name: {{ .ca.existingConfigMap }}
          items:
            - {key: {{ .ca.key | quote }}, path: ca.crt}
      {{- else if .ca.existingSecret }}
      - secret:
          name: {{ .ca.existingSecret }}
          items:
            - {key: {{ .ca.key | quote }}, path: ca.crt}
      {{- end }}
      {{- if .clientCertSecret }}
      - secret:
          name: {{ .clientCertSecret }}
          items:
            - {key: tls.crt, path: tls.crt}
            - {key: tls.key, path: tls.key}
      {{- end }}
    {{- end }}
{{- end }}

{{/* What the kubelet would mount by itself, for this container alone and for an hour at most. */}}
{{- define "credence.accountVolume" -}}
- name: credence-account
  projected:
    defaultMode: 288 # 0440, which not every reader of YAML takes for octal
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
{{- end }}

{{- define "credence.volumes" -}}
{{ include "credence.tableVolumes" . }}
{{- if include "credence.mtls" . }}
{{ include "credence.tlsVolume" . }}
{{- end }}
{{- if include "credence.hasReplayFiles" . }}
{{ include "credence.replayVolume" . }}
{{- end }}
{{- if eq .Values.mode "Sidecar" }}
- name: credence-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- else if include "credence.unix" . }}
- name: credence-socket
  hostPath:
    path: {{ .Values.daemonSet.hostPath }}
    type: Directory
{{- end }}
{{- if .Values.kubernetes.inCluster }}
{{ include "credence.accountVolume" . }}
{{- end }}
{{- end }}

{{- define "credence.checkContainer" -}}
- name: check-trust
  image: {{ include "credence.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - check
    - --fail-on={{ .Values.trust.failOn }}
    {{- with include "credence.tableArgs" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    - /etc/credence/trust
    {{- if .Values.blocks.enabled }}
    - /etc/credence/blocks
    {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.checkResources | nindent 4 }}
  volumeMounts:
    {{- include "credence.tableMounts" . | nindent 4 }}
{{- end }}

{{- define "credence.httpProbe" -}}
httpGet:
  path: {{ .path }}
  port: admin
{{ toYaml .probe }}
{{- end }}

{{- define "credence.readinessProbe" -}}
{{- $probe := .Values.probes.readiness -}}
{{- $http := or (eq $probe.type "http") (include "credence.mtls" .) (include "credence.unix" .) -}}
{{- if $http -}}
{{ include "credence.httpProbe" (dict "path" "/readyz" "probe" (omit $probe "type")) }}
{{- else -}}
grpc:
  port: {{ .Values.listen.grpcPort }}
  service: envoy.service.auth.v3.Authorization
{{ toYaml (omit $probe "type") }}
{{- end -}}
{{- end }}

{{- define "credence.container" -}}
- name: credence
  image: {{ include "credence.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    {{- include "credence.args" . | nindent 4 }}
  {{- with .Values.extraEnv }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    {{- if not (include "credence.unix" .) }}
    - {name: grpc, containerPort: {{ .Values.listen.grpcPort }}, protocol: TCP}
    {{- end }}
    - {name: admin, containerPort: {{ .Values.listen.adminPort }}, protocol: TCP}
  startupProbe:
    {{- include "credence.httpProbe" (dict "path" "/healthz" "probe" .Values.probes.startup) | nindent 4 }}
  livenessProbe:
    {{- include "credence.httpProbe" (dict "path" "/healthz" "probe" .Values.probes.liveness) | nindent 4 }}
  readinessProbe:
    {{- include "credence.readinessProbe" . | nindent 4 }}
  {{- if .Values.preStopSleepSeconds }}
  lifecycle:
    preStop:
      sleep:
        seconds: {{ .Values.preStopSleepSeconds }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    {{- include "credence.mounts" . | nindent 4 }}
{{- end }}

{{- define "credence.spread" -}}
{{- $selector := fromYaml (include "credence.podSelector" .) -}}
{{- range .Values.topologySpreadConstraints }}
{{- $own := dict -}}
{{- if not (hasKey . "labelSelector") -}}
{{- $own = dict "labelSelector" (dict "matchLabels" $selector) "matchLabelKeys" (list "pod-template-hash") -}}
{{- end }}
- {{ toYaml (merge (dict) . $own) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "credence.pod" -}}
metadata:
  labels:
    {{- toYaml (merge (dict) (fromYaml (include "credence.podSelector" .)) (omit (fromYaml (include "credence.labels" .)) "helm.sh/chart") .Values.podLabels .Values.commonLabels) | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: credence
    {{- with merge (dict) .Values.podAnnotations .Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "credence.serviceAccountName" . }}
  automountServiceAccountToken: false
  # A Service called credence would set CREDENCE_… variables, which the program reads as its flags.
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
  {{- with get $.Values $key }}
  {{ $key }}: {{ . }}
  {{- end }}
  {{- end }}
  {{- range $key := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "affinity" }}
  {{- with get $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- if eq .Values.mode "Deployment" }}
  {{- with include "credence.spread" . | trim }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  {{- end }}
  initContainers:
    {{- with .Values.extraInitContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "credence.checkContainer" . | nindent 4 }}
  containers:
    {{- include "credence.container" . | nindent 4 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "credence.volumes" . | nindent 4 }}
{{- end }}
