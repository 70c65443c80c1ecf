#!/bin/sh
# Lays out in target/stage what archives and packages are made of. The program itself makes its man
# pages, completions, example configuration and notices.
#
# Usage: deploy/stage.sh [PROGRAM]      (default: target/dist/netapi; one that runs on this machine)
set -eu
cd "$(dirname "$0")/.."

program=${1:-target/dist/netapi}
[ -x "$program" ] || { echo "there is no $program: build it first" >&2; exit 2; }

stage=target/stage
rm -rf "$stage"
mkdir -p "$stage/bin" "$stage/completions" "$stage/callbacks" "$stage/systemd"
install -m 755 "$program" "$stage/bin/netapi"
# A release has no symbols; neither has the build of the gate.
strip "$stage/bin/netapi" 2>/dev/null || true

"$stage/bin/netapi" man "$stage/man/man1"
"$stage/bin/netapi" completion bash >"$stage/completions/netapi"
"$stage/bin/netapi" completion zsh >"$stage/completions/_netapi"
"$stage/bin/netapi" completion fish >"$stage/completions/netapi.fish"
"$stage/bin/netapi" --config "$stage/config.toml" config init --template 2>/dev/null
chmod 644 "$stage/config.toml"
"$stage/bin/netapi" licenses >"$stage/THIRD-PARTY-NOTICES"

install -m 755 tests/it/callbacks/*.sh "$stage/callbacks/"
cp -R deploy/systemd/. "$stage/systemd/"
# By name: beside them may lie the keys and passwords that compose.yaml asks for.
mkdir "$stage/fleet"
for file in compose.yaml grafana.json nats.conf permissions.conf prometheus.yml worker.Containerfile; do
    cp "deploy/fleet/$file" "$stage/fleet/"
done
cp README.md CHANGELOG.md LICENSE "$stage/"
# What deploy/Containerfile makes its volumes of.
mkdir "$stage/empty"
# Debian's own form of it, with the day of the newest version.
{
    printf 'netapi (%s) unstable; urgency=medium\n\n' "$(deploy/version.sh)"
    printf '  * See CHANGELOG.md beside this file.\n\n'
    printf ' -- netapi maintainers <maintainers@netapi.invalid>  %s\n' "$(LC_ALL=C date -R)"
} >"$stage/debian-changelog"
