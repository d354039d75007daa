# What the chart renders and what it refuses.

render() { "$HELM" template engage-operator "$chart" --namespace engage-operator "$@"; }

# ── what it renders

lint() { "$HELM" lint --strict "$chart" "$@"; }

# `Kind namespace/name` of each object on standard input.
objects() {
    awk '
        /^---/ { kind = "" }
        /^kind: / { kind = $2; top = 0; name = ""; namespace = "-" }
        /^[a-z]/ { top = ($1 == "metadata:") }
        top && /^  name: / { name = $2 }
        top && /^  namespace: / { namespace = $2 }
        /^(spec|rules|roleRef|automountServiceAccountToken):/ && kind && !done[kind, namespace, name]++ { print kind, namespace "/" name }
    ' | LC_ALL=C sort
}

default_render_has_these_objects() {
    render | objects | diff - <(LC_ALL=C sort <<'END'
ClusterRole -/engage-operator-controller
ClusterRole -/engage-operator-edit
ClusterRole -/engage-operator-gateway
ClusterRole -/engage-operator-view
ClusterRoleBinding -/engage-operator-controller
ClusterRoleBinding -/engage-operator-gateway
CustomResourceDefinition -/engagedestinations.engage-operator.dev
CustomResourceDefinition -/studioflows.engage-operator.dev
Deployment engage-operator/engage-operator-controller
Deployment engage-operator/engage-operator-gateway
PersistentVolumeClaim engage-operator/engage-operator-gateway-journal
Role engage-operator/engage-operator-controller-leases
Role engage-operator/engage-operator-gateway-leases
RoleBinding engage-operator/engage-operator-controller-leases
RoleBinding engage-operator/engage-operator-gateway-leases
Service engage-operator/engage-operator-gateway
Service engage-operator/engage-operator-gateway-admin
ServiceAccount engage-operator/engage-operator-controller
ServiceAccount engage-operator/engage-operator-gateway
END
    )
}

namespaced_render_has_nothing_of_the_cluster() {
    render --values "$here/values/namespaced.yaml" >"$work/namespaced"
    objects <"$work/namespaced" | diff - <(LC_ALL=C sort <<'END'
Deployment engage-operator/engage-operator-controller
Deployment engage-operator/engage-operator-gateway
PersistentVolumeClaim engage-operator/engage-operator-gateway-journal
Role engage-operator/engage-operator-controller-leases
Role engage-operator/engage-operator-gateway-leases
Role marketing/engage-operator-controller
Role marketing/engage-operator-gateway
Role sales/engage-operator-controller
Role sales/engage-operator-gateway
RoleBinding engage-operator/engage-operator-controller-leases
RoleBinding engage-operator/engage-operator-gateway-leases
RoleBinding marketing/engage-operator-controller
RoleBinding marketing/engage-operator-gateway
RoleBinding sales/engage-operator-controller
RoleBinding sales/engage-operator-gateway
Service engage-operator/engage-operator-gateway
Service engage-operator/engage-operator-gateway-admin
ServiceAccount engage-operator/engage-operator-controller
ServiceAccount engage-operator/engage-operator-gateway
END
    )
    # Both roles are told of both.
    (($(grep -c -e '--watch-namespace=marketing' "$work/namespaced") == 2))
    (($(grep -c -e '--watch-namespace=sales' "$work/namespaced") == 2))
}

# The definitions come out as the program prints them, Liquid examples included.
definitions_are_unchanged() {
    local crd rendered
    rendered=$(render)
    grep -qF '{{ profile.traits' <<<"$rendered"
    for crd in "$root"/crds/*.yaml; do
        [[ $rendered == *"$(sed -n '/^spec:/,$p' "$crd")"* ]] || { echo "$crd differs from the render"; return 1; }
    done
    diff -r "$root/crds" "$chart/files/crds"
}

# Each value of values.yaml reaches the render: what values/all-options.yaml sets is found there.
every_option_has_an_effect() {
    local expected
    render --values "$here/values/all-options.yaml" >"$work/all"
    while IFS= read -r expected; do
        grep -qF -e "$expected" "$work/all" || { echo "not rendered: $expected"; return 1; }
    done <<'END'
image: "registry.example.com/engage-operator@sha256:0123456789abcdef
imagePullPolicy: Always
- name: registry
--watch-namespace=marketing
--public-url=https://engage.example.com
--cluster-id=eu-1
--twilio-base-url=http://127.0.0.1:9/{product}
--segment-profiles-base-url=http://127.0.0.1:9
--segment-tracking-base-url=http://127.0.0.1:10
value: "info,engage_operator=debug"
replicas: 2
replicas: 0
cpu: 1m
cpu: 2m
terminationGracePeriodSeconds: 25
terminationGracePeriodSeconds: 26
name: HTTPS_PROXY
name: NO_PROXY
team: crm
note: "1"
note: "2"
note: "3"
note: "4"
note: "5"
note: "6"
topologyKey: kubernetes.io/hostname
nodeAffinity: {}
kubernetes.io/os: linux
operator: Exists
storage: 10Gi
storageClassName: "fast"
accessModes: [ReadWriteOncePod]
type: LoadBalancer
port: 8081
END
    fails grep -E 'runAsUser|runAsGroup|fsGroup|resource-policy|aggregate-to|:ignored' "$work/all"
}

# Takes a role. With --help the program reads its flags and does nothing else.
program_takes_the_flags() {
    local flags
    mapfile -t flags < <(awk -v role="- $1" '
        $0 ~ "^ *" role "$" { inside = 1; sub(/^ *- /, ""); print; next }
        inside && /^ *- / { sub(/^ *- /, ""); gsub(/^"|"$/, ""); print; next }
        { inside = 0 }' "$work/all")
    ((${#flags[@]} > 3))
    echo "${flags[*]}"
    "$ENGAGE_OPERATOR" "${flags[@]}" --help
}

# ── what it refuses

# Takes what the message has to say, and the options.
refuses() {
    local message=$1
    shift
    if render "$@" >"$work/refused" 2>&1; then
        echo "was accepted: $*"
        return 1
    fi
    cat "$work/refused"
    grep -qF -e "$message" "$work/refused"
}

