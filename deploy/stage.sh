#!/bin/sh
# Lays out in target/dist what archives and packages are made of. The program itself makes its man
# pages, completions, example configuration and notices.
#
# Usage: deploy/stage.sh [PROGRAM]      (default: target/release/netapi; one that runs on this machine)
set -eu
cd "$(dirname "$0")/.."

program=${1:-target/release/netapi}
[ -x "$program" ] || { echo "there is no $program: build it first" >&2; exit 2; }

dist=target/dist
rm -rf "$dist"
mkdir -p "$dist/bin" "$dist/completions" "$dist/callbacks" "$dist/systemd"
install -m 755 "$program" "$dist/bin/netapi"
# A release has no symbols; neither has the build of the gate.
strip "$dist/bin/netapi" 2>/dev/null || true

"$dist/bin/netapi" man "$dist/man/man1"
"$dist/bin/netapi" completion bash >"$dist/completions/netapi"
"$dist/bin/netapi" completion zsh >"$dist/completions/_netapi"
"$dist/bin/netapi" completion fish >"$dist/completions/netapi.fish"
"$dist/bin/netapi" --config "$dist/config.toml" config init --template 2>/dev/null
chmod 644 "$dist/config.toml"
"$dist/bin/netapi" licenses >"$dist/THIRD-PARTY-NOTICES"

install -m 755 tests/it/callbacks/*.sh "$dist/callbacks/"
cp -R deploy/systemd/. "$dist/systemd/"
cp README.md CHANGELOG.md LICENSE "$dist/"
# Debian's own form of it, with the day of the newest version.
{
    printf 'netapi (%s) unstable; urgency=medium\n\n' "$(deploy/version.sh)"
    printf '  * See CHANGELOG.md beside this file.\n\n'
    printf ' -- netapi maintainers <maintainers@netapi.invalid>  %s\n' "$(LC_ALL=C date -R)"
} >"$dist/debian-changelog"
