#!/bin/sh
# Makes .github/report.png, the picture of a report in the README, anew: of a lab, by headless Chromium.
#
# Usage: .github/screenshot.sh [PROGRAM]      (default: target/debug/netapi)
# Needs: chromium, and a font (fonts-dejavu-core).
set -eu
cd "$(dirname "$0")/.."

program=$(realpath "${1:-target/debug/netapi}")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$program" ise lab run --sessions 20000 -- "$program" ise report "$made/report.html" -q >/dev/null
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1080,900 \
    --user-data-dir="$made/profile" --screenshot="$made/report.png" "file://$made/report.html" >/dev/null 2>&1
size=$(wc -c <"$made/report.png")
[ "$size" -lt 200000 ] || { echo "the picture has $size bytes, more than 200000" >&2; exit 1; }
mv "$made/report.png" .github/report.png
