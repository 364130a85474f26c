FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl gnupg \
 && curl -fsSL https://apt.vendor.example/key.gpg | gpg --dearmor -o /usr/share/keyrings/vendor.gpg \
 && echo "deb [arch=$(dpkg --print-architecture) signed-by=/usr/share/keyrings/vendor.gpg] https://apt.vendor.example bookworm main" \
      > /etc/apt/sources.list.d/vendor.list \
 && apt-get update && apt-get install -y vendor-agent \
 && rm -rf /var/lib/apt/lists/*
