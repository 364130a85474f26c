FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS fetch
ARG GOSU_VERSION=1.17
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates wget
ARG TARGETARCH
RUN arch="${TARGETARCH}" \
    && wget -qO /gosu "https://github.com/tianon/gosu/releases/download/${GOSU_VERSION}/gosu-${arch}" \
    && chmod +x /gosu

FROM debian:bookworm-slim
COPY --from=fetch /gosu /usr/local/bin/gosu
ENTRYPOINT ["gosu", "nobody"]
