#!/bin/sh
# Prints what CHANGELOG.md says of the version of Cargo.toml: the notes of its release.
set -eu
cd "$(dirname "$0")/.."

awk -v head="## $(deploy/version.sh) - " '
    index($0, head) == 1 { found = 1; next }
    found && /^## / { exit }
    found
' CHANGELOG.md
