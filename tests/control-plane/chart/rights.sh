# What the API server says of the rights, asked without trying.

# ── rights. Each takes role, namespace, verbs and resources; resource/name and resource:subresource are understood.

# It is what `kubectl auth can-i --as=…` asks, with all questions in one request to kubectl, which is much faster.
asked() {
    local expected=$1 role=$2 namespace=$3
    answers "$namespace" "$4" "$5" --as="system:serviceaccount:$own:engage-operator-$role" >"$work/answers"
    all_are "$expected" "$role"
}

answers() {
    local namespace=$1 verbs=$2 resources=$3 verb resource name subresource group
    shift 3
    for verb in $verbs; do
        for resource in $resources; do
            name='' subresource='' group=''
            [[ $resource != */* ]] || name=${resource#*/} resource=${resource%%/*}
            [[ $resource != *:* ]] || subresource=${resource#*:} resource=${resource%%:*}
            [[ $resource != *.* ]] || group=${resource#*.} resource=${resource%%.*}
            printf '{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{'
            printf '"namespace":"%s","verb":"%s","group":"%s","resource":"%s","subresource":"%s","name":"%s"}}}\n' \
                "$namespace" "$verb" "$group" "$resource" "$subresource" "$name"
        done
    done | kubectl create --validate=false --filename - "$@" --output "go-template=$answer_line"
}
answer_line='{{with .spec.resourceAttributes}}{{.verb}} {{.resource}}{{if .subresource}}/{{.subresource}}{{end}}'
answer_line+='{{if .name}} {{.name}}{{end}} in {{.namespace}}: {{end}}{{if .status.allowed}}yes{{else}}no{{end}}{{"\n"}}'

# Fails unless there are answers and each is the one that was expected.
all_are() {
    [[ -s $work/answers ]] || { echo 'no answer'; return 1; }
    if grep -v ": $1\$" "$work/answers" >"$work/wrong"; then
        sed "s/^/$2: /; s/\$/, should be $1/" "$work/wrong"
        return 1
    fi
}

may() { asked yes "$@"; }
may_not() { asked no "$@"; }

destinations=engagedestinations.engage-operator.dev
flows=studioflows.engage-operator.dev
events=events.events.k8s.io
leases=leases.coordination.k8s.io
writes='create update patch delete deletecollection'

# What both roles have in a namespace that they serve, and no more.
rights_in() {
    test_that "the controller follows both kinds in $1" may controller "$1" 'list watch' "$destinations $flows"
    test_that '… writes their status' may controller "$1" update "$destinations:status $flows:status"
    test_that '… and flows, for their finalizer' may controller "$1" patch "$flows"
    test_that '… and nothing else of them' may_not controller "$1" 'create update delete deletecollection' "$destinations $flows"
    test_that '… above all no destination' may_not controller "$1" patch "$destinations"
    test_that '… reads Secrets and ConfigMaps by name' may controller "$1" get 'secrets configmaps secrets/twilio configmaps/flow'
    test_that '… and neither lists, watches nor writes them' may_not controller "$1" "list watch $writes" 'secrets configmaps'
    test_that '… writes Events and does not read them' may controller "$1" 'create patch' "$events"
    test_that '… and does not read or delete them' may_not controller "$1" 'get list watch delete update' "$events events"
    test_that "the gateway follows destinations in $1" may gateway "$1" 'list watch' "$destinations"
    test_that '… and writes nothing of our kinds' may_not gateway "$1" "$writes" "$destinations $destinations:status $flows $flows:status"
    test_that '… does not read flows or ConfigMaps' may_not gateway "$1" 'get list watch' "$flows configmaps"
    test_that '… reads Secrets by name' may gateway "$1" get 'secrets secrets/twilio'
    test_that '… and neither lists, watches nor writes them' may_not gateway "$1" "list watch $writes" secrets
    test_that '… writes no Events' may_not gateway "$1" 'create patch' "$events events"
    test_that "neither has a Lease in $1" none_of_both "$1" "get list watch $writes" "$leases"
}

none_of_both() { may_not controller "$@" && may_not gateway "$@"; }

rights_in_own_namespace() {
    test_that 'the controller leads by its own Lease' may controller "$own" 'get update' "$leases/engage-operator-controller"
    test_that "… and only reads the gateway's" may controller "$own" get "$leases/engage-operator-gateway"
    test_that '… which it neither changes nor deletes' may_not controller "$own" 'update patch delete' "$leases/engage-operator-gateway"
    test_that 'the gateway renews its own Lease' may gateway "$own" patch "$leases/engage-operator-gateway"
    test_that "… and has nothing of the controller's" may_not gateway "$own" 'get update patch delete' "$leases/engage-operator-controller"
    test_that 'both make their Lease' both_may "$own" create "$leases"
    test_that '… and see no other' none_of_both "$own" 'get list watch update patch delete' "$leases $leases/another"
}

both_may() { may controller "$@" && may gateway "$@"; }

no_way_up() {
    none_of_both "$1" 'get list create' 'pods pods:exec pods:log deployments.apps nodes namespaces' &&
        none_of_both "$1" 'create get escalate bind' 'roles.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io' &&
        none_of_both "$1" 'create update patch' 'serviceaccounts serviceaccounts:token rolebindings.rbac.authorization.k8s.io' &&
        none_of_both "$1" 'get list update patch' 'customresourcedefinitions.apiextensions.k8s.io' &&
        none_of_both "$1" impersonate 'users groups serviceaccounts'
}

nothing_in() {
    none_of_both "$1" 'get list watch create update patch delete' \
        "$destinations $flows $destinations:status $flows:status secrets configmaps $events $leases"
}

# What people get through the roles view, edit and admin.
people_may() {
    local clusterrole=$1 expected=$2
    kubectl create rolebinding "try-$clusterrole" --namespace "$served" --clusterrole="$clusterrole" --user="user-$clusterrole" \
        --dry-run=client --output yaml | kubectl apply --filename -
    answers "$served" "$3" "$destinations $flows" --as="user-$clusterrole" >"$work/answers"
    all_are "$expected" "$clusterrole"
}

