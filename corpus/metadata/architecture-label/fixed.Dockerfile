FROM debian:12
ARG TARGETARCH
LABEL org.opencontainers.image.title="agent" \
      com.example.arch="${TARGETARCH}"
COPY agent.sh /usr/local/bin/agent
