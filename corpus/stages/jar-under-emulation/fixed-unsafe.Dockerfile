FROM --platform=$BUILDPLATFORM maven:3.9-eclipse-temurin-17 AS build
WORKDIR /usr/src/app
COPY pom.xml ./
COPY src ./src
RUN --mount=type=cache,target=/root/.m2 \
    mvn -B -e clean package -DskipTests

FROM eclipse-temurin:17-jre
COPY --from=build /usr/src/app/target/invoices.jar /invoices.jar
EXPOSE 8080
USER 1000
ENTRYPOINT ["java", "-jar", "/invoices.jar"]
