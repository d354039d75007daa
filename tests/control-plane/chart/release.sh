# Installing, upgrading and uninstalling.

release() { local verb=$1; shift; "$HELM" "$verb" engage-operator "$@" --namespace "$own"; }
installs() { release install "${1:-$chart}" --values "$work/values.yaml"; are_established; }
upgrade() { release upgrade "$chart" --values "$work/values.yaml" "$@"; }

are_established() {
    kubectl wait --for=condition=Established --timeout=30s \
        crd/engagedestinations.engage-operator.dev crd/studioflows.engage-operator.dev
}

# ── from an older version

# This chart as an earlier one might have been: its definition of a destination does not know `consent` yet.
installs_an_older_version() {
    cp -R "$chart" "$work/older"
    sed -i.bak 's/^version: .*/version: 0.0.1/' "$work/older/Chart.yaml"
    awk '/^ *consent:$/ { depth = index($0, "c"); next } depth && index($0, $1) > depth { next } { depth = 0; print }' \
        "$chart/files/crds/engagedestinations.yaml" >"$work/older/files/crds/engagedestinations.yaml"
    fails diff "$chart/files/crds/engagedestinations.yaml" "$work/older/files/crds/engagedestinations.yaml"
    installs "$work/older"
}

field_is_unknown() {
    kubectl apply --server-side --namespace "$served" --filename - <<<"$lead_welcome"
    fails kubectl apply --server-side --namespace "$served" --filename - <<<"$lead_welcome$consent" >"$work/refused" 2>&1
    cat "$work/refused"
    grep -qF consent "$work/refused"
}

upgrade_brings_the_definitions() {
    upgrade
    are_established
    kubectl get --namespace "$served" "$destinations" lead-welcome
}

field_is_known() {
    within 10 consent_is_applied
    [[ $(kubectl get --namespace "$served" "$destinations" lead-welcome --output 'jsonpath={.spec.consent.trait}') == whatsapp_opt_in ]]
}

consent_is_applied() { kubectl apply --server-side --namespace "$served" --filename - <<<"$lead_welcome$consent"; }
consent='
  consent: {trait: whatsapp_opt_in}'
lead_welcome='
apiVersion: engage-operator.dev/v1alpha1
kind: EngageDestination
metadata: {name: lead-welcome}
spec:
  twilio: {credentialsRef: {name: twilio}}
  segment: {credentialsRef: {name: segment}}
  whatsapp:
    messagingServiceSid: MG00000000000000000000000000000001
    contentSid: HX00000000000000000000000000000001'

# ── the Pods

# The Pod of a Deployment, offered to the API server, whose namespace admits only "restricted" ones.
pod_is_admitted() {
    local spec
    spec=$(kubectl get deployment --namespace "$own" "engage-operator-$1" --output 'jsonpath={.spec.template.spec}')
    [[ $spec == *"\"serviceAccountName\":\"engage-operator-$1\""* ]]
    kubectl create --dry-run=server --namespace "$own" --filename - \
        <<<"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"try\"},\"spec\":$spec}"
}

# That the namespace does refuse Pods; otherwise the test above would say nothing.
another_pod_is_refused() {
    fails kubectl create --dry-run=server --namespace "$own" --filename - >"$work/refused" 2>&1 \
        <<<'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"try"},"spec":{"serviceAccountName":"engage-operator-gateway","containers":[{"name":"x","image":"x"}]}}'
    cat "$work/refused"
    grep -qF 'violates PodSecurity "restricted' "$work/refused"
}

