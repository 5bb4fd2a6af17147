# Parley with a Redis of your own (REDIS_URL and JWT_SECRET or JWT_SECRET_FILE are required). See compose.yaml.
# The Node line is that of .nvmrc. Build offline, or from another registry: --build-arg NODE_IMAGE=… --build-arg BASE_IMAGE=…
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# Only for a build behind a proxy that has a certificate authority of its own: a file that is mounted during the build.
ARG NODE_EXTRA_CA_CERTS
COPY package.json package-lock.json ./
COPY clients clients
RUN npm ci --no-audit --no-fund --no-update-notifier
COPY tsconfig.json tsconfig.build.json openapi.yaml LICENSE ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
ARG NODE_EXTRA_CA_CERTS
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --workspaces=false --no-audit --no-fund --no-update-notifier && rm -rf node_modules/.cache

# Only the node program: no npm, no headers, no build tools.
FROM ${BASE_IMAGE}
COPY --from=build /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown 10001:10001 /data
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json openapi.yaml LICENSE ./
# A number, so that Kubernetes can check runAsNonRoot.
USER 10001:10001
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# A small young generation, as in npm start: docs/decisions/029-node-lines.md.
CMD ["node", "--max-semi-space-size=16", "dist/main.js"]
