ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/eclipse-temurin:21-jre-alpine
ENV JAVA_TOOL_OPTIONS=-XX:MaxRAMPercentage=75
WORKDIR /app
COPY app.jar .
EXPOSE 8080
USER 1000
CMD ["java", "-jar", "app.jar"]
