#!/bin/sh
# Tells everybody something, with curl and nothing else: examples/announce.sh 'Back at noon.'
# PARLEY_URL, PARLEY_USERNAME and PARLEY_PASSWORD say where, and as whom; the account is made if it is not there.
set -eu

url=${PARLEY_URL:-http://127.0.0.1:3000}
username=${PARLEY_USERNAME:-announcer}
password=${PARLEY_PASSWORD:-correct horse battery}

# As the inside of a JSON string.
json() {
  printf '%s' "$1" | sed -e 's/[\\"]/\\&/g' -e "s/$(printf '\t')/\\\\t/g" | awk '{ printf "%s%s", end, $0; end = "\\n" }'
}

# Repeated when no answer comes: the key of the announcement makes that harmless.
post() {
  path=$1
  shift
  curl -sS --fail-with-body --retry 3 --retry-connrefused -H 'Content-Type: application/json' "$@" "$url$path"
}

who="{\"username\": \"$(json "$username")\", \"password\": \"$(json "$password")\"}"
post /v1/register -d "$who" >/dev/null 2>&1 || true
token=$(post /v1/login -d "$who" | sed -n 's/.*"accessToken":"\([^"]*\)".*/\1/p')
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
post /v1/broadcasts -H "Authorization: Bearer $token" -H "Idempotency-Key: $key" -d "{\"text\": \"$(json "$1")\"}"
echo
