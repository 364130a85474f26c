ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
COPY <<EOF /greeting
hello
EOF
ENV GREETING=/greeting
CMD ["cat", "/greeting"]
