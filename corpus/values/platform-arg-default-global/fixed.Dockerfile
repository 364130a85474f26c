ARG ALPINE_VERSION=3.19
ARG TARGETARCH

FROM alpine:${ALPINE_VERSION} AS fetch
ARG TARGETARCH
ARG HELM_VERSION=v3.14.3
WORKDIR /pack
RUN wget -q "https://get.helm.sh/helm-${HELM_VERSION}-linux-${TARGETARCH}.tar.gz" \
 && tar -xzf "helm-${HELM_VERSION}-linux-${TARGETARCH}.tar.gz" --strip-components=1

FROM alpine:${ALPINE_VERSION}
RUN apk add --no-cache ca-certificates git
COPY --from=fetch /pack/helm /usr/local/bin/helm
ENTRYPOINT ["helm"]
