FROM debian:12
RUN apt-get update && apt-get install -y libjemalloc2 \
 && ln -s /usr/lib/$(uname -m)-linux-gnu/libjemalloc.so.2 /usr/local/lib/libjemalloc.so
ENV LD_PRELOAD=libjemalloc.so.2
