#!/bin/sh
# Other people's pxGrid clients against the lab: pxgrid-util (Cisco) and pxgrid-api's pxshell. What they do against a real ISE must work here.
#
# Usage: tests/peers/pxgrid-util.sh [NETAPI]     (default: target/debug/netapi)
#
# PEERS   a directory with the programs already installed; else they are installed with PIP (default: a virtual environment's own pip).
# One line a check on standard output. "skipped: …" and status 0 where the programs cannot be had; 1 when a check failed.
# Traffic goes to loopback only. pxshell knows port 8910 alone; where that is taken its part is skipped.

# shellcheck disable=SC2016,SC2317  # jq's variables are not the shell's; what a trap calls is reached

set -u

netapi=${1:-target/debug/netapi}
work=$(mktemp -d) || exit 1
lab=
failed=0

finish() {
    [ -z "$lab" ] || kill "$lab" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip() {
    echo "skipped: $1"
    exit 0
}

[ -x "$netapi" ] || { echo "there is no $netapi: build it first" >&2; exit 2; }
command -v jq >/dev/null || skip "there is no jq"

if [ -z "${PEERS:-}" ]; then
    python3 -m venv "$work/venv" >"$work/install.log" 2>&1 || skip "no virtual environment can be made"
    PEERS=$work/venv/bin
    ${PIP:-"$PEERS/pip"} --python "$PEERS/python3" install -q pxgrid-util==0.8.0 pxgrid-api==0.2.5 >>"$work/install.log" 2>&1 ||
        skip "pxgrid-util and pxgrid-api cannot be installed"
fi

# up PORT [OPTIONS…]: starts a lab on PORT; false when it does not come up.
up() {
    "$netapi" ise lab up --dir "$work/lab" --listen-pxgrid "$@" >"$work/env" 2>"$work/lab.log" </dev/null &
    lab=$!
    tries=100
    until grep -q '^export MAC=' "$work/env"; do
        kill -0 "$lab" 2>/dev/null || { lab=; return 1; }
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
    # shellcheck disable=SC1091  # made above
    . "$work/env"
}

shell=yes
if ! up 8910; then
    shell=no
    up 0 || { cat "$work/lab.log" >&2; exit 1; }
fi

# verdict NAME STATUS
verdict() {
    if [ "$2" -eq 0 ]; then
        echo "ok      $1"
    else
        echo "FAILED  $1"
        sed 's/^/        /' "$work/output" "$work/errors" | tail -n 20
        failed=1
    fi
}

# check NAME JQ-EXPRESSION PROGRAM [ARGUMENTS…]: the program succeeds, and its JSON satisfies the expression.
check() {
    name=$1 expression=$2 program=$3
    shift 3
    "$PEERS/$program" -a localhost --port "$ISE_PXGRID_PORT" -n peer-client -c "$PXGRID_CERT" -k "$PXGRID_KEY" -s "$PXGRID_CA" "$@" \
        >"$work/output" 2>"$work/errors" &&
        jq -e --arg mac "$MAC" "$expression" "$work/output" >/dev/null 2>>"$work/errors"
    verdict "$name" $?
}

# eventually JQ-EXPRESSION PROGRAM [ARGUMENTS…]: the same, until it is so; what changes the network takes a moment.
eventually() {
    tries=20
    until [ "$tries" -eq 0 ] || [ "$(check x "$@")" = "ok      x" ]; do
        tries=$((tries - 1))
    done
}

check "all sessions" '.sessions | length == 50' session-query-all
check "filtered sessions" '.sessions | length == 1' session-query-all --filter "userName=='jsmith'"
check "session by address" '.macAddress == $mac' session-query-by-ip --ip 10.50.10.100
check "user groups" '.userGroups | length > 10' user-groups-query
check "endpoints" '.endpoints | length > 40' endpoint-query-all --ep-start-timestamp 2020-01-01T00:00:00Z
check "security groups" '.totalCount == (.securityGroups | length)' sgts-query-all
check "security group ACLs" '.securityGroupAcls | length == 4' sgacls-query-all
check "egress policies" '.egressPolicies | length > 4' matrix-query-all
check "SXP bindings" '.bindings | length > 10' sxp-query-bindings
check "profiles" '.profiles | length > 5' profiles-query-all
check "health" '.healths | length > 0' system-query-all --get-system-health
check "performance" '.performances | length > 0' system-query-all --get-system-performance
check "services" '[.[].services[].name] | index("com.cisco.ise.session")' px-subscribe --services
check "one service" '.services | length == 2' px-subscribe --service-details com.cisco.ise.session
check "ANC policies" '.policies | length == 4' anc-policy --get-anc-policies
check "create a policy" '.name == "Peer"' anc-policy --create-anc-policy Peer --anc-policy-action PORT_BOUNCE
check "delete a policy" '. == {}' anc-policy --delete-anc-policy Peer

quarantined='.ctsSecurityGroup == "Quarantined_Systems"'
released='.ctsSecurityGroup != "Quarantined_Systems"'
by_ip="session-query-by-ip --ip 10.50.10.100"
for way in \
    "by-mac --anc-mac-address $MAC" \
    "by-ip --anc-ip-address 10.50.10.100"; do
    # shellcheck disable=SC2086  # words, on purpose
    {
        check "quarantine ${way%% *}" '.status == "RUNNING"' anc-policy --apply-anc-policy-$way --anc-policy Quarantine
        eventually "$quarantined" $by_ip
        check "the session is in quarantine" "$quarantined" $by_ip
        check "the endpoint has the policy" '.policyName == "Quarantine"' anc-policy --get-anc-policy-by-mac --anc-mac-address "$MAC"
        check "endpoints with a policy" '.endpoints | length == 1' anc-policy --get-anc-endpoints
        check "release ${way%% *}" '.status == "RUNNING"' anc-policy --clear-anc-policy-$way
        eventually "$released" $by_ip
        check "the session is released" "$released" $by_ip
    }
done
check "policy at the session's NAS" '.nasIpAddress == "10.50.1.10"' anc-policy --apply-anc-policy --anc-mac-address "$MAC" --anc-policy ReAuth

# A password account, without a certificate.
password=$(curl -sS --cacert "$PXGRID_CA" -H 'Content-Type: application/json' -d '{"nodeName":"peer-password"}' \
    "https://localhost:$ISE_PXGRID_PORT/pxgrid/control/AccountCreate" 2>"$work/errors" | jq -r .password)
"$PEERS/session-query-all" -a localhost --port "$ISE_PXGRID_PORT" -n peer-password -w "$password" -s "$PXGRID_CA" >"$work/output" 2>>"$work/errors" &&
    jq -e '.sessions | length == 50' "$work/output" >/dev/null
verdict "password account without a certificate" $?

if [ "$shell" = no ]; then
    echo "skipped: pxshell, for port 8910 is taken"
else
    # pxshell NAME JQ-EXPRESSION COMMAND: one command in pxshell answers JSON that satisfies the expression.
    pxshell() {
        printf '%s\n' "config pxnode localhost" "config name peer-client" "config cert $PXGRID_CERT" "config key $PXGRID_KEY" \
            "config root $PXGRID_CA" "config apply" activate "$3" |
            "$PEERS/pxshell" >"$work/output" 2>"$work/errors" &&
            # The answer follows the last prompt but one, that of the activation the one before.
            sed 's/pxshell[^ ]*> /\n&\n/g' "$work/output" | grep -v '^pxshell\|^Welcome\|^Good bye' |
            jq -s -e --arg mac "$MAC" ".[1:] | $2" >/dev/null 2>>"$work/errors"
        verdict "pxshell: $1" $?
    }
    pxshell "all sessions" '.[0].sessions | length == 50' "session all"
    pxshell "session by MAC" '.[0].macAddress == $mac' "session bymac $MAC"
    pxshell "session by address" '.[0].macAddress == $mac' "session byip 10.50.10.100"
    pxshell "groups of a user" '.[0].groups | length > 0' "session usergroups jsmith"
    pxshell "all groups" '.[0].userGroups | length > 10' "session groups"
    pxshell "topics" 'index("sessionTopic") != null' "session topics"
    pxshell "ANC policies" '.[0].policies | length == 4' "anc policies"
    pxshell "ANC policy by name" '.[0].name == "Bounce"' "anc policybyname Bounce"
    pxshell "quarantine" '.[0].status == "RUNNING"' "anc applybymac Quarantine 00:00:5E:00:53:01"
    pxshell "managed endpoints" '.[0].endpoints | length > 0' "mdm endpoints"
    pxshell "managed endpoints by type" '.[0].endpoints | length > 0' "mdm endpointsbytype REGISTERED"
    pxshell "health" '.[0].healths | length > 0' "system healths"
    pxshell "profiles" '.[0].profiles | length > 5' "profiler list"
    pxshell "RADIUS failures" '.[0].failures | length > 0' "radius list"
    pxshell "security groups" '.[0].securityGroups | length > 5' "trustseccfg sgt"
    pxshell "security group ACLs" '.[0].securityGroupAcls | length == 4' "trustseccfg sgacl"
    pxshell "egress policies" '.[0].egressPolicies | length > 4' "trustseccfg policies"
    pxshell "egress matrices" '.[0].egressMatrices | length == 1' "trustseccfg matrices"
    pxshell "SXP bindings" '.[0].bindings | length > 10' "sxp bindings"
fi

# Events, as they were published: what a subscriber printed is compared with the lab's own account.
kill "$lab" && wait "$lab" 2>/dev/null
: >"$work/env"
port=$ISE_PXGRID_PORT
up "$port" --events-per-second 50 || { cat "$work/lab.log" >&2; exit 1; }

# told: the messages of $work/messages, one JSON text after another, are at least ten, each the next of the one before, with the facts of the truth log.
told() {
    facts='{sequence, sessions: [.sessions[] | {timestamp, state, macAddress, userName}]}'
    jq -c "$facts" "$work/messages" >"$work/told" 2>>"$work/errors" &&
        jq -c --arg topic /topic/com.cisco.ise.session "select(.topic == \$topic) | {sequence, sessions: .facts.sessions} | $facts" \
            "$work/lab/requests.jsonl" >"$work/truth" 2>>"$work/errors" || return 1
    [ "$(wc -l <"$work/told")" -ge 10 ] && jq -s -e '[.[].sequence] | . == [range(.[0]; .[0] + length)]' "$work/told" >/dev/null &&
        ! grep -v -x -F -f "$work/truth" "$work/told" >>"$work/errors"
}

timeout -s INT 5 "$PEERS/px-subscribe" -a localhost --port "$port" -n peer-client -c "$PXGRID_CERT" -k "$PXGRID_KEY" -s "$PXGRID_CA" \
    --service com.cisco.ise.session --topic sessionTopic --subscribe >"$work/output" 2>"$work/errors"
cp "$work/output" "$work/messages"
told
verdict "px-subscribe: session events" $?
timeout -s INT 5 "$PEERS/px-subscribe" -a localhost --port "$port" -n peer-client -c "$PXGRID_CERT" -k "$PXGRID_KEY" -s "$PXGRID_CA" \
    --service com.cisco.ise.session --topic sessionTopic --subscribe --filter "userName=='jsmith'" >"$work/output" 2>"$work/errors"
jq -s -e 'length > 0 and all(.[].sessions[]; .userName == "jsmith")' "$work/output" >/dev/null 2>>"$work/errors"
verdict "px-subscribe: filtered events" $?

if [ "$port" = 8910 ]; then
    {
        printf '%s\n' "config pxnode localhost" "config name peer-client" "config cert $PXGRID_CERT" "config key $PXGRID_KEY" \
            "config root $PXGRID_CA" "config apply" activate "session subscribe sessionTopic"
        sleep 5
    } | timeout -s INT 5 "$PEERS/pxshell" >"$work/output" 2>"$work/errors"
    # Each message is printed as a JSON string; the last one may be cut off.
    grep '^"{.*"$' "$work/output" | jq -r . >"$work/messages" 2>>"$work/errors"
    told
    verdict "pxshell: session events" $?
fi

exit "$failed"
