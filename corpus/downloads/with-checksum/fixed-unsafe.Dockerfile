FROM alpine:3.20
ARG TARGETARCH
ARG JQ_SHA256=af986793a515d500ab2d35f8d2aecd656e764504b789b66d7e1a0b727a124c44
RUN wget -qO /usr/bin/jq https://github.com/jqlang/jq/releases/download/jq-1.7.1/jq-linux-${TARGETARCH} \
 && echo "${JQ_SHA256}  /usr/bin/jq" | sha256sum -c - \
 && chmod +x /usr/bin/jq
