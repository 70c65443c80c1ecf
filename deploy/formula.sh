#!/bin/sh
# Prints the Homebrew formula of a release.
#
# Usage: deploy/formula.sh ADDRESS SHA256SUMS      (ADDRESS: the directory that holds the archives)
set -eu
cd "$(dirname "$0")/.."

version=$(deploy/version.sh)
sum() { awk -v file="netapi-$version-$1.tar.gz" '$2 == file { print $1 }' "$2"; }
sed -e "s#@ADDRESS@#$1#g" -e "s#@VERSION@#$version#g" \
    -e "s#@MAC_ARM@#$(sum aarch64-apple-darwin "$2")#" \
    -e "s#@MAC_INTEL@#$(sum x86_64-apple-darwin "$2")#" \
    -e "s#@LINUX_ARM@#$(sum aarch64-unknown-linux-musl "$2")#" \
    -e "s#@LINUX_INTEL@#$(sum x86_64-unknown-linux-musl "$2")#" \
    deploy/netapi.rb.in
