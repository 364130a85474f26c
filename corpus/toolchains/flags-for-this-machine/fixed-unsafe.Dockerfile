# Fast here, an illegal instruction elsewhere.
FROM gcc:14-bookworm AS build
WORKDIR /src
COPY . .
RUN gcc -O3 -o /out/solver solver.c

FROM debian:12-slim
COPY --from=build /out/solver /usr/local/bin/solver
CMD ["solver"]
