#!/bin/sh
# The packages of target/stage (deploy/stage.sh): the .deb is built, looked at, installed into a bare
# Debian, used, upgraded, removed and purged; the .rpm is built and looked at.
#
# Usage: .ci/packages.sh OUTPUT-DIRECTORY [PROGRAM]
#
# PROGRAM  is put into the .deb in place of the one in target/stage, which may then be a small one: tools that
#          were built without optimisation take minutes for a large one.
# DEBIAN   a directory with a bare Debian, which is copied; else one is made (root, mmdebstrap, apt).
set -eu
cd "$(dirname "$0")/.."

output=$1
program=${2:-target/stage/bin/netapi}
skip() { echo "skipped: $1"; }
fail() { echo "FAILED: $1"; exit 1; }

if cargo generate-rpm --version >/dev/null 2>&1; then
    cargo generate-rpm --payload-compress none --output "$output" >/dev/null
    rpm=$(ls "$output"/*.rpm)
    if command -v rpm >/dev/null; then
        rpm -qlp "$rpm" >"$output/rpm.files" 2>/dev/null
        for file in /usr/bin/netapi /usr/share/man/man1/netapi.1 /usr/lib/systemd/system/netapi-subscribe.service \
            /usr/lib/sysusers.d/netapi.conf /usr/share/licenses/netapi/THIRD-PARTY-NOTICES; do
            grep -qx "$file" "$output/rpm.files" || fail "$rpm has no $file"
        done
        echo "ok: $rpm"
    fi
else
    skip "there is no cargo-generate-rpm (cargo install --locked cargo-generate-rpm@0.21.1)"
fi

cargo deb --version >/dev/null 2>&1 || {
    skip "there is no cargo-deb (cargo install --locked cargo-deb@3.8.0)"
    exit 0
}
# The package, without building the program.
made=$output/made.deb
deb=$output/netapi-1.deb
cargo deb --no-build --no-strip --fast --compress-type gzip --compress-system --quiet --deb-revision 1 --output "$made"
# pack REVISION: the same with that revision and the program, by Debian's own packer.
pack() {
    tree=$(mktemp -d)
    dpkg-deb --raw-extract "$made" "$tree/package"
    install -m 755 "$program" "$tree/package/usr/bin/netapi"
    (cd "$tree/package" && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
    sed -i "s/^\(Version: .*\)-1\$/\1-$1/" "$tree/package/DEBIAN/control"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree/package" "$output/netapi-$1.deb" >/dev/null
    rm -rf "$tree"
}
pack 1
pack 2

if command -v lintian >/dev/null; then
    # Of a program for one machine there is no source package, no bug to close and no translation.
    lintian --allow-root --tag-display-limit 0 --fail-on error --suppress-tags \
        initial-upload-closes-no-bugs,no-changelog,embedded-library "$deb" || fail "lintian"
else
    skip "there is no lintian"
fi
if command -v systemd-analyze >/dev/null; then
    units=$(mktemp -d)
    dpkg-deb --extract "$deb" "$units"
    # The program that a unit names has to be there.
    for unit in "$units"/usr/lib/systemd/system/*.service; do
        sed -i "s#^ExecStart=/usr/bin/netapi#ExecStart=$units/usr/bin/netapi#" "$unit"
        said=$(systemd-analyze verify --man=no "$unit" 2>&1) || fail "$unit: $said"
        case $said in *netapi-*) fail "$unit: $said" ;; esac
        echo "ok: systemd-analyze verify $(basename "$unit")"
    done
    rm -rf "$units"
else
    skip "there is no systemd-analyze"
fi

[ "$(id -u)" -eq 0 ] || { skip "only root can install a package into a Debian of its own"; exit 0; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
if [ -n "${DEBIAN:-}" ]; then
    cp -a "$DEBIAN/." "$root/"
else
    command -v mmdebstrap >/dev/null || { skip "there is no mmdebstrap"; exit 0; }
    # shellcheck disable=SC1091  # Debian's own
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
    mmdebstrap --quiet --variant=minbase --include=systemd-standalone-sysusers "$suite" "$root" >"$output/debian.log" 2>&1 || {
        skip "no bare Debian can be made: $(tail -n 1 "$output/debian.log")"
        exit 0
    }
fi
cp "$output"/netapi-?.deb "$root/tmp/"
in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive chroot "$root" "$@" </dev/null; }
files() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./tmp -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache \) -prune -o -print | sort); }

files >"$output/before"
in_root dpkg --install /tmp/netapi-1.deb >"$output/dpkg.log" || fail "it cannot be installed: $(cat "$output/dpkg.log")"
[ "$(in_root netapi ise lab run -- netapi ise mnt count)" = 50 ] || fail "the installed program counts no sessions"
in_root netapi ise lab run -- netapi ise pxgrid test >/dev/null || fail "pxgrid test in the lab"
in_root sh -c 'getent passwd netapi' | grep -q nologin || fail "there is no user netapi that logs on nowhere"
[ ! -e "$root/etc/systemd/system/multi-user.target.wants" ] ||
    ! find "$root/etc/systemd/system" -name 'netapi*' | grep -q . || fail "something was enabled by itself"
echo "ok: installed and used"

# What the package ships is what the installed program prints.
in_root sh -c 'mkdir /etc/netapi && netapi config path >/dev/null && cp /usr/share/doc/netapi/examples/config.toml /etc/netapi/ &&
    cp /usr/share/netapi/callbacks/log.sh /etc/netapi/callback'
in_root sh -c 'cd / && netapi --config /etc/netapi/config.toml ise pxgrid subscribe --topic session \
    --callback /etc/netapi/callback --spool /var/lib/netapi --print-unit' >"$output/unit"
diff "$output/unit" "$root/usr/lib/systemd/system/netapi-subscribe.service" || fail "its unit is another one"
echo "ok: the unit is what the program prints"

# A spool with an event in it, and settings, outlive everything.
mkdir -p "$root/var/lib/netapi"
: >"$root/var/lib/netapi/spool"
in_root dpkg --install /tmp/netapi-2.deb >>"$output/dpkg.log" || fail "it cannot be upgraded"
# shellcheck disable=SC2016  # dpkg's variables
in_root dpkg-query -W -f '${Version} ${Status}\n' netapi | grep -q -- '-2 install ok installed' || fail "it was not upgraded"
in_root dpkg --remove netapi >>"$output/dpkg.log" || fail "it cannot be removed"
in_root dpkg --purge netapi >>"$output/dpkg.log" 2>&1 || fail "it cannot be purged"
files >"$output/after"
left=$(comm -13 "$output/before" "$output/after" | grep -v '^\./etc/\(passwd\|group\|shadow\|gshadow\)-\?$' |
    grep -v '^\./etc/\.pwd\.lock$' || true)
wanted='./etc/netapi
./etc/netapi/callback
./etc/netapi/config.toml
./var/lib/netapi
./var/lib/netapi/spool'
[ "$left" = "$wanted" ] || fail "after the purge there is: $left"
echo "ok: upgraded, removed and purged; left are settings and spool"
