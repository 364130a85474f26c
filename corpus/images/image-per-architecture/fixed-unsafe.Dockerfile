# Two ways to name an image of one architecture.
ARG RUNTIME=registry.example.com/platform/java:21-amd64
FROM --platform=$BUILDPLATFORM maven:3.9-eclipse-temurin-21 AS build
WORKDIR /src
COPY . .
RUN mvn -q package

FROM $RUNTIME
COPY --from=build /src/target/app.jar /app.jar
CMD ["java", "-jar", "/app.jar"]
