FROM registry.fedoraproject.org/fedora:40
RUN dnf install -y --setopt=install_weak_deps=False glibc-devel gcc make && dnf clean all
WORKDIR /work
CMD ["make"]
