FROM debian:12
ARG TARGETARCH
ADD https://downloads.example.org/a-${TARGETARCH} /a
ARG TARGETARCH
ADD https://downloads.example.org/b-${TARGETARCH} /b
