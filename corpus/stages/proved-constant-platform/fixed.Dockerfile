ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
RUN adduser -D -H -u 8080 web || echo "web:x:8080:8080::/srv:/bin/false" >> /etc/passwd
WORKDIR /srv
COPY www/ ./
USER 8080
EXPOSE 8080
CMD ["httpd", "-f", "-p", "8080", "-h", "/srv"]
