FROM alpine:3.20
ARG TARGETARCH
RUN <<INSTALL
set -e
case "${TARGETARCH}" in
  amd64) suffix= ;;
  arm64) suffix=-arm64 ;;
  *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;;
esac
wget -q -O /usr/local/bin/k3s https://github.com/k3s-io/k3s/releases/download/v1.30.4%2Bk3s1/k3s${suffix}
chmod 0755 /usr/local/bin/k3s
ln -s k3s /usr/local/bin/kubectl
INSTALL
ENTRYPOINT ["k3s"]
