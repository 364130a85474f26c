# syntax=docker/dockerfile:1
FROM ubuntu:22.04
ARG TARGETARCH
ARG TERRAFORM_VERSION=1.7.5
SHELL ["/bin/bash", "-eo", "pipefail", "-c"]

RUN <<'EOF'
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl git openssh-client unzip
rm -rf /var/lib/apt/lists/*
EOF

RUN <<EOF
cd /tmp
curl -sSfo terraform.zip https://releases.hashicorp.com/terraform/${TERRAFORM_VERSION}/terraform_${TERRAFORM_VERSION}_linux_${TARGETARCH}.zip
unzip -q terraform.zip -d /usr/local/bin
curl -sSfo awscli.zip https://awscli.amazonaws.com/awscli-exe-linux-$(uname -m).zip
unzip -q awscli.zip
./aws/install
rm -rf aws awscli.zip terraform.zip
EOF

WORKDIR /infra
CMD ["terraform", "version"]
