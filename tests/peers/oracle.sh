#!/bin/sh
# Oracle's own drivers against the lab's Data Connect: python-oracledb and node-oracledb, both in their thin mode, with the statements of
# oracle/statements.json, once in the form of 19c and once in that of 23ai, and the verifier of 11g. What they read must be what stands there.
#
# A listener that redirects is for node-oracledb alone: on TCPS python-oracledb 26.1.0 does not say that it was sent on, and asks for ever.
#
# Usage: tests/peers/oracle.sh [NETAPI]     (default: target/debug/netapi)
#
# The packages are pinned with hashes in oracle/requirements.txt and oracle/package-lock.json, and go into a directory that is removed.
# PEERS=DIR names one that has them already: DIR/venv and DIR/node_modules.
# One line a check on standard output. "skipped: …" for the driver that cannot be had; 1 when a check failed. Traffic goes to loopback only.

set -u

netapi=${1:-target/debug/netapi}
here=$(cd "$(dirname "$0")/oracle" && pwd) || exit 1
work=$(mktemp -d) || exit 1
failed=0
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ -x "$netapi" ] || { echo "there is no $netapi: build it first" >&2; exit 2; }

peers=${PEERS:-$work}
python=$peers/venv/bin/python3
if [ -z "${PEERS:-}" ]; then
    { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q --require-hashes --only-binary :all: -r "$here/requirements.txt"; } \
        >"$work/pip.log" 2>&1 || python=
    cp "$here/package.json" "$here/package-lock.json" "$work" &&
        (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1
fi
[ -n "$python" ] && "$python" -c 'import oracledb' 2>/dev/null || { python=; echo "skipped: python-oracledb cannot be had"; }
node=node
[ -d "$peers/node_modules/oracledb" ] && command -v node >/dev/null || { node=; echo "skipped: node-oracledb cannot be had"; }

# check NAME COMMAND…: what differs is shown, and a line says how it went.
check() {
    name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok: $name: $(sed -n '1p;$p' "$work/said" | tr '\n' ' ')"
    else
        failed=1
        echo "FAILED: $name"
        grep -v '^ok ' "$work/said"
    fi
}

for options in "--dc-release 19c" "--dc-release 23ai" "--dc-release 19c --fault dc-old-verifier" "--dc-release 19c --fault dc-redirect"; do
    case $options in *dc-redirect) with_python=no ;; *) with_python=yes ;; esac
    # shellcheck disable=SC2086  # options are words
    [ -z "$python" ] || [ $with_python = no ] ||
        check "python, $options" "$netapi" ise lab run --fault dc-slow:A_MINUTE $options -- "$python" "$here/client.py" "$here/statements.json"
    # shellcheck disable=SC2086
    [ -z "$node" ] ||
        check "node, $options" "$netapi" ise lab run --fault dc-slow:A_MINUTE $options -- \
            env NODE_PATH="$peers/node_modules" sh -c 'NODE_EXTRA_CA_CERTS=$ISE_CA_CERT exec node "$@"' sh "$here/client.js" "$here/statements.json"
done
exit $failed
