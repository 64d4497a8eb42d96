{{/* What is mounted where. */}}

{{- define "credence.tlsSecret" -}}
{{- default (printf "%s-tls" (include "credence.fullname" .)) .Values.tls.existingSecret -}}
{{- end }}

{{- define "credence.trustConfigMap" -}}
{{- default (printf "%s-trust" (include "credence.fullname" .)) .Values.trust.existingConfigMap -}}
{{- end }}

{{- define "credence.blocksConfigMap" -}}
{{- default (printf "%s-blocks" (include "credence.fullname" .)) .Values.blocks.existingConfigMap -}}
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
