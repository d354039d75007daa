# What a test is.

passed=0 failed=0
# Runs a test: a name that reads as a sentence, and a command that has to succeed, in each of its steps.
test_that() {
    local name=$1 status=0
    shift
    set +e
    (set -e; "$@") >"$work/output" 2>&1
    status=$?
    set -e
    if ((status == 0)); then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$name"
        sed 's/^/      | /' "$work/output"
    fi
}

# Succeeds when the command fails. (`!` does not: a step that begins with it never ends a test.)
fails() {
    if "$@"; then
        echo "should have failed: $*"
        return 1
    fi
}

# Repeats the command until it succeeds, for at most so many seconds; shows what it said last.
within() {
    local patience=$1 began=$SECONDS
    shift
    until "$@" >"$work/last" 2>&1; do
        ((SECONDS - began < patience)) || { echo "not within $patience s: $*"; cat "$work/last"; return 1; }
        sleep 0.2
    done
}

finish() {
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
}
