{{/* Names and times that Kubernetes, cert-manager or the program itself would refuse later. */}}

{{- define "credence.checkName" -}}
{{- $full := include "credence.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full) -}}
{{- fail (printf "\n\nThe release %s would have objects called %q, and no Service may be: small letters, digits and hyphens, a letter first. Set `fullnameOverride`." .Release.Name $full) -}}
{{- end -}}
{{- end }}

{{/* As `--allow-peer` reads them. */}}
{{- define "credence.checkPeers" -}}
{{- $peers := .Values.tls.allowPeer -}}
{{- if and (has "any" $peers) (gt (len $peers) 1) -}}
{{- fail "\n\n`tls.allowPeer` has `any` beside names, which would make them meaningless: leave one or the other out." -}}
{{- end -}}
{{- range $peers -}}
{{- if contains "*" . -}}
{{- fail (printf "\n\n`tls.allowPeer` has %q, and there are no wildcards: write out each name, or `any` for whatever the authority signed." .) -}}
{{- else if regexMatch "^(?i:spiffe:)" . -}}
{{- if or (not (regexMatch "^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*$" .)) (regexMatch "/[.]{1,2}(/|$)" .) -}}
{{- fail (printf "\n\n`tls.allowPeer` has %q, which is no SPIFFE ID: write spiffe://trust-domain/path, in the case in which it was issued, without a slash at the end." .) -}}
{{- end -}}
{{- else if regexMatch "^(dns:)?[0-9]+([.][0-9]+){3}$" . -}}
{{- fail (printf "\n\n`tls.allowPeer` has %q, and an address proves nobody: write the DNS name or the SPIFFE ID of the certificate." .) -}}
{{- else if not (or (and (contains "://" .) (not (hasPrefix "dns:" .)) (regexMatch "^[!-~]+$" .)) (regexMatch "^(dns:)?[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$" .)) -}}
{{- fail (printf "\n\n`tls.allowPeer` has %q: write a SPIFFE ID such as spiffe://acme.test/ns/gateway/sa/envoy, a DNS name such as gateway.acme.test, or `any`." .) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A file is on a volume that can be written. */}}
{{- define "credence.checkDecisionLog" -}}
{{- $log := .Values.config.decisionLog -}}
{{- if and (hasPrefix "/" $log) (eq (toString (get .Values.securityContext "readOnlyRootFilesystem")) "true") -}}
{{- $there := dict -}}
{{- range .Values.extraVolumeMounts -}}
{{- if and (not (get . "readOnly")) (hasPrefix (printf "%s/" (trimSuffix "/" (toString (get . "mountPath")))) $log) -}}
{{- $_ := set $there "volume" true -}}
{{- end -}}
{{- end -}}
{{- if not $there -}}
{{- fail (printf "\n\n`config.decisionLog: %s` is on no volume that can be written, and no pod would start: mount one there with `extraVolumes` and `extraVolumeMounts`, or write `stdout`." $log) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The seconds of a duration such as 1h30m. */}}
{{- define "credence.seconds" -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" . -1 -}}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | int64) (get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[hms]" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end }}

{{- define "credence.checkCertificate" -}}
{{- $manager := .Values.tls.certManager -}}
{{- $lives := include "credence.seconds" $manager.duration | int64 -}}
{{- $before := include "credence.seconds" $manager.renewBefore | int64 -}}
{{- if lt $lives 3600 -}}
{{- fail (printf "\n\n`tls.certManager.duration: %s` is less than the hour that cert-manager asks for at least: raise it." $manager.duration) -}}
{{- end -}}
{{- if lt $before 300 -}}
{{- fail (printf "\n\n`tls.certManager.renewBefore: %s` is less than the 5 minutes that cert-manager asks for at least: raise it." $manager.renewBefore) -}}
{{- end -}}
{{- if ge $before $lives -}}
{{- fail (printf "\n\n`tls.certManager.renewBefore: %s` is not less than `tls.certManager.duration: %s`: the certificate would have to be renewed before it is there. A third of its life is usual." $manager.renewBefore $manager.duration) -}}
{{- end -}}
{{- end }}
