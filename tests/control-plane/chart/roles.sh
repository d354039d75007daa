# Both roles as processes: each with the arguments and the environment of its Deployment in the API server, and with a token of
# the ServiceAccount that the Deployment names. Of what the chart says only addresses and the journal's folder are other, since
# there is no Pod. Twilio and Segment are the simulator.

# ── the processes

simulator_starts() {
    "$ENGAGE_SIMULATOR" serve --listen 127.0.0.1:0 </dev/null >"$work/simulator.log" 2>&1 &
    echo $! >"$work/simulator.pid"
    within 20 grep -q '^ready ' "$work/simulator.log"
    # The simulator as the chart's values.
    local urls='twilioBaseUrl: "\1"\nsegmentProfilesBaseUrl: "\2"\nsegmentTrackingBaseUrl: "\3"'
    sed -n "s/^ready twilio=\([^ ]*\) profiles=\([^ ]*\) tracking=\([^ ]*\) .*/$urls/p" "$work/simulator.log" >>"$work/values.yaml"
    grep -q '^segmentTrackingBaseUrl: "http' "$work/values.yaml"
}

control() { sed -n 's/^ready .* control=//p' "$work/simulator.log"; }

# A port on which nothing listens, below those that the system gives out by itself.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

# What a role's Deployment says, by a template of its Pods' spec.
deployed() { kubectl get deployment --namespace "$own" "engage-operator-$1" --output "go-template={{with .spec.template.spec}}$2{{end}}"; }

# A kubeconfig with a token of the role's ServiceAccount and nothing else, as in its Pod.
kubeconfig_is_made() {
    local role=$1 account cluster token
    account=$(deployed "$role" '{{.serviceAccountName}}')
    token=$(kubectl create token --namespace "$own" "$account")
    cluster=$(kubectl config view --raw --minify --flatten --output 'jsonpath={.clusters[0].cluster}')
    cat >"$work/$role.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: pod
contexts: [{name: pod, context: {cluster: pod, user: pod, namespace: $own}}]
clusters: [{name: pod, cluster: $cluster}]
users: [{name: pod, user: {token: $token}}]
YAML
}

# The arguments of the container, one a line.
arguments() {
    local admin_port mount argument
    if [[ $1 == gateway ]]; then admin_port=$gateway_admin_port; else admin_port=$(free_port); fi
    mount=$(deployed "$1" '{{range (index .containers 0).volumeMounts}}{{.mountPath}}{{end}}')
    deployed "$1" '{{range (index .containers 0).args}}{{println .}}{{end}}' | while IFS= read -r argument; do
        case $argument in
            --listen=*) argument=--listen=127.0.0.1:$gateway_port ;;
            --admin-listen=*) argument=--admin-listen=127.0.0.1:$admin_port ;;
            --gateway-admin-url=*) argument=--gateway-admin-url=http://127.0.0.1:$gateway_admin_port ;;
            --journal=file:*) argument=--journal=file:${argument/#"--journal=file:$mount"/"$work/journal"} ;;
        esac
        printf '%s\n' "$argument"
    done
}

# The environment of the container as NAME=VALUE, one a line.
environment() {
    local variable
    deployed "$1" '{{range (index .containers 0).env}}{{.name}}={{with .valueFrom}}@{{.fieldRef.fieldPath}}{{else}}{{.value}}{{end}}{{println}}{{end}}' |
        while IFS= read -r variable; do
            case $variable in
                *=@metadata.namespace) variable=${variable%%=*}=$own ;;
                *=@metadata.name) variable=${variable%%=*}=engage-operator-$1-try ;;
                *=@*) echo "no such field without a Pod: $variable" >&2; return 1 ;;
            esac
            printf '%s\n' "$variable"
        done
}

