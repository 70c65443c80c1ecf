#!/bin/sh
# Posts the event, as it is, to a web address.
#
#   netapi ise pxgrid subscribe --topic session --spool /var/spool/netapi --callback ./webhook.sh -- https://hooks.example.com/ise
#
# An answer that is no success, or none in time, is a failure: the event is posted again, and in the end kept as a dead
# letter. So one event may arrive twice; the header Idempotency-Key is the same then.
set -eu

url=${1:?"usage: webhook.sh URL"}

body=$(cat)
key=$(printf '%s' "$body" | sha256sum | cut -d ' ' -f 1)

printf '%s' "$body" | curl --silent --show-error --fail --max-time 20 --output /dev/null \
  --header 'Content-Type: application/json' \
  --header "Idempotency-Key: $key" \
  --data-binary @- --url "$url"
