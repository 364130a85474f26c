# A game server in C++, compiled on every platform in its own emulation.
FROM debian:12 AS build
ARG TARGETARCH
RUN apt-get update && apt-get install -y --no-install-recommends \
      cmake g++ libboost-dev ninja-build \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt ./
COPY src/ src/
RUN --mount=type=cache,target=/src/build,id=src-build-$TARGETARCH \
    cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release \
 && cmake --build build --target server \
 && install -D build/server /out/server

FROM debian:12-slim
COPY --from=build /out/server /usr/local/bin/server
EXPOSE 27015/udp
ENTRYPOINT ["server"]
