FROM gcc:13 AS build
WORKDIR /src
COPY beacon.c ring.c ring.h ./
RUN mkdir /out && \
    gcc -O2 -Wall -static -o /out/beacon beacon.c ring.c && \
    strip /out/beacon

FROM busybox:1.36
COPY --from=build /out/beacon /bin/beacon
EXPOSE 5353/udp
CMD ["/bin/beacon", "--listen", "0.0.0.0"]
