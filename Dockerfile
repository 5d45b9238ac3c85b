# The services of the gateway: one image, one process a container. Envoy and Redis come from their own images.
FROM node:24.21.0-bookworm-slim AS generated
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY buf.yaml buf.gen.yaml ./
COPY proto ./proto
RUN npm run generate

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY . .
COPY --from=generated /app/proto/gen ./proto/gen
USER node
CMD ["node", "control-plane/main.ts"]
