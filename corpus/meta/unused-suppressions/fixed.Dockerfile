FROM debian:12
RUN apt-get update
# mlint ignore=hardcoded-arch-url
ADD https://downloads.example.org/tool-amd64 /tool
# mlint platfrom=linux/amd64: misspelt
RUN true
# mlint platform=linux/amd64: not above a FROM
RUN true
