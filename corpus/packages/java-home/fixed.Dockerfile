FROM debian:12
ARG TARGETARCH
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless
ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-${TARGETARCH}
ENV PATH=$JAVA_HOME/bin:$PATH
COPY app.jar /app.jar
CMD ["java", "-jar", "/app.jar"]
