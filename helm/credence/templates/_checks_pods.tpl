{{/* Numbers and words that no pod could run by, or that would keep one from being replaced. */}}

{{/* A quantity of memory in bytes, Kubernetes' (64Mi, 1.5G) or credence's (64MiB); nothing where it is written otherwise. */}}
{{- define "credence.bytes" -}}
{{- $text := include "credence.scalar" . -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text -}}
{{- $units := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 -}}
{{- $unit := trimPrefix $number $text -}}
{{- if and $number (or (not $unit) (hasKey $units $unit)) -}}
{{- mulf (float64 $number) (float64 (ternary 1 (get $units $unit) (not $unit))) | int64 -}}
{{- end -}}
{{- end }}

{{/* The least number of replicas that there are. */}}
{{- define "credence.replicas" -}}
{{- if .Values.autoscaling.enabled }}{{ int .Values.autoscaling.minReplicas }}{{ else }}{{ int .Values.replicaCount }}{{ end -}}
{{- end }}

{{- define "credence.checkConfig" -}}
{{- $values := .Values -}}
{{- range splitList "," $values.config.logLevel -}}
{{- if not (regexMatch "^([A-Za-z0-9_:]+=)?(off|error|warn|info|debug|trace)$" .) -}}
{{- fail (printf "\n\n`config.logLevel` has %q, by which no pod would start: write error, warn, info, debug, trace or off, or TARGET=LEVEL, such as credence=debug." .) -}}
{{- end -}}
{{- end -}}
{{- if and (not (include "credence.unix" .)) (eq (int $values.listen.grpcPort) (int $values.listen.adminPort)) -}}
{{- fail (printf "\n\n`listen.grpcPort` and `listen.adminPort` are both %d, which cannot be listened on twice: change one." (int $values.listen.adminPort)) -}}
{{- end -}}
{{- $own := dict -}}
{{- range fromYamlArray (include "credence.ownArgs" .) -}}
{{- $_ := set $own (splitList "=" . | first) true -}}
{{- end -}}
{{- range $values.extraArgs -}}
{{- if hasKey $own (splitList "=" . | first) -}}
{{- fail (printf "\n\n`extraArgs` has %s, which the chart writes by itself: a flag twice ends the program. Set the value that it comes from." (splitList "=" . | first)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "credence.checkMemory" -}}
{{- $limit := get (default dict (get .Values.resources "limits")) "memory" -}}
{{- if $limit -}}
{{- $asked := get (default dict (get .Values.resources "requests")) "memory" -}}
{{- $most := include "credence.bytes" $limit -}}
{{- if and $most $asked (gt (include "credence.bytes" $asked | default "0" | int64) (int64 $most)) -}}
{{- fail (printf "\n\n`resources.requests.memory` (%v) is more than `resources.limits.memory` (%v): raise the limit." $asked $limit) -}}
{{- end -}}
{{- $config := .Values.config -}}
{{- $remembered := include "credence.bytes" $config.tokenMemory | int64 -}}
{{- $what := printf "`config.tokenMemory` (%s)" (include "credence.scalar" $config.tokenMemory) -}}
{{- if not .Values.replayStore.url -}}
{{- $remembered = add $remembered (include "credence.bytes" $config.replayMemory | int64) -}}
{{- $what = printf "%s, `config.replayMemory` (%s)" $what (include "credence.scalar" $config.replayMemory) -}}
{{- end -}}
{{- if and $most (gt (add $remembered 33554432) (int64 $most)) -}}
{{- fail (printf "\n\n%s and 32 MiB for the rest are more than `resources.limits.memory` (%v): the container would be ended as they fill up. Lower them, or raise the limit." $what $limit) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether a DaemonSet's new pod comes before the old one goes. */}}
{{- define "credence.surges" -}}
{{- $surge := get (default dict (get .Values.daemonSet.updateStrategy "rollingUpdate")) "maxSurge" -}}
{{- if not (has (toString (default 0 $surge)) (list "0" "0%")) -}}true{{- end -}}
{{- end }}

{{- define "credence.checkDaemonSet" -}}
{{- $update := .Values.daemonSet.updateStrategy -}}
{{- if ne (toString (get $update "type")) "OnDelete" -}}
{{- $rolling := default dict (get $update "rollingUpdate") -}}
{{- $away := has (toString (get $rolling "maxUnavailable")) (list "0" "0%") -}}
{{- if include "credence.surges" . -}}
{{- if include "credence.unix" . -}}
{{- fail "\n\n`daemonSet.updateStrategy.rollingUpdate.maxSurge` starts a second pod on the node, which ends because the first one listens on the socket: the rollout would hang. Leave it out, or use `daemonSet.listen: tcp`, or `mode: Sidecar`." -}}
{{- else if not $away -}}
{{- fail "\n\n`daemonSet.updateStrategy.rollingUpdate.maxSurge` takes `maxUnavailable: 0` beside it, and the chart's default is 1: write both." -}}
{{- end -}}
{{- else if $away -}}
{{- fail "\n\n`daemonSet.updateStrategy.rollingUpdate.maxUnavailable: 0` without `maxSurge: 1`: no pod could ever be replaced. On a socket leave it at 1." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "credence.checkReplicas" -}}
{{- $values := .Values -}}
{{- $replicas := include "credence.replicas" . | int -}}
{{- if lt $replicas 1 -}}
{{- fail "\n\n`replicaCount: 0` leaves nobody to answer, and gateways would refuse every call: 1 or more. To take credence away, take it out of the gateways first, then uninstall." -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (not (get (default dict (get $values.resources "requests")) "cpu")) -}}
{{- fail "\n\n`autoscaling.enabled` needs `resources.requests.cpu`, of which `autoscaling.targetCPUUtilizationPercentage` is a part: give it." -}}
{{- end -}}
{{- $rolling := default dict (get $values.strategy "rollingUpdate") -}}
{{- if and (eq (toString (get $values.strategy "type")) "Recreate") $rolling -}}
{{- fail "\n\n`strategy.type: Recreate` takes no `strategy.rollingUpdate`, which the chart's defaults have: add `rollingUpdate: null`." -}}
{{- end -}}
{{- $none := list "0" "0%" -}}
{{- if and (has (toString (get $rolling "maxUnavailable")) $none) (has (toString (get $rolling "maxSurge")) $none) -}}
{{- fail "\n\n`strategy.rollingUpdate.maxUnavailable` and `maxSurge` are both 0: no pod could ever be replaced. Let `maxSurge` be 1." -}}
{{- end -}}
{{- $budget := $values.podDisruptionBudget -}}
{{- if $budget.enabled -}}
{{- if not (kindIs "invalid" $budget.minAvailable) -}}
{{- $least := toString $budget.minAvailable -}}
{{- $stay := int $budget.minAvailable -}}
{{- if hasSuffix "%" $least -}}
{{- $stay = divf (mulf (trimSuffix "%" $least | float64) $replicas) 100 | ceil | int -}}
{{- end -}}
{{- if ge $stay $replicas -}}
{{- fail (printf "\n\n`podDisruptionBudget.minAvailable: %s` of %d replicas lets none be evicted: no node that has one could ever be drained. Lower it, have more replicas (`replicaCount`, `autoscaling.minReplicas`), or use `maxUnavailable: 1`." $least $replicas) -}}
{{- end -}}
{{- else if has (toString $budget.maxUnavailable) $none -}}
{{- fail "\n\n`podDisruptionBudget.maxUnavailable: 0` lets no replica be evicted: no node that has one could ever be drained. Let it be 1." -}}
{{- end -}}
{{- end -}}
{{- end }}
