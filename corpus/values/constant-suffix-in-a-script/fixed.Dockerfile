FROM debian:bookworm-slim
ARG TARGETARCH
ARG CHANNEL=stable
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl
RUN suffix="${TARGETARCH:+_linux_${TARGETARCH}}"; \
    curl -fsSL "https://get.example.sh/${CHANNEL}/vela${suffix}.tar.gz" | tar -xz -C /usr/local/bin vela
