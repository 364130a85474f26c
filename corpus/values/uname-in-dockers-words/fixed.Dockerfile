FROM amazonlinux:2023
RUN dnf install -y unzip && dnf clean all
RUN if [ "$(uname -m)" = "aarch64" ]; then \
      curl -fsSL https://cli.example.cloud/linux/cli-aarch64.zip -o /tmp/cli.zip; \
    else \
      curl -fsSL https://cli.example.cloud/linux/cli-x86_64.zip -o /tmp/cli.zip; \
    fi \
    && unzip -q /tmp/cli.zip -d /opt/cli
ENV PATH=/opt/cli/bin:$PATH