# The address that the controller is given is a Service of its namespace, which leads to that port of the gateway's Pods.
admin_service_leads_to_the_gateway() {
    local argument host port selector labels
    argument=$(arguments_of controller | sed -n 's|^--gateway-admin-url=http://||p')
    host=${argument%:*} port=${argument##*:}
    [[ $(kubectl get service --namespace "$own" "$host" --output "jsonpath={.spec.type} {.spec.ports[?(@.port==$port)].targetPort}") == 'ClusterIP admin' ]]
    arguments_of gateway | grep -x -e "--admin-listen=.*:$(admin_port_of gateway)"
    selector=$(kubectl get service --namespace "$own" "$host" --output 'jsonpath={.spec.selector}')
    labels=$(kubectl get deployment --namespace "$own" engage-operator-gateway --output 'jsonpath={.spec.template.metadata.labels}')
    python3 -c 'import json, sys; selector, labels = map(json.loads, sys.argv[1:]); assert selector.items() <= labels.items(), selector' \
        "$selector" "$labels"
    [[ $selector == *'"app.kubernetes.io/component":"gateway"'* ]]
}

arguments_of() {
    kubectl get deployment --namespace "$own" "engage-operator-$1" --output 'jsonpath={range .spec.template.spec.containers[0].args[*]}{@}{"\n"}{end}'
}

admin_port_of() {
    kubectl get deployment --namespace "$own" "engage-operator-$1" \
        --output 'jsonpath={.spec.template.spec.containers[0].ports[?(@.name=="admin")].containerPort}'
}

# ── upgrades

upgrade_changes_the_flags() {
    local role
    upgrade --set publicUrl=https://engage.example.com
    for role in controller gateway; do
        arguments_of "$role" | grep -Fx -e --public-url=https://engage.example.com
    done
}

# Kind, name and resourceVersion of what belongs to the release; a rollout or a write would show.
versions() {
    kubectl get --namespace "$own" --output 'custom-columns=:kind,:metadata.name,:metadata.resourceVersion' --no-headers \
        deployment,service,serviceaccount,persistentvolumeclaim,role,rolebinding,clusterrole,clusterrolebinding,crd \
        --selector app.kubernetes.io/part-of=engage-operator
}

upgrade_to_the_same_writes_nothing() {
    versions >"$work/before"
    [[ -s $work/before ]]
    upgrade --set publicUrl=https://engage.example.com
    versions | diff "$work/before" -
}

another_release_is_refused() {
    fails "$HELM" install another "$chart" "$@" >"$work/refused" 2>&1
    cat "$work/refused"
    grep -qE 'exists and cannot be imported|cannot be imported into the current release' "$work/refused"
}

upgrade_to_namespaces() {
    upgrade --set "watchNamespaces={$served}"
    fails kubectl get clusterrole engage-operator-controller
    fails kubectl get clusterrolebinding engage-operator-gateway
}

# ── uninstalling

uninstall_keeps_what_matters() {
    release uninstall
    kubectl get crd engagedestinations.engage-operator.dev studioflows.engage-operator.dev
    kubectl get --namespace "$served" "$destinations" lead-welcome
    kubectl get --namespace "$own" persistentvolumeclaim engage-operator-gateway-journal
}

uninstall_removes_the_rest() {
    local rest
    rest=$(kubectl get --namespace "$own" --output name --selector app.kubernetes.io/part-of=engage-operator \
        deployment,service,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding)
    rest+=$(kubectl get --namespace "$served" --output name --selector app.kubernetes.io/part-of=engage-operator role,rolebinding)
    echo "$rest"
    [[ ! $rest ]]
}

uninstall_without_keep_removes_everything() {
    upgrade --set crds.keep=false,gateway.persistence.keep=false
    release uninstall
    kubectl wait --for=delete --timeout=30s crd/engagedestinations.engage-operator.dev crd/studioflows.engage-operator.dev
    fails kubectl get crd engagedestinations.engage-operator.dev
}

kustomize_base_is_accepted() {
    mkdir -p "$work/overlay"
    # kustomize takes no absolute paths.
    cp -R "$root/manifests/base" "$work/base"
    # The overlay that its head shows.
    sed -n 's/^#   //p' "$root/manifests/base/kustomization.yaml" | sed "s/^namespace: .*/namespace: $own/" >"$work/overlay/kustomization.yaml"
    kubectl apply --server-side --dry-run=server --kustomize "$work/overlay"
    kubectl kustomize "$work/overlay" >"$work/kustomized"
    (($(grep -c -e '--public-url=https://engage.example.com' "$work/kustomized") == 2))
    (($(grep -c 'image: registry.example.com/engage-operator:' "$work/kustomized") == 2))
    # The bindings follow the namespace.
    fails grep -n 'namespace: engage-operator$' "$work/kustomized"
}

