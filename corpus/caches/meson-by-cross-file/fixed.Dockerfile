# One build folder for the cross builds of all targets, on the build machine.
FROM --platform=$BUILDPLATFORM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      crossbuild-essential-amd64 crossbuild-essential-arm64 meson pkg-config
WORKDIR /src
COPY . .
ARG TARGETARCH
RUN --mount=type=cache,id=meson-$TARGETARCH,target=/build,sharing=locked \
    case "$TARGETARCH" in \
      amd64) cross=cross/x86_64-linux-gnu.ini ;; \
      arm64) cross=cross/aarch64-linux-gnu.ini ;; \
      *) echo "no cross file for $TARGETARCH" >&2; exit 1 ;; \
    esac \
 && meson setup --cross-file "$cross" /build \
 && meson compile -C /build \
 && cp /build/agent /agent

FROM debian:12-slim
COPY --from=build /agent /usr/bin/agent
CMD ["agent"]
