FROM node:20-bookworm-slim AS build
ARG TARGETPLATFORM
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates
RUN if [ "$TARGETPLATFORM" = "linux/amd64" ]; then ARCH=x64; \
    elif [ "$TARGETPLATFORM" = "linux/arm64" ]; then ARCH=arm64; \
    else echo "unsupported: $TARGETPLATFORM"; exit 1; fi; \
    curl -fsSL "https://artifacts.example.com/turbo/turbo-linux-${ARCH}.tgz" | tar -xz -C /usr/local/bin
COPY . .
RUN turbo run build

FROM node:20-bookworm-slim
COPY --from=build /app/dist /app
CMD ["node", "/app/index.js"]
