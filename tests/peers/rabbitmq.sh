#!/bin/sh
# A STOMP-over-WebSocket broker that nobody here wrote: RabbitMQ with its Web-STOMP plugin, TLS and HTTP Basic authentication.
# The lab answers lookups, secrets and REST and says that events come from RabbitMQ; they get into it by its management API and by ourselves.
#
# Usage: tests/peers/rabbitmq.sh [NETAPI]     (default: target/debug/netapi)
#
# RabbitMQ is Debian's `rabbitmq-server`; as root it is installed where it lacks, and its service is not started. The broker here is another
# one, in a temporary directory, on loopback only, and ends with the script.
# One line a check on standard output. "skipped: …" and status 0 where RabbitMQ cannot be had; 1 when a check failed.

# shellcheck disable=SC2016,SC2317  # jq's variables are not the shell's; what a trap calls is reached

set -u

netapi=${1:-target/debug/netapi}
work=$(mktemp -d) || exit 1
lab='' epmd='' broker='' subscriber=''
failed=0

finish() {
    for process in $subscriber $broker $epmd $lab; do
        kill -KILL "$process" 2>/dev/null
    done
    # The broker's helpers write until they notice; there is nothing of worth in here.
    rm -rf "$work" 2>/dev/null || { sleep 1; rm -rf "$work"; }
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip() {
    echo "skipped: $1"
    exit 0
}

[ -x "$netapi" ] || { echo "there is no $netapi: build it first" >&2; exit 2; }
for tool in jq curl openssl python3; do
    command -v "$tool" >/dev/null || skip "there is no $tool"
done

# The program itself, not Debian's wrapper around it, which wants to be another user.
program() {
    find /usr/lib/rabbitmq/lib -path '*/sbin/rabbitmq-server' 2>/dev/null | sort | tail -n 1
}

# install_quietly: Debian's package, its service left alone.
install_quietly() {
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        grep -q 'exit 101' "$policy" || return 1
        policy=
    else
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends rabbitmq-server >"$work/install.log" 2>&1
    installed=$?
    [ -z "$policy" ] || rm -f "$policy"
    return "$installed"
}

if [ -z "$(program)" ]; then
    command -v apt-get >/dev/null || skip "there is no rabbitmq-server and no apt-get"
    [ "$(id -u)" -eq 0 ] || skip "there is no rabbitmq-server, and only root can install it"
    install_quietly || skip "rabbitmq-server cannot be installed"
fi
server=$(program)
command -v epmd >/dev/null || skip "there is no epmd"

# until_true SECONDS COMMAND…: waits for a condition.
until_true() {
    tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# Four free ports; they are held together, so that they differ.
ports=$(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(one.getsockname()[1] for one in held))') || skip "no free ports"
# shellcheck disable=SC2086  # words, on purpose
set -- $ports
tls_port=$1 management_port=$2 epmd_port=$3 distribution_port=$4

# The lab, and what the client is told by it.
"$netapi" ise lab up --pubsub-url "wss://localhost:$tls_port/ws" --nodes 1 --dir "$work/lab" >"$work/env" 2>"$work/lab.log" &
lab=$!
until_true 20 grep -q '^export MAC=' "$work/env" || { cat "$work/lab.log" >&2; exit 1; }
# shellcheck disable=SC1091  # made above
. "$work/env"
client=$ISE_PXGRID_CLIENT_NAME

# The broker's certificate, from a CA of its own that the client trusts beside the lab's.
make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=broker CA' -keyout "$work/ca.key" -out "$work/ca.pem" &&
        openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$work/broker.key" -out "$work/broker.csr" &&
        printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' >"$work/extensions" &&
        openssl x509 -req -days 2 -in "$work/broker.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
            -extfile "$work/extensions" -out "$work/broker.pem"
}
make_certificate 2>"$work/errors" || { cat "$work/errors" >&2; exit 1; }
cat "$PXGRID_CA" "$work/ca.pem" >"$work/trusted.pem"

# control METHOD JSON: one call of the control API.
control() {
    curl -sS --fail --cacert "$PXGRID_CA" --cert "$PXGRID_CERT" --key "$PXGRID_KEY" -u "$client:" -H 'Content-Type: application/json' \
        -d "$2" "https://localhost:$ISE_PXGRID_PORT/pxgrid/control/$1"
}

# The user is our client, its password the secret that the lab gives it for the node; the virtual host is the node, for that is what STOMP's
# `host` names to RabbitMQ.
control AccountActivate '{}' >/dev/null || exit 1
node=$(control ServiceLookup '{"name":"com.cisco.ise.pubsub"}' | jq -er '.services[0].nodeName') || exit 1
secret=$(control AccessSecret "{\"peerNodeName\":\"$node\"}" | jq -er .secret) || exit 1
PXGRID_CA=$work/trusted.pem
export PXGRID_CA
jq -n --arg user "$client" --arg secret "$secret" --arg node "$node" '{
    vhosts: [{name: $node}],
    users: [{name: $user, password: $secret, tags: "administrator"}],
    permissions: [{user: $user, vhost: $node, configure: ".*", write: ".*", read: ".*"}]
}' >"$work/definitions.json"
printf '[rabbitmq_management,rabbitmq_web_stomp].\n' >"$work/plugins"
: >"$work/no-environment"

