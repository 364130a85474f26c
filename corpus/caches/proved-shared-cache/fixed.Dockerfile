ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/gcc:12 AS build
ARG TARGETARCH
COPY <<EOF /src/hello.c
#include <stdio.h>
int main(void) { return puts("hello") < 0; }
EOF
RUN gcc --version
# Objects are kept, so that a change of one file compiles one file.
RUN --mount=type=cache,id=hello-objects-$TARGETARCH,target=/obj,sharing=locked \
    cd /obj && make CC=gcc VPATH=/src hello && cp hello /usr/local/bin/

FROM ${REGISTRY}/gcc:12
COPY --from=build /usr/local/bin/hello /usr/local/bin/
CMD ["hello"]
