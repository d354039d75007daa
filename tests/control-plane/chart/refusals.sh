# What both roles may not do, tried with their tokens.

# Sends one request with a role's token; the API server has to refuse it for want of the right. An empty body is enough: rights
# come first.
is_refused() {
    local role=$1 verb=$2 path=$3 status=0
    as "$@" >"$work/refused" 2>&1 || status=$?
    if ((status == 0)) || ! grep -qF "(Forbidden)" "$work/refused" ||
        ! grep -qF "User \"system:serviceaccount:$own:engage-operator-$role\" cannot" "$work/refused"; then
        echo "$role: $verb $path should be forbidden"
        cat "$work/refused"
        return 1
    fi
}

# Takes a role, a verb of kubectl, a path, and further options.
as() {
    local role=$1 verb=$2 path=$3 body=()
    shift 3
    [[ $verb != create && $verb != replace ]] || body=(--filename "$work/empty.json")
    echo '{}' >"$work/empty.json"
    kubectl --kubeconfig "$work/$role.kubeconfig" "$verb" --raw "$path" ${body[@]+"${body[@]}"} "$@"
}

# Each line is a role or both, a verb of kubectl and a path.
all_are_refused() {
    local whom role verb path refused=0
    while read -r whom verb path; do
        for role in ${whom/both/controller gateway}; do
            is_refused "$role" "$verb" "$path" || refused=1
        done
    done
    return "$refused"
}

ours=/apis/engage-operator.dev/v1alpha1
leases_api=/apis/coordination.k8s.io/v1
rights_api=/apis/rbac.authorization.k8s.io/v1

# Without these the refusals would say nothing.
tokens_are_good() {
    local role
    for role in controller gateway; do
        as "$role" get "/api/v1/namespaces/$served/secrets/twilio"
        as "$role" get "$ours/namespaces/$served/engagedestinations"
    done
}

refused_where_it_serves() { all_are_refused <<END; }
both get /api/v1/namespaces/$served/secrets
both get /api/v1/namespaces/$served/secrets?watch=true
both get /api/v1/secrets
both create /api/v1/namespaces/$served/secrets
both replace /api/v1/namespaces/$served/secrets/twilio
both delete /api/v1/namespaces/$served/secrets/twilio
both get /api/v1/namespaces/$served/configmaps
both create /api/v1/namespaces/$served/configmaps
both create $ours/namespaces/$served/engagedestinations
both replace $ours/namespaces/$served/engagedestinations/lead-conversation
both delete $ours/namespaces/$served/engagedestinations/lead-conversation
both create $ours/namespaces/$served/studioflows
both replace $ours/namespaces/$served/studioflows/connect-to-agent
both delete $ours/namespaces/$served/studioflows/connect-to-agent
both get /apis/events.k8s.io/v1/namespaces/$served/events
both create /api/v1/namespaces/$served/pods
gateway get $ours/namespaces/$served/studioflows/connect-to-agent
gateway replace $ours/namespaces/$served/engagedestinations/lead-conversation/status
gateway get /api/v1/namespaces/$served/configmaps/any
gateway create /apis/events.k8s.io/v1/namespaces/$served/events
END

refused_at_home() { all_are_refused <<END; }
both get $leases_api/namespaces/$own/leases
both get $leases_api/namespaces/$own/leases/another
controller replace $leases_api/namespaces/$own/leases/engage-operator-gateway
controller delete $leases_api/namespaces/$own/leases/engage-operator-gateway
gateway get $leases_api/namespaces/$own/leases/engage-operator-controller
gateway replace $leases_api/namespaces/$own/leases/engage-operator-controller
gateway delete $leases_api/namespaces/$own/leases/engage-operator-controller
both create /api/v1/namespaces/$own/pods
both create /apis/apps/v1/namespaces/$own/deployments
END

way_up_is_refused() { all_are_refused <<END; }
both create /api/v1/namespaces/$own/serviceaccounts/engage-operator-controller/token
both create /api/v1/namespaces/$own/serviceaccounts/engage-operator-gateway/token
both create $rights_api/namespaces/$own/rolebindings
both create $rights_api/clusterrolebindings
both replace $rights_api/namespaces/$own/roles/engage-operator-controller-leases
both replace /apis/apiextensions.k8s.io/v1/customresourcedefinitions/engagedestinations.engage-operator.dev
both get /api/v1/namespaces
both get /api/v1/nodes
END

# kubectl has no raw patch, but a server-side apply is one.
destination_is_not_patched() {
    local role
    for role in controller gateway; do
        fails kubectl --kubeconfig "$work/$role.kubeconfig" apply --server-side --validate=false --namespace "$served" --filename - \
            <<<"$lead_welcome" >"$work/refused" 2>&1
        cat "$work/refused"
        grep -qF "engage-operator-$role\" cannot patch resource \"engagedestinations\"" "$work/refused"
    done
}

nobody_is_impersonated() {
    is_refused controller get /api/v1/secrets --as=system:admin
    is_refused gateway get /api/v1/secrets --as=system:admin
}

refused_elsewhere() { all_are_refused <<END; }
both get /api/v1/namespaces/$other/secrets/twilio
both get /api/v1/namespaces/$own/secrets/twilio
both get $ours/engagedestinations
both get $ours/namespaces/$other/engagedestinations
both get $ours/namespaces/$other/engagedestinations/lead-conversation
controller get $ours/studioflows
controller get $ours/namespaces/$other/studioflows
controller replace $ours/namespaces/$other/engagedestinations/lead-conversation/status
controller get /api/v1/namespaces/$other/configmaps/any
controller create /apis/events.k8s.io/v1/namespaces/$other/events
END

both_are_refused_what_they_may_not_do() {
    test_that 'the tokens of both are good' tokens_are_good
    test_that '… and what they may not do where they serve is refused' refused_where_it_serves
    test_that "… to patch a destination's spec too" destination_is_not_patched
    test_that "… and each other's Lease, Pods and Deployments at home" refused_at_home
    test_that '… and every way to more rights' way_up_is_refused
    test_that '… and to be somebody else' nobody_is_impersonated
}

# ── after the release is gone

# The API server believes a token for another ten seconds, but it has no rights any more.
is_nobody() {
    local role=$1
    fails as "$role" get "$ours/namespaces/$served/engagedestinations" >"$work/refused" 2>&1
    cat "$work/refused"
    grep -qE 'Forbidden|Unauthorized' "$work/refused"
}

is_unknown() {
    is_nobody "$1" && grep -qF Unauthorized "$work/refused"
}

rights_are_gone() { is_nobody controller; is_nobody gateway; }
tokens_are_refused() { within 30 is_unknown controller; within 30 is_unknown gateway; }
