{{/* What the notes say at length. */}}

{{/* The commands that bring the table, as the pods have it, into the file or the directory that `credence.savedTable` names. */}}
{{- define "credence.saveTable" -}}
{{- $in := printf "kubectl -n %s get configmap" (include "credence.namespace" .) -}}
{{- $one := "%s %s -o go-template='{{index .data %q}}' > %s" -}}
{{- $trust := .Values.trust -}}
{{- if ne (include "credence.savedTable" .) "trust.yaml" }}
  mkdir -p trust
{{- end }}
{{- if $trust.configMaps }}
{{- range $source := $trust.configMaps }}
{{- range default (list "trust.yaml") $source.keys }}
  {{ printf $one $in $source.name . (printf "trust/%s.%s" $source.name .) }}
{{- end }}
{{- end }}
{{- else if $trust.existingConfigMap }}
  for file in $({{ $in }} {{ $trust.existingConfigMap }} -o go-template='{{ "{{range $name, $_ := .data}}{{$name}} {{end}}" }}'); do
    {{ $in }} {{ $trust.existingConfigMap }} -o go-template="{{ "{{index .data \\\"$file\\\"}}" }}" > "trust/$file"
  done
{{- else if $trust.files }}
{{- range $name := concat (list "trust.yaml") (keys $trust.files | sortAlpha) }}
  {{ printf $one $in (include "credence.trustConfigMap" $) $name (printf "trust/%s" $name) }}
{{- end }}
{{- else }}
  {{ printf $one $in (include "credence.trustConfigMap" .) "trust.yaml" "trust.yaml" }}
{{- end }}
{{- end }}

{{/* A directory, unless the whole table is one file. */}}
{{- define "credence.savedTable" -}}
{{- if or .Values.trust.configMaps .Values.trust.existingConfigMap .Values.trust.files }}trust{{ else }}trust.yaml{{ end -}}
{{- end }}

{{/* Closes the admin port of gateways that have a sidecar, and no other port. Policies add up: beside another one of the same
pods this would open what that one closes. */}}
{{- define "credence.sidecarPolicy" -}}
{{- $port := int .Values.listen.adminPort -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "credence.fullname" . }}-admin
  namespace: {{ include "credence.namespace" . }}
spec:
  podSelector:
    matchLabels:
      {{- toYaml (default (dict "labels-of" "your-gateways") .Values.podMonitor.sidecarSelector) | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - ports:
        {{- if gt $port 1 }}
        - {protocol: TCP, port: 1, endPort: {{ sub $port 1 }}}
        {{- end }}
        {{- if lt $port 65535 }}
        - {protocol: TCP, port: {{ add $port 1 }}, endPort: 65535}
        {{- end }}
        - {protocol: UDP, port: 1, endPort: 65535}
    {{- with .Values.networkPolicy.monitoring }}
    - from:
        {{- toYaml . | nindent 8 }}
      ports:
        - {protocol: TCP, port: {{ $port }}}
    {{- end }}
{{- end }}
