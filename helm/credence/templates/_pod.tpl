{{/* Container and pod, the same in a Deployment, a DaemonSet and beside a gateway. */}}

{{- define "credence.socketDir" -}}
{{- if eq .Values.mode "Sidecar" }}{{ .Values.sidecar.socketDir }}{{ else }}/run/credence{{ end -}}
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

{{/* By HTTP; by the program itself where the kubelet does not reach the port. In: root, path, probe. */}}
{{- define "credence.httpProbe" -}}
{{- if include "credence.adminClosed" .root -}}
exec:
  command:
    - /credence
    - status
    - --timeout=0
    {{- if eq .path "/readyz" }}
    - --ready
    {{- end }}
    - http://127.0.0.1:{{ .root.Values.listen.adminPort }}
{{- else -}}
httpGet:
  path: {{ .path }}
  port: admin
{{- end }}
{{ toYaml .probe }}
{{- end }}

{{- define "credence.readinessProbe" -}}
{{- $probe := .Values.probes.readiness -}}
{{- $http := or (eq $probe.type "http") (include "credence.mtls" .) (include "credence.unix" .) -}}
{{- if $http -}}
{{ include "credence.httpProbe" (dict "root" . "path" "/readyz" "probe" (omit $probe "type")) }}
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
  {{- if eq .Values.mode "Sidecar" }}
  restartPolicy: Always
  {{- end }}
  args:
    {{- include "credence.args" . | nindent 4 }}
  {{- with include "credence.env" . | trim }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not (include "credence.adminClosed" .) }}
  ports:
    {{- if not (include "credence.unix" .) }}
    - {name: grpc, containerPort: {{ .Values.listen.grpcPort }}, protocol: TCP}
    {{- end }}
    - {name: admin, containerPort: {{ .Values.listen.adminPort }}, protocol: TCP}
  {{- end }}
  startupProbe:
    {{- include "credence.httpProbe" (dict "root" . "path" "/healthz" "probe" .Values.probes.startup) | nindent 4 }}
  livenessProbe:
    {{- include "credence.httpProbe" (dict "root" . "path" "/healthz" "probe" .Values.probes.liveness) | nindent 4 }}
  readinessProbe:
    {{- include "credence.readinessProbe" . | nindent 4 }}
  {{- if and .Values.preStopSleepSeconds (ne .Values.mode "Sidecar") }}
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
