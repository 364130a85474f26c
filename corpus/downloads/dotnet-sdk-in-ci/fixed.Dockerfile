FROM ubuntu:22.04
ARG TARGETARCH
ARG DOTNET_VERSION=8.0.202
ENV DOTNET_ROOT=/usr/share/dotnet \
    DOTNET_CLI_TELEMETRY_OPTOUT=1
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl git libicu70 \
 && rm -rf /var/lib/apt/lists/*
RUN case "${TARGETARCH}" in \
      amd64) arch=x64 ;; \
      arm64) arch=arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && curl -fSL --output dotnet.tar.gz "https://dotnetcli.azureedge.net/dotnet/Sdk/${DOTNET_VERSION}/dotnet-sdk-${DOTNET_VERSION}-linux-${arch}.tar.gz" \
 && mkdir -p "$DOTNET_ROOT" \
 && tar -oxzf dotnet.tar.gz -C "$DOTNET_ROOT" \
 && rm dotnet.tar.gz \
 && ln -s "$DOTNET_ROOT/dotnet" /usr/bin/dotnet
RUN case "${TARGETARCH}" in \
      amd64) arch=x64 ;; \
      arm64) arch=arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && mkdir -p /opt/pwsh \
 && curl -fsSL https://github.com/PowerShell/PowerShell/releases/download/v7.4.1/powershell-7.4.1-linux-${arch}.tar.gz | tar -xz -C /opt/pwsh
WORKDIR /build
