#!/bin/sh
# Appends one line of JSON an event to a file.
#
#   netapi ise pxgrid subscribe --topic session --callback ./log.sh -- /var/log/sessions.jsonl
#
# jq writes plain ASCII, so that a user name cannot start a line of its own or steer the terminal of whoever reads the file.
# Each line is written at once to the end of the file: callbacks that run side by side do not mix theirs.
set -eu

file=${1:?"usage: log.sh FILE"}

line=$(jq -ca '{
  time: .receivedAt,
  event: .event,
  recovered: .recovered,
  session: (.message.sessions[0]? // .message)
    | {macAddress, ipAddresses, userName, state, nasIpAddress, nasPortId}
}')
printf '%s\n' "$line" >> "$file"
