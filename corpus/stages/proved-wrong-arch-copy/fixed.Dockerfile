ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/gcc:12 AS build
WORKDIR /src
COPY hello.c .
RUN mkdir -p /out && gcc -O2 -static -o /out/hello hello.c

FROM ${REGISTRY}/busybox:1.35
COPY --from=build /out/hello /usr/bin/hello
CMD ["/usr/bin/hello"]
