FROM rockylinux:9
RUN dnf install -y openssl-libs procps-ng && dnf clean all
