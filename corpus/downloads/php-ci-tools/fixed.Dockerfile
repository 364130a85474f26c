# The tools that check a PHP project in CI.
FROM php:8.3-cli
ARG TARGETARCH
RUN apt-get update && apt-get install -y --no-install-recommends git unzip && rm -rf /var/lib/apt/lists/*
COPY --from=composer:2 /usr/bin/composer /usr/local/bin/composer
RUN case "${TARGETARCH}" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && curl -fsSLo /usr/local/bin/hadolint https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${arch} \
 && chmod +x /usr/local/bin/hadolint
RUN composer global require --no-interaction phpstan/phpstan squizlabs/php_codesniffer
ENV PATH="/root/.composer/vendor/bin:${PATH}"
WORKDIR /project
