#!/bin/sh
# Prints the version of Cargo.toml. With a tag (v1.2.3) it also checks that tag, Cargo.toml,
# Cargo.lock and CHANGELOG.md agree, and fails where they do not.
#
# Usage: deploy/version.sh [TAG]
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
[ -n "$version" ] || { echo "Cargo.toml names no version" >&2; exit 1; }
if [ $# -gt 0 ]; then
    [ "$1" = "v$version" ] || { echo "the tag is $1, Cargo.toml says $version" >&2; exit 1; }
    locked=$(sed -n '/^name = "netapi"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
    [ "$locked" = "$version" ] || { echo "Cargo.lock says $locked, Cargo.toml $version" >&2; exit 1; }
    # The newest section of the changelog is this version's, with its day.
    newest=$(sed -n 's/^## \(.*\)$/\1/p' CHANGELOG.md | head -n 1)
    case $newest in
    "$version - "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]) ;;
    *) echo "CHANGELOG.md begins with '## $newest', not '## $version - YEAR-MONTH-DAY'" >&2; exit 1 ;;
    esac
fi
echo "$version"
