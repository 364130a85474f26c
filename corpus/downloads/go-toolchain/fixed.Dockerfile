FROM buildpack-deps:bookworm-scm
ARG TARGETARCH
ENV PATH=/usr/local/go/bin:$PATH
RUN wget -O go.tgz https://go.dev/dl/go1.22.4.linux-${TARGETARCH}.tar.gz && tar -C /usr/local -xzf go.tgz && rm go.tgz
RUN go version
