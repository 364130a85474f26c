FROM ruby:3.2-slim
ARG TARGETARCH

RUN apt-get update -qq && apt-get install -y --no-install-recommends \
      build-essential libpq-dev wget \
    && rm -rf /var/lib/apt/lists/*

RUN wget -q https://github.com/wkhtmltopdf/packaging/releases/download/0.12.6.1-3/wkhtmltox_0.12.6.1-3.bookworm_${TARGETARCH}.deb \
    && apt-get update && apt-get install -y ./wkhtmltox_0.12.6.1-3.bookworm_${TARGETARCH}.deb \
    && rm wkhtmltox_0.12.6.1-3.bookworm_${TARGETARCH}.deb && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY Gemfile Gemfile.lock ./
RUN bundle config set without 'development test' && bundle install --jobs 4
COPY . .
CMD ["bundle", "exec", "puma", "-C", "config/puma.rb"]
