#!/bin/sh
# The recipes for curl that the README shows under "From curl to netapi", word for word, against the lab on the ports that they name; and the
# line of netapi beside each. What each must print stands here.
#
# Usage: tests/peers/seed-recipes.sh [NETAPI]     (default: target/debug/netapi)
#
# One line a check on standard output. "skipped: …" and status 0 where something is missing; 1 when a check failed. Ports 443 and 8910 are
# taken in a network of its own (unshare), else on this machine's loopback where they are free.

# shellcheck disable=SC2016,SC2317,SC1090,SC1091  # jq's variables are not the shell's; what a trap calls is reached; files are made here

set -u

netapi=${1:-target/debug/netapi}
[ -x "$netapi" ] || { echo "there is no $netapi: build it first" >&2; exit 2; }

skip() {
    echo "skipped: $1"
    exit 0
}

for program in curl jq awk; do
    command -v "$program" >/dev/null || skip "there is no $program"
done

# A network of its own: the real ports are free in it, and nobody else sees them.
if [ -z "${SEED_RECIPES_ALONE:-}" ] && command -v ip >/dev/null; then
    for how in "unshare -n" "unshare -rn"; do
        # shellcheck disable=SC2086  # words, on purpose
        if $how ip link set lo up 2>/dev/null; then
            SEED_RECIPES_ALONE=yes exec $how sh "$0" "$netapi"
        fi
    done
fi
[ -z "${SEED_RECIPES_ALONE:-}" ] || ip link set lo up

case $netapi in /*) ;; *) netapi=$PWD/$netapi ;; esac
readme=$(dirname "$0")/../../README.md
work=$(mktemp -d) || exit 1
failed=0
lab=

finish() {
    [ -z "$lab" ] || kill "$lab" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$netapi" ise lab up --dir "$work/lab" --listen-mnt 443 --listen-pxgrid 8910 >"$work/env" 2>"$work/lab.log" </dev/null &
lab=$!
tries=100
until [ -s "$work/env" ]; do
    kill -0 "$lab" 2>/dev/null || skip "ports 443 and 8910 cannot be had: $(head -n 1 "$work/lab.log")"
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "the lab did not come up" >&2; exit 1; }
    sleep 0.1
done
. "$work/env"

# What the recipes take for granted: credentials in the environment, which the lab has set, and certificates in the home directory.
dsource() { :; }
HOME=$work/home
mkdir -p "$HOME/.certs"
cp "$PXGRID_CERT" "$HOME/.certs/pxgrid-client.pem"
cp "$PXGRID_KEY" "$HOME/.certs/pxgrid-client.key"
cp "$PXGRID_CA" "$HOME/.certs/ise-trust-chain.pem"
PATH=$(dirname "$netapi"):$PATH
export HOME PATH

# The blocks of the section, a file each: 1 is the set-up, then a recipe and the line that replaces it, in turns.
awk -v work="$work" '
    /^## / { inside = 0 }
    /^## From curl to netapi$/ { inside = 1 }
    inside && /^```/ { if (open) { open = 0; close(file) } else { open = 1; file = work "/block" ++number } next }
    inside && open { print > file }
    END { print number + 0 }
' "$readme" >"$work/number"

# verdict NAME STATUS
verdict() {
    if [ "$2" -eq 0 ]; then
        echo "ok      $1"
    else
        echo "FAILED  $1"
        sed 's/^/        /' "$work/output" "$work/errors" | cut -c 1-300 | tail -n 20
        failed=1
    fi
}

# Recipes are sourced, since later ones use the variables of earlier ones.
. "$work/block1"
block=1

# pair NAME WHAT-CURL-PRINTS WHAT-NETAPI-PRINTS: the next two blocks; each "what" is a command that reads it.
pair() {
    for way in curl netapi; do
        block=$((block + 1))
        if [ ! -s "$work/block$block" ]; then
            : >"$work/output"
            echo "the README has no block $block" >"$work/errors"
            verdict "$1: $way" 1
            continue
        fi
        [ "$way" = curl ] && right=$2 || right=$3
        . "$work/block$block" >"$work/output" 2>"$work/errors"
        eval "$right" <"$work/output" >>"$work/errors" 2>&1
        verdict "$1: $way" $?
    done
}

# has TEXT…: standard input has each of them.
has() {
    cat >"$work/seen"
    for text in "$@"; do
        grep -qF -e "$text" "$work/seen" || return 1
    done
}

# lines COUNT: standard input has so many.
lines() {
    [ "$(wc -l)" -eq "$1" ]
}

mac=C8:5B:76:C6:59:62
pair "session count" 'has "<count>50</count>"' 'has 50'
pair "active sessions" 'has "<activeList noOfActiveSession=\"50\">" "<calling_station_id>$mac</calling_station_id>" "</activeList>"' 'lines 50'
pair "session by MAC" 'has "<sessionParameters>" "<calling_station_id>$mac</calling_station_id>"' 'has "$mac" 10.50.10.100'
pair "session by IP" 'has "<framed_ip_address>10.50.10.100</framed_ip_address>" "$mac"' 'has "$mac" 10.50.10.100'
pair "session by user" 'has "<user_name>jsmith</user_name>"' 'has jsmith 00:00:5E:00:53:02'
pair "sessions of a NAS" 'has "<nas_ip_address>10.50.1.10</nas_ip_address>" "$mac"' 'has "$mac" && ! grep -vq 10.50.1.10 "$work/output"'
pair "authentication attempts" 'has "<authStatusOutputList>" "<authStatusList key=\"$mac\">" "<authStatusElements>"' 'has pass'
pair "failure reasons" 'has "<failureReasonList>" "<failureReason id=\"22040\">"' 'has 22040'
pair "version" 'has "<product name=" "<version>3.3.0.430</version>"' 'has 3.3.0.430'
pair "pxGrid: sessions" 'jq -e ".sessions | length == 50"' 'lines 50'
pair "pxGrid: session by MAC" 'jq -e ".macAddress == \"$mac\""' 'has "$mac"'
pair "pxGrid: apply a policy" 'jq -e ".macAddress == \"$mac\" and .policyName == \"Quarantine\" and (.status == \"RUNNING\" or .status == \"SUCCESS\")"' \
    'has "$mac" Quarantine'

[ "$(cat "$work/number")" -eq "$block" ]
verdict "every block of the README was run" $?

# Where the pages that the recipes are from are at hand: word for word.
pages=$(dirname "$0")/../../../shared/reference/netapi-docs
if [ -d "$pages" ]; then
    cat "$pages"/*.txt | tr -d '\r' >"$work/pages"
    number=2
    while [ "$number" -le "$block" ]; do
        # Every line but blank ones, in the pages as it is here.
        : >"$work/output"
        grep -v '^[[:space:]]*$' "$work/block$number" | while IFS= read -r line; do
            line=$(printf '%s' "$line" | sed 's/^ *//')
            sed 's/^ *//' "$work/pages" | grep -qxF -e "$line" || echo "not in the pages: $line"
        done >"$work/errors"
        [ ! -s "$work/errors" ]
        verdict "recipe $((number / 2)) is word for word" $?
        number=$((number + 2))
    done
else
    echo "skipped: the recipes' pages are not here, they are not compared"
fi

exit "$failed"
