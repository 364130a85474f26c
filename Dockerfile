# mlint for amd64 and arm64, on a machine of either: nothing is emulated.
#
#     cargo vendor --locked >/dev/null
#     mlint build --platforms linux/amd64,linux/arm64 -t registry.example.com/mlint:0.1 --push
#
# The dependencies come out of ./vendor, Debian's packages from its archive.

FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS tools
RUN <<EOF
set -eu
case "$(dpkg --print-architecture)" in
    amd64) other=arm64 compiler=gcc-aarch64-linux-gnu ;;
    arm64) other=amd64 compiler=gcc-x86-64-linux-gnu ;;
    *) echo "compile on amd64 or arm64" >&2; exit 1 ;;
esac
dpkg --add-architecture "$other"
apt-get update
apt-get install --yes --no-install-recommends \
    ca-certificates cargo-web gcc libc6-dev \
    "$compiler" "libc6-dev-$other-cross" "libstd-rust-web-dev:$other"
rm -rf /var/lib/apt/lists/*
EOF

FROM tools AS build
WORKDIR /src
COPY . .
ARG TARGETARCH
# A quick build for a test sets these to off and 0.
ARG CARGO_PROFILE_RELEASE_LTO=fat
ARG CARGO_PROFILE_RELEASE_OPT_LEVEL=3
# Cargo keeps what it makes for each target apart, and for itself once.
RUN --mount=type=cache,id=mlint-target,target=/src/target <<EOF
set -eu
case "$TARGETARCH" in
    amd64) target=x86_64-unknown-linux-gnu gnu=x86_64-linux-gnu ;;
    arm64) target=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu ;;
    *) echo "there is no mlint for $TARGETARCH yet" >&2; exit 1 ;;
esac
export "CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_LINKER=$gnu-gcc"
export "CC_$(echo "$target" | tr - _)=$gnu-gcc"
cargo build --release --offline --package mlint --target "$target" \
    --config 'source.crates-io.replace-with="vendor"' \
    --config 'source.vendor.directory="vendor"'
install -D "target/$target/release/mlint" /out/mlint
EOF

FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/mlint /usr/bin/
ENTRYPOINT ["mlint"]
