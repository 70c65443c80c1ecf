#!/bin/sh
# Quarantines the endpoint of a session that fails posture and has no policy yet.
#
#   netapi ise pxgrid subscribe --topic session --callback ./quarantine.sh -- Quarantine
#
# The argument is the ANC policy. Change the condition to what you want to act on: jq sees one session. Nothing that a
# stranger chose (user, host, switch names) is ever put on a command line; the MAC address was checked by netapi.
set -eu

policy=${1:-Quarantine}
condition='.message.sessions[0]
  | .state != "DISCONNECTED" and .postureStatus == "NonCompliant" and (.ancPolicy // "") == ""'

holds=0
jq -e "$condition" > /dev/null || holds=$?
case $holds in
  0) ;;
  1) exit 0 ;;
  *) exit "$holds" ;; # not an event, or no jq: the event is tried again, then kept as a dead letter
esac

if [ -z "${NETAPI_MAC-}" ]; then
  echo "no MAC address in this session, left alone"
  exit 0
fi
exec netapi ise pxgrid anc apply --mac "$NETAPI_MAC" --policy "$policy"
