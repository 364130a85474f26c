FROM debian:12
COPY onlyone
RUNN apt-get update
ARG TARGETARCH
ADD https://downloads.example.org/tool-${TARGETARCH} /tool
