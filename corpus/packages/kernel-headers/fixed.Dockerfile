FROM debian:12
# To compile modules for the host.
RUN apt-get update && apt-get install -y build-essential linux-headers-$(dpkg --print-architecture) \
 && rm -rf /var/lib/apt/lists/*
