FROM rockylinux:9
RUN curl -fsSL https://vendor.example.com/agent/5.1/agent-5.1-linux-$(uname -m).tgz | tar -xz -C /opt
