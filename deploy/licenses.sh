#!/bin/sh
# Makes src/cli/licenses.txt.gz, what `netapi licenses` prints, anew: after a crate came, went or
# changed. It takes some minutes of reading.
# Tests compare it with the crates that are linked, so this is needed only when they ask for it.
#
# Needs: cargo-about (cargo install --locked --features cli cargo-about@0.9.3).
set -eu
cd "$(dirname "$0")/.."

cargo about --version >/dev/null 2>&1 || {
    echo "there is no cargo-about: cargo install --locked --features cli cargo-about@0.9.3" >&2
    exit 2
}
made=$(mktemp)
trap 'rm -f "$made"' EXIT
# Offline it takes every text from the crates themselves.
cargo fetch --locked --quiet
cargo about generate --all-features --locked --offline --fail \
    --config deploy/about.toml deploy/notices.hbs --output-file "$made"
tr -d '\r' <"$made" | sed 's/[[:space:]]*$//' | cat -s | gzip -n -9 >src/cli/licenses.txt.gz
