#!/bin/sh
# A static program in a directory tree that holds it and /tmp, nothing else: no /proc, no /dev, no
# hosts file, no shell.
#
# Usage: .ci/empty-tree.sh PROGRAM [FAST]     (FAST yes: one made of the crates of the debug build)
set -u

program=$1
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
mkdir -m 1777 "$tree/tmp"
cp "$program" "$tree/netapi"
failed=0

if [ "$(id -u)" -eq 0 ]; then
    enter="chroot"
elif unshare --map-root-user true 2>/dev/null; then
    enter="unshare --map-root-user chroot"
else
    echo "skipped: neither root nor a user namespace can be had, so no directory tree can be entered"
    exit 0
fi

# check WORDS ARGUMENTS…: the program with the arguments, in the tree; its output must have the words.
check() {
    words=$1
    shift
    # shellcheck disable=SC2086  # two words
    said=$(env -i PATH="$PATH" $enter "$tree" /netapi "$@" 2>&1 </dev/null)
    status=$?
    case $said in
    *"$words"*) [ $status -eq 0 ] && echo "ok: netapi $*" && return ;;
    esac
    failed=1
    printf 'FAILED: netapi %s: status %s\n%s\n' "$*" $status "$said"
}

check "netapi " --version
check "C8:5B:76:C6:59:62" ise lab run -- netapi ise mnt sessions
check "22040" ise lab run -- netapi ise mnt explain 00:00:5E:00:53:F0
# Crates of a build without crt-static look for random numbers in /dev.
if [ "${2:-no}" != yes ]; then
    check "static" version
    check "C8:5B:76:C6:59:62" ise lab run -- netapi ise pxgrid sessions
    check "stomp" ise lab run -- netapi ise pxgrid test
fi
exit $failed