role_starts() {
    local role=$1 arguments environment
    kubeconfig_is_made "$role"
    mkdir -p "$work/journal"
    arguments=$(arguments "$role") environment=$(environment "$role")
    mapfile -t arguments <<<"$arguments"
    mapfile -t environment <<<"$environment"
    printf '%s\n' "${arguments[@]}" "${environment[@]}"
    rm -f "$work/$role.exit"
    {
        status=0
        env -i "${environment[@]}" KUBECONFIG="$work/$role.kubeconfig" "$ENGAGE_OPERATOR" "${arguments[@]}" &
        echo $! >"$work/$role.pid"
        wait $! || status=$?
        echo "$status" >"$work/$role.exit"
    } </dev/null >>"$work/$role.log" 2>&1 &
    within 10 test -s "$work/$role.pid"
}

# As a Pod that is taken away: it ends by itself and without an error.
role_stops() {
    kill -TERM "$(cat "$work/$1.pid")"
    within 25 test -s "$work/$1.exit" || { tail -n 20 "$work/$1.log"; return 1; }
    rm "$work/$1.pid"
    [[ $(cat "$work/$1.exit") == 0 ]] || { tail -n 20 "$work/$1.log"; return 1; }
}

roles_start() { role_starts controller; role_starts gateway; }
roles_stop() { role_stops gateway; role_stops controller; }

