{{- /* Names of releases may have dots, and begin with a digit; those of services may not. */ -}}
{{- define "ingot-serve.name" -}}
{{- $plain := .Release.Name | replace "." "-" -}}
{{- $begun := regexMatch "^[a-z]" $plain | ternary $plain (printf "m-%s" $plain) -}}
{{- regexReplaceAll "-+$" (trunc 40 $begun) "" -}}
{{- end -}}

{{- /* A number as it was written: large ones of a file would come as 1e+07. */ -}}
{{- define "ingot-serve.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) (lt (floor .) 9e15) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{- define "ingot-serve.selector" -}}
app.kubernetes.io/name: "ingot-serve"
app.kubernetes.io/instance: {{ include "ingot-serve.name" . | quote }}
{{- end -}}

{{- define "ingot-serve.labels" -}}
{{ include "ingot-serve.selector" . }}
app.kubernetes.io/component: "model-server"
app.kubernetes.io/part-of: "ingot"
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "ingot-serve.metadata" -}}
name: {{ include "ingot-serve.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "ingot-serve.labels" . | nindent 2 }}
{{- end -}}

{{- define "ingot-serve.image" -}}
{{- $image := .Values.image -}}
{{- $tag := ternary (printf ":%s" (include "ingot-serve.text" $image.tag)) "" (ne (toString $image.tag) "") -}}
{{- $digest := ternary (printf "@%s" $image.digest) "" (ne $image.digest "") -}}
{{- printf "%s%s%s" $image.repository $tag $digest -}}
{{- end -}}

{{- /* The variables of the servers: texts, sorted. */ -}}
{{- define "ingot-serve.settings" -}}
{{- $settings := dict "INGOT_HOST" "0.0.0.0" "INGOT_PORT" "8080" "INGOT_LOG" "json" -}}
{{- $_ := set $settings "INGOT_DRAIN" (toString .Values.drainSeconds) -}}
{{- if ne .Values.delivery "baked" -}}
{{- $_ := set $settings "INGOT_CACHE" "/var/cache/ingot" -}}
{{- $_ := set $settings "INGOT_CACHE_SIZE" "16GB" -}}
{{- end -}}
{{- if eq .Values.delivery "download" -}}
{{- $_ := set $settings "INGOT_MODELS" (join "," .Values.models) -}}
{{- $_ := set $settings "INGOT_REGISTRY" .Values.registry -}}
{{- end -}}
{{- if eq .Values.delivery "image" -}}
{{- $_ := set $settings "INGOT_MODELS" "baked:/models" -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $settings $name (include "ingot-serve.text" $value) -}}
{{- end -}}
{{- range $name := keys $settings | sortAlpha }}
{{ $name }}: {{ get $settings $name | quote }}
{{- end -}}
{{- end -}}

{{- define "ingot-serve.settingsName" -}}
{{- printf "%s-settings-%s" (include "ingot-serve.name" .) (include "ingot-serve.settings" . | sha256sum | trunc 10) -}}
{{- end -}}

{{- /* TCP ports that servers may reach anywhere: TLS, that of the registry, and what was given. */ -}}
{{- define "ingot-serve.ports" -}}
{{- $written := regexFind ":[0-9]+$" (urlParse .Values.registry).host | trimPrefix ":" -}}
{{- $schemes := dict "http" "80" "webdav" "80" "sftp" "22" -}}
{{- $registry := $written | default (get $schemes (urlParse .Values.registry).scheme) | default "443" -}}
{{- $ports := list "443" $registry -}}
{{- range .Values.networkPolicy.egressPorts -}}
{{- $ports = append $ports (int . | toString) -}}
{{- end -}}
{{- range $ports | uniq }}
- {{ . }}
{{- end -}}
{{- end -}}
