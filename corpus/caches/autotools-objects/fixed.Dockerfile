FROM gcc:13 AS build
ARG TARGETARCH
COPY . /usr/src/dns
WORKDIR /objects
RUN --mount=type=cache,target=/objects,id=objects-$TARGETARCH \
    /usr/src/dns/configure --prefix=/opt/dns --disable-nls && make -j4 && make install

FROM debian:12-slim
COPY --from=build /opt/dns /opt/dns
CMD ["/opt/dns/sbin/dnsd"]
