FROM ubuntu:24.04
ARG TARGETARCH
COPY <<EOF /etc/apt/sources.list.d/vendor.sources
Types: deb
URIs: https://apt.vendor.example
Suites: noble
Components: main
Architectures: ${TARGETARCH}
EOF
RUN apt-get update && apt-get install -y vendor-agent
