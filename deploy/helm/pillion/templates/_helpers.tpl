{{- define "pillion.name" -}}
{{- printf "%s-injector" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "pillion.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: pillion
{{ include "pillion.selector" . }}
{{- end -}}

{{- define "pillion.selector" -}}
app.kubernetes.io/name: pillion
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: injector
{{- end -}}

{{- define "pillion.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "pillion.tlsSecret" -}}
{{- if eq .Values.certificates.source "secret" -}}
{{ required "certificates.secret.name is needed with certificates.source: secret" .Values.certificates.secret.name }}
{{- else -}}
{{ include "pillion.name" . }}-tls
{{- end -}}
{{- end -}}

{{/* The settings file of `pillion inject`. */}}
{{- define "pillion.settings" -}}
{{- $sidecar := .Values.sidecar -}}
kubernetes_version: {{ .Capabilities.KubeVersion.Version | trimPrefix "v" | quote }}
image: {{ include "pillion.image" . | quote }}
image_pull_policy: {{ .Values.image.pullPolicy }}
{{- with $sidecar.source }}
source: {{ . | quote }}
{{- end }}
{{- with $sidecar.configMap }}
config_map: {{ . | quote }}
{{- end }}
{{- with $sidecar.ca }}
ca: {{ . | quote }}
{{- end }}
{{- with $sidecar.tokenSecret }}
token_secret: {{ . | quote }}
{{- end }}
audience: {{ $sidecar.audience | quote }}
env_sdks: {{ toJson $sidecar.sdks }}
{{- with $sidecar.team }}
team: {{ . | quote }}
{{- end }}
{{- with $sidecar.environment }}
environment: {{ . | quote }}
{{- end }}
cpu_request: {{ $sidecar.resources.cpuRequest | quote }}
{{- with $sidecar.resources.cpuLimit }}
cpu_limit: {{ . | quote }}
{{- end }}
memory_request: {{ $sidecar.resources.memoryRequest | quote }}
memory_limit: {{ $sidecar.resources.memoryLimit | quote }}
{{- with $sidecar.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.profiles }}
profiles:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Which namespaces a rule never applies to. Not this release's: its own pods say that they want no sidecar. */}}
{{- define "pillion.excluded" -}}
- key: kubernetes.io/metadata.name
  operator: NotIn
  values: {{ toJson .Values.selection.excludedNamespaces }}
{{- end -}}

{{/* A text as an expression's own. */}}
{{- define "pillion.cel" -}}
'{{ . | toString | replace "\\" "\\\\" | replace "'" "\\'" | replace "\n" "\\n" }}'
{{- end -}}

{{/* What an annotation of ours says, by its name; a list, which is empty where there is none. For conditions, which have no
variables. */}}
{{- define "pillion.asked" -}}
(has(object.metadata.annotations) && 'pillion.dev/{{ . }}' in object.metadata.annotations ? [object.metadata.annotations['pillion.dev/{{ . }}'].trim()] : [])
{{- end -}}

{{/* The same where nothing is wrong with it, or what is usual, an expression: (list NAME USUAL). */}}
{{- define "pillion.said" -}}
'pillion.dev/{{ first . }}' in variables.annotations ? variables.annotations['pillion.dev/{{ first . }}'].trim() : {{ last . }}
{{- end -}}

{{/* An error that says what is wrong, an expression: there is no other way to say it. By `failurePolicy` it refuses the pod,
or leaves it as it is. */}}
{{- define "pillion.refuse" -}}
{'': false}[{{ . }}]
{{- end -}}

{{/* A mutation that adds a variable to those that are told, but for some: `variable` and `unless`, of `it`. */}}
{{- define "pillion.tell" -}}
- patchType: JSONPatch
  jsonPatch:
    expression: >-
      variables.told.filter(it, !it.env.exists(e, e.name in {{ toJson .unless | replace "\"" "'" }}))
      .map(it, size(it.env) == 0
      ? JSONPatch{op: 'add', path: it.at, value: [{{ .variable }}]}
      : JSONPatch{op: 'add', path: it.at + '/-', value: {{ .variable }}})
{{- end -}}