# broker_up KIND: starts RabbitMQ, which sends KIND (text or binary) WebSocket messages, and waits until it can be used.
broker_up() {
    cat >"$work/rabbitmq.conf" <<EOF
listeners.tcp = none
stomp.listeners.tcp = none
management.tcp.ip = 127.0.0.1
management.tcp.port = $management_port
management.load_definitions = $work/definitions.json
web_stomp.tcp.listener = none
web_stomp.ssl.listener = 127.0.0.1:$tls_port
web_stomp.ssl.certfile = $work/broker.pem
web_stomp.ssl.keyfile = $work/broker.key
web_stomp.use_http_auth = true
web_stomp.ws_frame = $1
EOF
    HOME=$work ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$epmd_port \
        RABBITMQ_NODENAME=netapi@localhost RABBITMQ_DIST_PORT=$distribution_port RABBITMQ_ALLOW_INPUT=yes \
        RABBITMQ_CONF_ENV_FILE=$work/no-environment RABBITMQ_CONFIG_FILE=$work/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$work/plugins \
        RABBITMQ_MNESIA_BASE=$work/data RABBITMQ_GENERATED_CONFIG_DIR=$work/generated RABBITMQ_SCHEMA_DIR=$work/schema \
        RABBITMQ_LOG_BASE=$work/log RABBITMQ_PID_FILE=$work/pid \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +S 1:1' \
        "$server" -noinput >"$work/broker.log" 2>&1 &
    broker=$!
    until_true 60 management GET overview && until_true 20 curl -s --cacert "$work/ca.pem" "https://localhost:$tls_port/" && return
    tail -n 20 "$work/broker.log" >&2
    exit 1
}

# management METHOD PATH [CURL-ARGUMENTS…]: one call of RabbitMQ's own API.
management() {
    method=$1 path=$2
    shift 2
    curl -sS --fail -u "$client:$secret" -X "$method" -H 'Content-Type: application/json' "$@" \
        "http://127.0.0.1:$management_port/api/$path"
}

HOME=$work epmd -address 127.0.0.1 -port "$epmd_port" >"$work/epmd.log" 2>&1 &
epmd=$!
broker_up text

# verdict NAME STATUS
verdict() {
    if [ "$2" -eq 0 ]; then
        echo "ok      $1"
    else
        echo "FAILED  $1"
        tail -n 5 "$work/events" "$work/status" "$work/errors" "$work/lab.log" | cut -c 1-300 | sed 's/^/        /'
        if ! kill -0 "$lab" 2>/dev/null; then
            wait "$lab"
            echo "        the lab has ended with status $?"
        fi
        failed=1
    fi
}

# published TOPIC FILE [HEADERS]: the file is put into a topic as one message by RabbitMQ's own API; false when nobody is subscribed.
published() {
    jq -n --rawfile payload "$2" --arg key "$1" --argjson headers "${3:-{\}}" \
        '{properties: {headers: $headers}, routing_key: $key, payload: $payload, payload_encoding: "string"}' >"$work/publication"
    management POST "exchanges/$node/amq.topic/publish" --data-binary "@$work/publication" 2>"$work/errors" | jq -e .routed >/dev/null
}

# came N: so many events came live. What REST adds after a reconnect is the lab's affair.
came() {
    [ "$(jq -s '[.[] | select(.recovered | not)] | length' "$work/events")" -ge "$1" ]
}

