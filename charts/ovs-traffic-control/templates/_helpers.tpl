{{/* Labels of every object; the argument is the root context. Pods have otc.selector only: a new chart is no new Pod. */}}
{{- define "otc.labels" -}}
app.kubernetes.io/name: ovs-traffic-control
app.kubernetes.io/part-of: ovs-traffic-control
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What a Deployment selects; the argument is the component. */}}
{{- define "otc.selector" -}}
app.kubernetes.io/name: ovs-traffic-control
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "otc.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The names of the two objects that Pepr keeps: pepr-<uuid of the module>-store and -schedule. */}}
{{- define "otc.peprStores" -}}
[pepr-traffic-control-store, pepr-traffic-control-schedule]
{{- end }}

{{/*
Whether to render an object that another Pepr module may own: yes if it is missing or this release's own already.
Arguments: root, apiVersion, kind, name.
*/}}
{{- define "otc.ours" -}}
{{- $found := lookup .apiVersion .kind "" .name -}}
{{- $annotations := dig "metadata" "annotations" dict $found -}}
{{- $release := printf "%s/%s" .root.Release.Namespace .root.Release.Name -}}
{{- $owner := printf "%s/%s" (get $annotations "meta.helm.sh/release-namespace") (get $annotations "meta.helm.sh/release-name") -}}
{{- if or (not $found) (eq $owner $release) }}true{{ end -}}
{{- end }}

{{/* What the controller and the drain are told: the same, or the drain would start programmers anew. */}}
{{- define "otc.controllerEnv" -}}
{{- with .Values }}
- { name: NODES_NAMESPACE, value: {{ .nodesNamespace.name | quote }} }
- { name: PROGRAMMER_IMAGE, value: {{ include "otc.image" $ | quote }} }
- { name: PROGRAMMER_MODE, value: {{ .programmer.mode | quote }} }
- { name: JOBS_IN_FLIGHT, value: {{ .programmer.jobsInFlight | int | quote }} }
- { name: JOBS_PER_SECOND, value: {{ .programmer.jobsPerSecond | quote }} }
- { name: LINGER_SECONDS, value: {{ .programmer.lingerSeconds | int | quote }} }
- { name: OVS_RUNDIR, value: {{ .programmer.ovsRunDirectory | quote }} }
- { name: NETNS_DIR, value: {{ .programmer.netnsDirectory | quote }} }
- { name: KEEP_CERTIFICATES, value: {{ not .certificates.certManager.enabled | quote }} }
{{- end }}
{{- end }}

{{/* Variables of every process of ours but the programmers; the argument is the root context. */}}
{{- define "otc.commonEnv" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- { name: METRICS_PORT, value: "8080" }
- { name: LOG_LEVEL, value: {{ .Values.logLevel }} }
{{- end }}

{{/* Whom cert-manager's cainjector takes caBundle from; nothing where the controller writes it. */}}
{{- define "otc.caSource" -}}
{{- if .Values.certificates.certManager.enabled }}cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/ovs-traffic-control-webhook{{ end -}}
{{- end }}

{{/* Pod Security Standard "restricted". */}}
{{- define "otc.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "otc.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/*
One of the two Deployments. Arguments: root, component (admission or controller), values (of the component), env (YAML list
of its own variables), ports (YAML list of its own), secret (name of one that is mounted at /certificates).
*/}}
{{- define "otc.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ovs-traffic-control-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "otc.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 3
  strategy:
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  selector:
    matchLabels:
      {{- include "otc.selector" .component | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "otc.selector" .component | nindent 8 }}
        # Its own traffic is never selected by a TrafficControl.
        ovs-traffic-control.dev/operator: "true"
      annotations:
        kubectl.kubernetes.io/default-container: {{ .component }}
        {{- with .root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: ovs-traffic-control-{{ .component }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      # The API server's address is in the environment; nothing else is looked up, so a broken cluster DNS is no trouble.
      dnsPolicy: Default
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: 30
      securityContext:
        {{- include "otc.podSecurity" . | nindent 8 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "otc.selector" .component | nindent 14 }}
          # Without it, the Pods of the revision before count too, and an upgrade leaves both on one node.
          matchLabelKeys: [pod-template-hash]
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "otc.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          command: [node, /app/main.js, {{ .component }}]
          env:
            {{- include "otc.commonEnv" .root | nindent 12 }}
            {{- with .env }}
            {{- . | nindent 12 }}
            {{- end }}
          ports:
            - { name: metrics, containerPort: 8080, protocol: TCP }
            {{- with .ports }}
            {{- . | nindent 12 }}
            {{- end }}
          startupProbe:
            httpGet: { path: /healthz, port: metrics }
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe:
            httpGet: { path: /readyz, port: metrics }
            periodSeconds: 2
            timeoutSeconds: 2
          livenessProbe:
            httpGet: { path: /healthz, port: metrics }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "otc.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - { name: tmp, mountPath: /tmp }
            {{- if .secret }}
            - { name: certificates, mountPath: /certificates, readOnly: true }
            {{- end }}
      volumes:
        {{- with .secret }}
        - name: certificates
          # The container is not root; nobody else is in it.
          secret: { secretName: {{ . }}, defaultMode: 0444 }
        {{- end }}
        - name: tmp
          # The certificate's key is written here for Pepr, which takes files only: memory, never a disk.
          emptyDir: { medium: Memory, sizeLimit: 16Mi }
{{- end }}

{{- define "otc.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: ovs-traffic-control-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "otc.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  maxUnavailable: 1
  # A Pod that is broken anyway must not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "otc.selector" .component | nindent 6 }}
{{- end }}

{{/* The binding of a ValidatingAdmissionPolicy of the same name: what it refuses is refused. Arguments: root, name. */}}
{{- define "otc.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "otc.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end }}
