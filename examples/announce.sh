#!/bin/sh
# Sends a broadcast; needs only curl: examples/announce.sh 'Back at noon.'
# Set PARLEY_URL, PARLEY_USERNAME and PARLEY_PASSWORD. Creates the account if it does not exist.
set -eu

url=${PARLEY_URL:-http://127.0.0.1:3000}
username=${PARLEY_USERNAME:-announcer}
password=${PARLEY_PASSWORD:?Set PARLEY_PASSWORD to a password that nobody else knows.}

# Escapes a text for use in a JSON string.
json() {
  printf '%s' "$1" | sed -e 's/[\\"]/\\&/g'
}

# Retries without a response are safe: the idempotency key prevents a second broadcast.
post() {
  path=$1
  shift
  curl -sS --fail-with-body --retry 3 --retry-connrefused "$@" "$url$path"
}

credentials="{\"username\": \"$(json "$username")\", \"password\": \"$(json "$password")\"}"
post /v1/register --json "$credentials" >/dev/null 2>&1 || true
token=$(post /v1/login --json "$credentials" | sed -n 's/.*"accessToken":"\([^"]*\)".*/\1/p')
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s' "$1" | post /v1/broadcasts --oauth2-bearer "$token" -H "Idempotency-Key: $key" \
  -H 'Content-Type: text/plain' --data-binary @-
echo
