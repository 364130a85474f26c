FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends curl unzip ca-certificates \
    && curl "https://awscli.amazonaws.com/awscli-exe-linux-$(uname -m).zip" -o awscliv2.zip \
    && unzip -q awscliv2.zip \
    && ./aws/install \
    && rm -rf aws awscliv2.zip
