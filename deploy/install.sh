#!/bin/sh
# Installs a release of netapi: the program, its man pages and completions. Nothing is taken that
# does not have the checksum that the release names.
#
# Usage: install.sh [--from URL|DIRECTORY] [--version X.Y.Z] [--prefix DIRECTORY]
#
#   --from      where the archives and SHA256SUMS are: a directory, or an address that begins with
#               https:// (default: that of the release this script came with)
#   --version   the version (default: the only one that SHA256SUMS names for this computer)
#   --prefix    where to (default: /usr/local for root, else ~/.local)
#
# Exit status: 0 installed, or there already; 1 not installed, and nothing was changed; 2 usage.
# Needs tar, gzip, sha256sum or shasum, and for addresses curl or wget.
set -eu

# The release's own address, written in when it is made.
from='@RELEASE@'
version=
prefix=

usage() {
    echo "install.sh: $1" >&2
    echo "Usage: install.sh [--from URL|DIRECTORY] [--version X.Y.Z] [--prefix DIRECTORY]" >&2
    exit 2
}

fail() {
    echo "install.sh: $1" >&2
    [ $# -lt 2 ] || echo "hint: $2" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --from | --version | --prefix) [ $# -gt 1 ] || usage "$1 needs a value" ;;
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0"
        exit 0
        ;;
    *) usage "there is no $1" ;;
    esac
    case $1 in
    --from) from=$2 ;;
    --version) version=$2 ;;
    --prefix) prefix=$2 ;;
    esac
    shift 2
done
case $from in
@*) usage "this copy belongs to no release: say --from" ;;
http://*) usage "$from is not https://" ;;
esac
if [ -z "$prefix" ]; then
    if [ "$(id -u)" -eq 0 ]; then prefix=/usr/local; else prefix=$HOME/.local; fi
fi

case $(uname -s)-$(uname -m) in
Linux-x86_64 | Linux-amd64) target=x86_64-unknown-linux-musl ;;
Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
Darwin-x86_64) target=x86_64-apple-darwin ;;
Darwin-arm64) target=aarch64-apple-darwin ;;
*) fail "there is no release for $(uname -s) on $(uname -m)" "build it: cargo install --locked --path ." ;;
esac
# For tests, and for a machine that runs another's programs.
target=${NETAPI_INSTALL_TARGET:-$target}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fetch NAME: puts a file of the release into $work.
fetch() {
    case $from in
    https://*)
        if command -v curl >/dev/null; then
            curl --proto '=https' --tlsv1.2 -fsSL -o "$work/$1" "$from/$1"
        elif command -v wget >/dev/null; then
            wget -q --https-only -O "$work/$1" "$from/$1"
        else
            fail "there is neither curl nor wget"
        fi
        ;;
    *) cp "$from/$1" "$work/$1" 2>/dev/null ;;
    esac || fail "$from has no $1" "is the address right, and is the version released for $target?"
}

checksum() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$1"
    else
        fail "there is neither sha256sum nor shasum" "without a checksum nothing is installed"
    fi | cut -d ' ' -f 1
}

fetch SHA256SUMS
if [ -z "$version" ]; then
    version=$(sed -n "s/^[0-9a-f]\{64\}  netapi-\([0-9][0-9A-Za-z.-]*\)-$target\.tar\.gz\$/\1/p" "$work/SHA256SUMS")
    case $version in
    '') fail "$from has nothing for $target" ;;
    *[!0-9A-Za-z.-]*) fail "$from has several versions" "say which: --version" ;;
    esac
fi
name=netapi-$version-$target

if [ -x "$prefix/bin/netapi" ] && [ "$("$prefix/bin/netapi" --version 2>/dev/null)" = "netapi $version" ]; then
    echo "netapi $version is in $prefix/bin already"
    exit 0
fi

wanted=$(awk -v file="$name.tar.gz" '$2 == file { print $1 }' "$work/SHA256SUMS")
[ -n "$wanted" ] || fail "SHA256SUMS names no $name.tar.gz"
fetch "$name.tar.gz"
found=$(checksum "$work/$name.tar.gz")
[ "$found" = "$wanted" ] || fail "$name.tar.gz is not what was released: its checksum is
  $found, not
  $wanted" "load it again; if it stays so, do not use it"

tar -xzf "$work/$name.tar.gz" -C "$work" || fail "$name.tar.gz cannot be unpacked"
new=$work/$name
ran=$("$new/bin/netapi" --version 2>&1) || fail "the program does not run here: $ran"

# What cannot be written is known before anything is.
writable() {
    { mkdir -p "$1" && [ -w "$1" ]; } 2>/dev/null ||
        fail "cannot write to $1" "run it as root, or choose another place: --prefix ~/.local"
}
bin=$prefix/bin man=$prefix/share/man
bash=$prefix/share/bash-completion/completions
zsh=$prefix/share/zsh/site-functions
fish=$prefix/share/fish/vendor_completions.d
doc=$prefix/share/doc/netapi
for directory in "$bin" "$man/man1" "$man/man7" "$bash" "$zsh" "$fish" "$doc/callbacks"; do
    writable "$directory"
done
cp "$new"/man/man1/*.1 "$man/man1/"
cp "$new"/man/man7/*.7 "$man/man7/"
cp "$new/completions/netapi" "$bash/"
cp "$new/completions/_netapi" "$zsh/"
cp "$new/completions/netapi.fish" "$fish/"
cp "$new/config.toml" "$new/LICENSE" "$new/THIRD-PARTY-NOTICES" "$new/README.md" "$new/CHANGELOG.md" "$doc/"
cp "$new"/callbacks/*.sh "$doc/callbacks/"
# A running netapi keeps its own file: the new one takes the name in one step.
cp "$new/bin/netapi" "$bin/.netapi.new"
chmod 755 "$bin/.netapi.new"
mv -f "$bin/.netapi.new" "$bin/netapi"

echo "netapi $version is installed in $bin"
case :$PATH: in
*:"$bin":*) ;;
*) echo "hint: $bin is not in PATH" >&2 ;;
esac
