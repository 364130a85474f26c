ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/gcc:12 AS build
COPY <<EOF /src/hello.c
#include <stdio.h>
int main(void) { return puts("hello") < 0; }
EOF
ARG TARGETARCH
RUN if [ "$TARGETARCH" = amd64 ]; then flags=-msse4.2; fi \
 && gcc -O2 ${flags:-} -o /hello /src/hello.c

FROM ${REGISTRY}/debian:bookworm
COPY --from=build /hello /usr/local/bin/hello