# For the end of a run, however it ends.
end_processes() {
    local file
    for file in "$work"/*.pid; do
        [[ ! -s $file ]] || kill -KILL "$(cat "$file")"
    done
}

# ── what they are there for

# The samples of the repository, in a namespace of this run.
sample() { sed "s/namespace: marketing/namespace: $2/" "$root/manifests/samples/$1.yaml"; }

# Takes namespaces.
samples_are_applied() {
    local namespace
    for namespace; do
        sample secrets "$namespace" | kubectl apply --server-side --filename -
        sample studioflow-connect-to-agent "$namespace" | sed 's/^spec:$/spec:\n  deletionPolicy: Delete/' |
            kubectl apply --server-side --filename -
        sample engagedestination-lead-conversation "$namespace" | kubectl apply --server-side --filename -
    done
}

samples_become_ready() {
    kubectl wait --namespace "$served" --for=condition=Ready --timeout=30s "$flows/connect-to-agent" "$destinations/lead-conversation" || {
        kubectl get --namespace "$served" --output yaml "$flows/connect-to-agent" "$destinations/lead-conversation"
        tail -n 20 "$work/controller.log" "$work/gateway.log"
        return 1
    }
    there_are 1 flows
}

# Takes the outcome that the gateway has to answer, and whose event it is.
event_ends_as() {
    local url
    url=$(kubectl get --namespace "$served" "$destinations/lead-conversation" --output 'jsonpath={.status.url}')
    [[ $url == "http://127.0.0.1:$gateway_port/v1/destinations/$served/lead-conversation" ]] || { echo "status.url is '$url'"; return 1; }
    send "$url" "$2" || tail -n 20 "$work/gateway.log"
    grep -qF "\\\"outcome\\\":\\\"$1\\\"" "$work/answers"
}

# Sends a signed event as Segment does, again while it is answered 503; fails when Segment would give up.
send() {
    printf '{"type":"track","event":"Lead Qualified","messageId":"%s","userId":"%s","context":{"personas":{"space_id":"spa_demo"}}}' \
        "of-$2" "$2" >"$work/event.json"
    "$ENGAGE_SIMULATOR" send --url "$1" --secret demo-webhook-secret --events "$work/event.json" --retry-for 30 >"$work/answers" || {
        cat "$work/answers"
        return 1
    }
    cat "$work/answers"
}

# How many flows or conversations the simulator's account has.
there_are() {
    local found
    found=$(python3 -c 'import json, sys, urllib.request as http; print(len(json.load(http.urlopen(sys.argv[1] + "/state"))[sys.argv[2]]))' \
        "$(control)" "$2")
    (($1 == found)) || { echo "$found $2, should be $1"; return 1; }
}

# The controller has asked the gateway. A second write to a destination follows after a minute.
counts_are_in_the_status() { within 90 count_is "$1" "$2"; }

# Takes an outcome and how many events came to it.
count_is() {
    local deliveries
    deliveries=$(kubectl get --namespace "$served" "$destinations/lead-conversation" --output 'jsonpath={.status.deliveries}')
    echo "status.deliveries is '$deliveries'"
    [[ $(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["outcomes"].get(sys.argv[2]))' "$deliveries" "$1") == "$2" ]]
}

readiness_is_recorded() {
    kubectl get events.events.k8s.io --namespace "$served" --output 'custom-columns=:regarding.kind,:regarding.name,:type,:reason,:reportingController' |
        tee "$work/events"
    grep -Eq '^EngageDestination +lead-conversation +Normal +Ready +engage-operator' "$work/events"
    grep -Eq '^StudioFlow +connect-to-agent +Normal +Ready +engage-operator' "$work/events"
}

# The sample once more, with its definition in a ConfigMap.
flow_is_made_from_a_config_map() {
    kubectl create configmap --namespace "$served" flow --from-file="$root/studio/sample_flow.json"
    {
        sample studioflow-connect-to-agent "$served" | sed -e '/^  definition:/,$d' -e 's/connect-to-agent/from-config-map/' \
            -e 's/friendlyName: Connect to agent/friendlyName: From a ConfigMap/'
        printf '  definitionFrom: {configMapKeyRef: {name: flow, key: sample_flow.json}}\n  deletionPolicy: Delete\n'
    } | kubectl apply --server-side --filename -
    kubectl wait --namespace "$served" --for=condition=Ready --timeout=30s "$flows/from-config-map"
    there_are 2 flows
}

and_goes() {
    kubectl delete --namespace "$served" "$flows/from-config-map" --timeout=30s
    there_are 1 flows
}

flow_goes_with_its_resource() {
    kubectl delete --namespace "$served" "$destinations/lead-conversation" --timeout=30s
    kubectl delete --namespace "$served" "$flows/connect-to-agent" --timeout=30s || { tail -n 20 "$work/controller.log"; return 1; }
    there_are 0 flows
}

# A release for some namespaces does nothing in another, where the same samples are.
nothing_is_done_elsewhere() {
    local status
    status=$(kubectl get --namespace "$other" "$destinations/lead-conversation" "$flows/connect-to-agent" --output 'jsonpath={.items[*].status}')
    [[ ! $status ]] || { echo "$status"; return 1; }
    fails send "http://127.0.0.1:$gateway_port/v1/destinations/$other/lead-conversation" lead-1
    grep -qF '"status":404' "$work/answers"
    # A later release for all namespaces would serve them.
    kubectl delete --namespace "$other" "$destinations/lead-conversation" "$flows/connect-to-agent" --timeout=30s
}

# ── what was refused, and what was needed

neither_was_refused_what_it_needs() {
    test_that 'neither log tells of a refusal' logs_are_without_refusals
    if [[ ${AUDIT_LOG:-} ]]; then
        test_that '… and the API server refused neither role anything' nothing_was_refused
    fi
}

logs_are_without_refusals() {
    [[ -s $work/controller.log && -s $work/gateway.log ]]
    fails grep -i forbidden "$work/controller.log" "$work/gateway.log"
}

nothing_was_refused() { audit refused | diff - /dev/null; }

every_right_was_needed() {
    kubectl get clusterrole --output json engage-operator-controller engage-operator-gateway | audit unused >"$work/unused"
    kubectl get role --namespace "$own" --output json engage-operator-controller-leases engage-operator-gateway-leases |
        audit unused >>"$work/unused"
    # An Event that is told a second time within minutes is patched; here none is.
    diff "$work/unused" - <<<'controller patch events'
}

audit() { python3 "$here/chart/audit.py" "$AUDIT_LOG" "$own" "$@"; }
