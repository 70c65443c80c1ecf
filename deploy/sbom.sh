#!/bin/sh
# Writes the bill of materials, CycloneDX as JSON: netapi-VERSION.cdx.json with every crate that is
# linked into the program of the default features.
#
# Usage: deploy/sbom.sh OUTPUT-DIRECTORY      (needs cargo-cyclonedx; exit status 3 where there is none)
set -eu
cd "$(dirname "$0")/.."

cargo cyclonedx --version >/dev/null 2>&1 || exit 3
name=netapi-$(deploy/version.sh)
# It writes beside the manifest, under the name that it is given.
cargo cyclonedx --format json --target all --no-build-deps --override-filename "$name.cdx" --quiet
mv "$name.cdx.json" "$1/"
echo "$1/$name.cdx.json"
