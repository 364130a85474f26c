FROM debian:bookworm-slim AS fetch
ARG TARGETARCH
ARG VAULT_VERSION=1.15.6
ARG VAULT_ARCH=${TARGETARCH}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl unzip
WORKDIR /tmp/vault
RUN curl -fsSLO "https://releases.hashicorp.com/vault/${VAULT_VERSION}/vault_${VAULT_VERSION}_linux_${VAULT_ARCH}.zip" \
    && unzip -q "vault_${VAULT_VERSION}_linux_${VAULT_ARCH}.zip" -d /usr/local/bin

FROM debian:bookworm-slim
COPY --from=fetch /usr/local/bin/vault /usr/local/bin/vault
COPY --from=fetch /etc/ssl/certs /etc/ssl/certs
EXPOSE 8200
ENTRYPOINT ["vault"]
