#!/bin/sh
# deploy/install.sh against a local directory: it installs what has the right checksum, and changes
# nothing where anything is wrong.
#
# Usage: .ci/install-script.sh DIRECTORY TARGET      (a directory with SHA256SUMS and TARGET's archive)
set -u
cd "$(dirname "$0")/.." || exit 1

release=$1
export NETAPI_INSTALL_TARGET="$2"
version=$(deploy/version.sh)
archive=netapi-$version-$2.tar.gz
work=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failed=0

# check NAME STATUS WORDS [OPTIONS…]: runs the script with the options; what it says must have the words.
check() {
    what=$1 status=$2 words=$3
    shift 3
    said=$(deploy/install.sh "$@" 2>&1 </dev/null)
    got=$?
    case $said in
    *"$words"*) same=yes ;;
    *) same=no ;;
    esac
    if [ $got -eq "$status" ] && [ $same = yes ]; then
        echo "ok: $what"
    else
        failed=1
        printf 'FAILED: %s: status %s, not %s; it said:\n%s\n' "$what" $got "$status" "$said"
    fi
}

# nothing NAME DIRECTORY: no program came there.
nothing() {
    if [ -e "$2/bin/netapi" ] || [ -e "$2/bin/.netapi.new" ]; then
        failed=1
        echo "FAILED: $1: something was installed"
    fi
}

check "a fresh place" 0 "is installed in $work/a/bin" --from "$release" --prefix "$work/a"
[ "$("$work/a/bin/netapi" --version)" = "netapi $version" ] || { failed=1; echo "FAILED: it does not run"; }
[ -e "$work/a/share/man/man1/netapi-ise-mnt-sessions.1" ] || { failed=1; echo "FAILED: no man pages"; }
check "it is there already" 0 "already" --from "$release" --prefix "$work/a"
printf '#!/bin/sh\necho netapi 0.0.1\n' >"$work/a/bin/netapi"
check "another version is replaced" 0 "is installed in" --from "$release" --prefix "$work/a" --version "$version"
[ "$("$work/a/bin/netapi" --version)" = "netapi $version" ] || { failed=1; echo "FAILED: not replaced"; }

mkdir "$work/wrong" "$work/gone" "$work/none"
{ cat "$release/$archive"; echo; } >"$work/wrong/$archive"
cp "$release/SHA256SUMS" "$work/wrong/"
check "a wrong checksum" 1 "is not what was released" --from "$work/wrong" --prefix "$work/b"
nothing "a wrong checksum" "$work/b"
cp "$release/SHA256SUMS" "$work/gone/"
check "a missing archive" 1 "has no $archive" --from "$work/gone" --prefix "$work/b"
check "a missing list" 1 "has no SHA256SUMS" --from "$work/none" --prefix "$work/b"
check "a version that is none" 1 "names no netapi-9.9.9" --from "$release" --prefix "$work/b" --version 9.9.9
nothing "what is missing" "$work/b"
: >"$work/file"
check "a place that cannot be written" 1 "cannot write to $work/file" --from "$release" --prefix "$work/file"
check "no https" 2 "is not https" --from http://example.com --prefix "$work/b"
check "no release" 2 "say --from" --prefix "$work/b"
check "an option that is none" 2 "there is no --form" --form x
exit $failed
