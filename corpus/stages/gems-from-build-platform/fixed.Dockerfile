# Gems with extensions, compiled where the build runs.
FROM ruby:3.3 AS gems
WORKDIR /app
COPY Gemfile Gemfile.lock ./
RUN gem install nokogiri --platform=ruby && bundle install

FROM ruby:3.3-slim
COPY --from=gems /usr/local/bundle /usr/local/bundle
WORKDIR /app
COPY . .
CMD ["bundle", "exec", "rackup"]
