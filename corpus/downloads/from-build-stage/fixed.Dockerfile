FROM --platform=$BUILDPLATFORM alpine:3.20 AS fetch
ARG TARGETARCH
RUN wget -qO /tool https://downloads.example.org/tool-linux-${TARGETARCH} && chmod +x /tool

FROM debian:12
COPY --from=fetch /tool /usr/local/bin/tool
