#!/bin/sh
# deploy/version.sh takes a tag only where Cargo.toml, Cargo.lock and CHANGELOG.md say the same: a copy
# of the three is made to agree, then one after the other is wrong.
set -u
cd "$(dirname "$0")/.." || exit 1

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/deploy"
cp deploy/version.sh "$work/deploy/"
failed=0

# try NAME STATUS TAG [FILE SED]: in a copy of the tree's files, after FILE was edited.
try() {
    cp Cargo.toml Cargo.lock CHANGELOG.md "$work/"
    version=$(deploy/version.sh)
    # The changelog as it is on the day of a release.
    sed -i "0,/^## .*/s//## $version - 2026-12-01/" "$work/CHANGELOG.md"
    [ $# -lt 5 ] || sed -i "$5" "$work/$4"
    "$work/deploy/version.sh" "$3" >"$work/said" 2>&1
    status=$?
    if [ $status -eq "$2" ]; then
        echo "ok: $1: $(cat "$work/said")"
    else
        failed=1
        echo "FAILED: $1: status $status: $(cat "$work/said")"
    fi
}

version=$(deploy/version.sh)
try "all agree" 0 "v$version"
try "another tag" 1 "v9.9.9"
try "a tag without v" 1 "$version"
try "another Cargo.lock" 1 "v$version" Cargo.lock '/^name = "netapi"/{n;s/".*"/"9.9.9"/;}'
try "another Cargo.toml" 1 "v$version" Cargo.toml '0,/^version = .*/s//version = "9.9.9"/'
try "a changelog without it" 1 "v$version" CHANGELOG.md '0,/^## .*/s//## Unreleased/'
exit $failed
