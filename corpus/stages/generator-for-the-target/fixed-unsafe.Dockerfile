FROM --platform=$BUILDPLATFORM node:20 AS assets
ARG BUILDARCH
WORKDIR /site
RUN case "$BUILDARCH" in amd64) a=x64 ;; *) a=$BUILDARCH ;; esac \
 && curl -fsSLo /usr/local/bin/tailwindcss "https://github.com/tailwindlabs/tailwindcss/releases/download/v3.4.10/tailwindcss-linux-$a" \
 && chmod +x /usr/local/bin/tailwindcss
COPY . .
RUN tailwindcss -i app.css -o public/app.css --minify

FROM nginx:1.27
COPY --from=assets /site/public /usr/share/nginx/html