# subscribed N: the status lines say so for the N-th time.
subscribed() {
    [ "$(grep -c '"subscribed to 3 topics' "$work/status")" -ge "$1" ]
}

# last JQ-EXPRESSION: the newest live event satisfies it.
last() {
    jq -s -e --slurpfile sent "$work/sent" "[.[] | select(.recovered | not)][-1] | $1" "$work/events" >/dev/null 2>"$work/errors"
}

# round KIND: messages of all kinds arrive as they were sent.
round() {
    live=$(jq -s '[.[] | select(.recovered | not)] | length' "$work/events")

    # Line ends within and around, no character of which is one octet, and headers whose escapes are the broker's.
    printf '\n{\n\n"sequence": %s,\n\n"sessions": [{"timestamp": "%s",\n\n"state": "STARTED", "macAddress": "C8:5B:76:00:00:01", "userName": "%s"}]}\n\n' \
        "$number" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" 'Zoë \"漢字\" 😀 \\ \n' >"$work/sent"
    number=$((number + 1))
    published com.cisco.ise.session "$work/sent" '{"a:b": "c:d\ne\\f\rg", "ü": ""}' && until_true 10 came $((live + 1)) &&
        last '.message.sessions == $sent[0].sessions and .topic == "/topic/com.cisco.ise.session" and .sequenceNumber == $sent[0].sequence'
    verdict "$1 messages: blank lines, no ASCII, escaped headers" $?

    python3 -c 'import json; print(json.dumps({"n": 0, "text": "é\n\n" + "ü漢" * 50000}, ensure_ascii=False))' >"$work/sent"
    published com.example.first "$work/sent" && until_true 10 came $((live + 2)) &&
        last '.message == $sent[0] and .topic == "/topic/com.example.first"'
    verdict "$1 messages: 250 KB" $?

    "$netapi" ise pxgrid publish /topic/com.example.second "$work/sent" >"$work/output" 2>"$work/errors" &&
        until_true 10 came $((live + 3)) && last '.message == $sent[0] and .topic == "/topic/com.example.second"'
    verdict "$1 messages: 250 KB, published by ourselves" $?

    jq -n -c 'range(500) | {n: .}' | "$netapi" ise pxgrid publish /topic/com.example.first --rate 10000 >"$work/output" 2>"$work/errors" &&
        until_true 20 came $((live + 503)) &&
        jq -s -e '[.[] | select(.recovered | not)][-500:] | map(.message.n) == [range(500)]' "$work/events" >/dev/null
    verdict "$1 messages: 500 in order" $?
}

: >"$work/events"
: >"$work/errors"
number=0
"$netapi" ise pxgrid subscribe --topic session --topic /topic/com.example.first --topic /topic/com.example.second --json \
    --reconnect-min 1s --reconnect-max 1s --lookup-pause 1s >"$work/events" 2>"$work/status" &
subscriber=$!
until_true 20 subscribed 1
verdict "three topics on one connection" $?
round text

# The broker ends the connection, as an administrator may.
connections() {
    management GET connections | jq -r '.[].name | @uri'
}
connected() {
    [ -n "$(connections)" ]
}
until_true 10 connected
for connection in $(connections); do
    management DELETE "connections/$connection" 2>>"$work/errors"
done
until_true 10 subscribed 2 && grep -q 'lost: .* closed the WebSocket' "$work/status"
verdict "a closed connection is said, and made again" $?

# Killed, and up again with binary messages and nothing but what is defined.
kill -KILL "$broker"
wait "$broker" 2>/dev/null
broker=
until_true 10 grep -q 'cannot use' "$work/status"
verdict "a broker that is gone is said" $?
broker_up binary
until_true 20 subscribed 3
verdict "the same subscriptions on the broker that came back" $?
round binary

kill -TERM "$subscriber"
wait "$subscriber" 2>/dev/null
status=$?
subscriber=
[ "$status" -eq 143 ] && grep -q '"leaving"' "$work/status" && ! grep -q 'receipt\|malformed' "$work/status" && jq -s -e 'length >= 1006' "$work/events" >/dev/null
verdict "leaving is confirmed" $?

# So many events and no more: the broker's receipt ends it with 0.
: >"$work/events"
"$netapi" ise pxgrid subscribe --topic session --json --count 2 >"$work/events" 2>"$work/status" &
subscriber=$!
until_true 20 grep -q '"subscribed' "$work/status"
for n in 1 2 3; do
    printf '{"sequence": %s, "sessions": [{"state": "STARTED", "macAddress": "C8:5B:76:00:00:0%s"}]}' "$n" "$n" >"$work/sent"
    published com.cisco.ise.session "$work/sent"
done
wait "$subscriber"
status=$?
subscriber=
[ "$status" -eq 0 ] && jq -s -e 'length == 2' "$work/events" >/dev/null
verdict "two events and no more" $?

# Another secret: the broker's ERROR frame is passed on.
: >"$work/events"
management PUT "users/$client" -d '{"password":"another","tags":"administrator"}' 2>"$work/errors"
"$netapi" ise pxgrid subscribe --topic session --json --for 3s --lookup-pause 1s >"$work/events" 2>"$work/status"
grep -q 'Bad CONNECT: Access refused' "$work/status"
verdict "the words of an ERROR frame" $?

exit "$failed"
