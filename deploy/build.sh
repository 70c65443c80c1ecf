#!/bin/sh
# Builds the program of a release for a target, and prints where it is. On Linux it is static: a
# target with -musl for releases, one with -gnu only where musl cannot be had (its names come from
# DNS and hosts files alone: another source in nsswitch.conf ends the program).
#
# Usage: deploy/build.sh TARGET
set -eu
cd "$(dirname "$0")/.."

target=$1
commit=$(git rev-parse HEAD 2>/dev/null || true)
[ -z "$commit" ] || export NETAPI_COMMIT="$commit"
case $target in
# The system's call for random numbers, where there may be no /dev; musl has it anyway.
*-linux-*) export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"" ;;
esac
profile=${PROFILE:-dist}
cargo build --locked --profile "$profile" --target "$target" >&2
[ "$profile" != dev ] || profile=debug
echo "${CARGO_TARGET_DIR:-target}/$target/$profile/netapi"
