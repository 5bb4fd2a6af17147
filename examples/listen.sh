#!/usr/bin/env bash
# Prints messages as JSON, one per line, as they arrive; needs only bash and curl: examples/listen.sh [FILE]
# Reconnects and resumes after a lost connection. FILE (listen.id by default) holds the place in the stream, so that the
# next run continues there. Set PARLEY_URL, PARLEY_USERNAME and PARLEY_PASSWORD (without quotes and backslashes). Creates
# the account if it does not exist.
set -u

url=${PARLEY_URL:-http://127.0.0.1:3000}
username=${PARLEY_USERNAME:-listener}
password=${PARLEY_PASSWORD:?Set PARLEY_PASSWORD to a password that nobody else knows.}
place=${1:-listen.id}
token=

# Prints an access token.
log_in() {
  local fields="\"username\":\"$username\",\"password\":\"$password\""
  {
    curl -sf --json "{$fields}" "$url/v1/login" || curl -sSf --json "{$fields,\"login\":true}" "$url/v1/register"
  } | grep -o 'accessToken[^,]*' | cut -d '"' -f 3
}

# Events written together have one id, on the last of them: they are printed together, so none is printed twice. Fails if
# the server asks not to reconnect.
print_events() {
  local line event='' id='' batch=''
  while IFS= read -r line; do
    case $line in
      'event: '*) event=${line#event: } ;;
      'id: '*) id=${line#id: } ;;
      'data: '*)
        [ "$event" != goodbye ] || [[ $line == *'"reconnect":true'* ]] || return 1
        batch+="${line#data: }"$'\n'
        ;;
      '')
        [ -n "$id" ] || continue
        grep -E '"kind":"(dm|broadcast|gap)"' <<<"$batch"
        printf '%s' "$id" >"$place"
        [[ $batch != *'"kind":"dm"'* ]] || acknowledge "$id"
        event='' id='' batch=''
        ;;
    esac
  done
}

acknowledge() {
  curl -sSf -o /dev/null --oauth2-bearer "$token" --json "{\"upTo\":\"$1\"}" "$url/v1/mailbox/ack"
}

while true; do
  [ -n "$token" ] || token=$(log_in)
  # Heartbeats come every 25 s: after 60 s without a byte the connection is dead.
  curl -sSNf --speed-limit 1 --speed-time 60 --oauth2-bearer "$token" \
    -H "Last-Event-ID: $(cat "$place" 2>/dev/null)" "$url/v1/events?presence=off" | print_events
  status=("${PIPESTATUS[@]}")
  [ "${status[1]}" -eq 0 ] || exit 1
  [ "${status[0]}" -ne 22 ] || token= # an HTTP error: the token has expired
  sleep $((RANDOM % 3 + 1))
done
