#!/bin/sh
# Packs target/stage (deploy/stage.sh) into netapi-VERSION-TARGET.tar.gz with its checksum beside it.
# The same files give the same bytes.
# LEVEL of compression: 9, unless it is only to be tried.
#
# Usage: deploy/archive.sh TARGET OUTPUT-DIRECTORY      (TARGET: x86_64-unknown-linux-musl, …)
set -eu
cd "$(dirname "$0")/.."

target=$1
output=$2
version=$(deploy/version.sh)
name=netapi-$version-$target
mkdir -p "$output"
output=$(cd "$output" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R target/stage "$work/$name"
# For images alone.
rmdir "$work/$name/empty"
# The time of the release's commit; of now where there is no repository.
when=$(git log -1 --format=%ct 2>/dev/null || date +%s)
if tar --version 2>/dev/null | grep -q 'GNU tar'; then
    tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" -cf "$work/$name.tar" "$name"
else
    tar -C "$work" -cf "$work/$name.tar" "$name"
fi
gzip -n "-${LEVEL:-9}" <"$work/$name.tar" >"$output/$name.tar.gz"
cd "$output"
checksum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }
checksum "$name.tar.gz" >"$name.tar.gz.sha256"
echo "$output/$name.tar.gz"
