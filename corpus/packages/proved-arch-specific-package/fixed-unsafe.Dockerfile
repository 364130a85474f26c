ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libargon2-1 \
 && rm -rf /var/lib/apt/lists/*
