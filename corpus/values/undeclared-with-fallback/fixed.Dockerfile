FROM ubuntu:24.04
ARG TARGETARCH
RUN apt-get update && apt-get install -y curl
RUN curl -fsSL "https://downloads.example.org/cli_${TARGETARCH:-amd64}.tar.gz" | tar -xz -C /usr/local/bin
