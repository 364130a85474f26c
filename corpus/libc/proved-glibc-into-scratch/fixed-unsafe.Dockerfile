ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/gcc:12 AS build
WORKDIR /src
COPY probe.c .
RUN mkdir -p /out \
    && gcc -static -O2 -Wall -o /out/probe probe.c

FROM scratch
COPY --from=build /out/probe /probe
ENTRYPOINT ["/probe"]
