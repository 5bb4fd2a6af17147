#!/usr/bin/env bash
# Builds the container image with Debian's buildah, without a daemon, runs it, and checks that it becomes ready. Usage:
#   scripts/image.sh              base images from the registry
#   scripts/image.sh --offline    base images made here, from Debian's packages (mmdebstrap) and the npm package of Node
# Nothing is left behind but the image `localhost/parley` in IMAGE_STORE (default: .data/images).
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in buildah curl; do
  command -v $tool >/dev/null || { echo "$tool is not installed: apt-get install $tool"; exit 1; }
done
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
store=${IMAGE_STORE:-$PWD/.data/images}
mkdir -p "$store"
images() { buildah --root "$store" "$@"; }
scratch=$(mktemp -d)
server=
container=
clean() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  [ -z "$container" ] || images rm "$container" >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap clean EXIT

node_line=$(cat .nvmrc)
arguments=()
if [ "${1:-}" = --offline ]; then
  base=localhost/debian:bookworm-slim
  node=localhost/node:$node_line-bookworm-slim
  if ! images inspect --type image "$node" >/dev/null 2>&1; then
    command -v mmdebstrap >/dev/null || { echo "mmdebstrap is not installed: apt-get install mmdebstrap"; exit 1; }
    mmdebstrap --quiet --variant=minbase --include=ca-certificates \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --dpkgopt='path-exclude=/usr/share/man/*' bookworm "$scratch/base.tar" http://deb.debian.org/debian
    program=node-linux-$(node -p process.arch) # the npm package that holds the program
    npm install --silent --no-save --prefix "$scratch/npm" "$program@$node_line" npm@11
    mkdir -p "$scratch/root/usr/local/bin" "$scratch/root/usr/local/lib/node_modules"
    cp -L "$scratch/npm/node_modules/$program/bin/node" "$scratch/root/usr/local/bin/node"
    cp -r "$scratch/npm/node_modules/npm" "$scratch/root/usr/local/lib/node_modules/npm"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$scratch/root/usr/local/bin/npm"
    container=$(images from scratch)
    images add -q "$container" "$scratch/base.tar" / >/dev/null
    images commit -q "$container" "$base" >/dev/null
    images add -q "$container" "$scratch/root" / >/dev/null
    images commit -q "$container" "$node" >/dev/null
    images rm "$container" >/dev/null
    container=
  fi
  arguments=(--pull-never --build-arg "NODE_IMAGE=$node" --build-arg "BASE_IMAGE=$base")
fi
authority=${NODE_EXTRA_CA_CERTS:-$(npm config get cafile)} # of a proxy between this machine and the registry
if [ -f "$authority" ]; then
  arguments+=(--volume "$authority:/run/authority.pem:ro" --build-arg NODE_EXTRA_CA_CERTS=/run/authority.pem)
fi
# --format docker: HEALTHCHECK is not part of an OCI image. --network host: chroot isolation has no network of its own.
images bud --quiet --format docker --network host "${arguments[@]}" -t localhost/parley .

port=${PORT:-3999}
container=$(images from --pull-never localhost/parley)
buildah --root "$store" run "$container" -- env PORT="$port" node dist/main.js >"$scratch/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.2
done
ready=$(curl -sS "http://127.0.0.1:$port/readyz") || { cat "$scratch/log"; exit 1; }
user=$(images run "$container" -- id -u)
health=$(images run "$container" -- env PORT="$port" /bin/sh -c "$(images inspect --type image \
  --format '{{range $i, $word := .Docker.Config.Healthcheck.Test}}{{if $i}}'"'"'{{$word}}'"'"' {{end}}{{end}}' localhost/parley)" \
  && echo healthy || echo unhealthy)
echo "ready: $ready"
echo "uid $user, $health, $(images images --format '{{.Size}}' localhost/parley)"
[ "$user" != 0 ] && [ "$health" = healthy ]
