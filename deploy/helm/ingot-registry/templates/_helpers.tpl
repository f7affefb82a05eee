{{- /* Names of releases may have dots, and begin with a digit; those of services may not. */ -}}
{{- define "ingot-registry.name" -}}
{{- $plain := .Release.Name | replace "." "-" -}}
{{- $begun := regexMatch "^[a-z]" $plain | ternary $plain (printf "m-%s" $plain) -}}
{{- regexReplaceAll "-+$" (trunc 40 $begun) "" -}}
{{- end -}}

{{- /* A number as it was written: large ones of a file would come as 1e+07. */ -}}
{{- define "ingot-registry.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) (lt (floor .) 9e15) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{- define "ingot-registry.selector" -}}
app.kubernetes.io/name: "ingot-registry"
app.kubernetes.io/instance: {{ include "ingot-registry.name" . | quote }}
{{- end -}}

{{- define "ingot-registry.labels" -}}
{{ include "ingot-registry.selector" . }}
app.kubernetes.io/component: "registry"
app.kubernetes.io/part-of: "ingot"
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "ingot-registry.metadata" -}}
name: {{ include "ingot-registry.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "ingot-registry.labels" . | nindent 2 }}
{{- end -}}

{{- define "ingot-registry.image" -}}
{{- $image := .Values.image -}}
{{- $tag := ternary (printf ":%s" (include "ingot-registry.text" $image.tag)) "" (ne (toString $image.tag) "") -}}
{{- $digest := ternary (printf "@%s" $image.digest) "" (ne $image.digest "") -}}
{{- printf "%s%s%s" $image.repository $tag $digest -}}
{{- end -}}

{{- /* The servers are asked by the name of their service, too. */ -}}
{{- define "ingot-registry.hosts" -}}
{{- $name := include "ingot-registry.name" . -}}
{{- $own := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) -}}
{{- $ingress := ternary (list .Values.ingress.host) (list) .Values.ingress.enabled -}}
{{- concat $own .Values.allowedHosts $ingress | uniq | join "," -}}
{{- end -}}

{{- /* The variables of the servers: texts, sorted. */ -}}
{{- define "ingot-registry.settings" -}}
{{- $settings := dict "INGOT_HOST" "0.0.0.0" "INGOT_PORT" "8585" "INGOT_LOG" "json" "INGOT_STATE" "/var/lib/ingot" "INGOT_CACHE" "/var/lib/ingot/cache" -}}
{{- $_ := set $settings "INGOT_REGISTRY" .Values.store -}}
{{- $_ := set $settings "INGOT_ALLOWED_HOSTS" (include "ingot-registry.hosts" .) -}}
{{- with .Values.trustedProxies -}}
{{- $_ := set $settings "INGOT_TRUSTED_PROXIES" (join "," .) -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $settings $name (include "ingot-registry.text" $value) -}}
{{- end -}}
{{- range $name := keys $settings | sortAlpha }}
{{ $name }}: {{ get $settings $name | quote }}
{{- end -}}
{{- end -}}

{{- define "ingot-registry.settingsName" -}}
{{- printf "%s-settings-%s" (include "ingot-registry.name" .) (include "ingot-registry.settings" . | sha256sum | trunc 10) -}}
{{- end -}}
