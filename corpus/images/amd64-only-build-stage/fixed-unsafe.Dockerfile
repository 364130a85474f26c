FROM --platform=$BUILDPLATFORM gradle:8-jdk17-alpine AS build
WORKDIR /home/gradle/app
COPY --chown=gradle:gradle build.gradle settings.gradle ./
COPY --chown=gradle:gradle src ./src
RUN gradle --no-daemon bootJar

FROM eclipse-temurin:21-jre-alpine
COPY --from=build /home/gradle/app/build/libs/*.jar /app.jar
EXPOSE 8080
CMD ["java", "-jar", "/app.jar"]
