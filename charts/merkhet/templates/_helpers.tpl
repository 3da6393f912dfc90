{{- define "merkhet.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "merkhet.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "merkhet.name" .) -}}
{{- end -}}

{{- /* The user name the API server knows the operator by. */ -}}
{{- define "merkhet.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "merkhet.serviceAccount" . }}
{{- end -}}

{{- /* The Secret whose key FeatureSets are shared by. */ -}}
{{- define "merkhet.shareSecret" -}}
{{- .Values.sharing.secretName | default (printf "%s-share" (include "merkhet.name" .)) -}}
{{- end -}}

{{- define "merkhet.selector" -}}
app.kubernetes.io/name: merkhet
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "merkhet.labels" -}}
{{ include "merkhet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: merkhet
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* Rules of the operator, generated from the kinds: namespaces, cluster, leader or heartbeat. */ -}}
{{- define "merkhet.rules" -}}
{{- $rules := .root.Files.Get "files/operator-rules.yaml" | fromYaml -}}
{{- toYaml (index $rules .part) -}}
{{- end -}}

{{- /* What the operator may do besides, where it approves for trainings with `approval: Automatic`, and says of versions that a run made them. */ -}}
{{- define "merkhet.approvalRules" -}}
{{- if and .Values.approvals.enabled .Values.approvals.automatic }}
- apiGroups: [merkhet.dev]
  resources: [modelversions]
  verbs: [approve]
{{- end }}
{{- if .Values.approvals.enabled }}
- apiGroups: [merkhet.dev]
  resources: [modelversions]
  verbs: [attest]
{{- end }}
{{- end -}}
