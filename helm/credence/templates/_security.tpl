{{/* What keeps a captured credence in its container: the restricted Pod Security Standard, and a root that cannot be written. */}}

{{/* Every value that opens it, with what to write instead, as JSON. Nothing is taken for granted that is only left out. */}}
{{- define "credence.openings" -}}
{{- $own := .Values.securityContext -}}
{{- $pod := ternary (dict) .Values.podSecurityContext (eq .Values.mode "Sidecar") -}}
{{- $found := list -}}
{{- range $name, $context := dict "securityContext" $own "podSecurityContext" $pod -}}
{{- if eq (toString (get $context "runAsUser")) "0" -}}
{{- $found = append $found (printf "%s.runAsUser is 0, which is root: any other number" $name) -}}
{{- end -}}
{{- if eq (toString (get $context "runAsNonRoot")) "false" -}}
{{- $found = append $found (printf "%s.runAsNonRoot is false: true" $name) -}}
{{- end -}}
{{- $profile := get (default dict (get $context "seccompProfile")) "type" -}}
{{- if and $profile (not (has $profile (list "RuntimeDefault" "Localhost"))) -}}
{{- $found = append $found (printf "%s.seccompProfile.type is %s: RuntimeDefault" $name $profile) -}}
{{- end -}}
{{- if eq (toString (get (default dict (get $context "appArmorProfile")) "type")) "Unconfined" -}}
{{- $found = append $found (printf "%s.appArmorProfile.type is Unconfined: RuntimeDefault" $name) -}}
{{- end -}}
{{- if get (default dict (get $context "windowsOptions")) "hostProcess" -}}
{{- $found = append $found (printf "%s.windowsOptions.hostProcess is true: leave it out" $name) -}}
{{- end -}}
{{- end -}}
{{- if not (or (hasKey $own "runAsNonRoot") (hasKey $pod "runAsNonRoot")) -}}
{{- $found = append $found "securityContext.runAsNonRoot is left out: true" -}}
{{- end -}}
{{- if not (or (get $own "seccompProfile") (get $pod "seccompProfile")) -}}
{{- $found = append $found "securityContext.seccompProfile is left out: {type: RuntimeDefault}" -}}
{{- end -}}
{{- if get $own "privileged" -}}
{{- $found = append $found "securityContext.privileged is true: false" -}}
{{- end -}}
{{- if ne (toString (get $own "allowPrivilegeEscalation")) "false" -}}
{{- $found = append $found "securityContext.allowPrivilegeEscalation is not false: false" -}}
{{- end -}}
{{- if ne (toString (get $own "readOnlyRootFilesystem")) "true" -}}
{{- $found = append $found "securityContext.readOnlyRootFilesystem is not true: true" -}}
{{- end -}}
{{- $capabilities := default dict (get $own "capabilities") -}}
{{- if not (has "ALL" (default list (get $capabilities "drop"))) -}}
{{- $found = append $found "securityContext.capabilities.drop lacks ALL: [ALL]" -}}
{{- end -}}
{{- range without (default list (get $capabilities "add")) "NET_BIND_SERVICE" -}}
{{- $found = append $found (printf "securityContext.capabilities.add has %s: credence needs none" .) -}}
{{- end -}}
{{- if and (get $own "procMount") (ne (get $own "procMount") "Default") -}}
{{- $found = append $found (printf "securityContext.procMount is %s: leave it out" (get $own "procMount")) -}}
{{- end -}}
{{- range .Values.extraVolumes -}}
{{- if hasKey . "hostPath" -}}
{{- $found = append $found (printf "extraVolumes has %s, a directory of the node: another kind of volume" (get . "name")) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{- define "credence.checkSecurity" -}}
{{- $found := fromJsonArray (include "credence.openings" .) -}}
{{- if and $found (not .Values.unrestricted) -}}
{{- fail (printf "\n\nWhoever captured credence would get out of its container by these values. Each with what to write instead:\n  - %s\nWhere it has to be so, say `unrestricted: true`: the notes will name them." (join "\n  - " $found)) -}}
{{- end -}}
{{- end }}
