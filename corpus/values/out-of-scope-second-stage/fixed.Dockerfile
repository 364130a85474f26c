FROM alpine:3.19 AS certs
ARG TARGETOS
ARG TARGETARCH
RUN apk add --no-cache ca-certificates tzdata \
    && echo "for ${TARGETOS}/${TARGETARCH}" > /etc/built-for

# The release workflow puts one binary for each platform into dist/.
FROM scratch
ARG TARGETOS TARGETARCH
COPY --from=certs /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=certs /usr/share/zoneinfo /usr/share/zoneinfo
COPY dist/gateway-${TARGETOS}-${TARGETARCH} /gateway
EXPOSE 8080
ENTRYPOINT ["/gateway"]
