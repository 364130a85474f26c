FROM python:3.12-slim
ARG TARGETARCH
ENV TINI_VERSION=v0.19.0 \
    PYTHONUNBUFFERED=1
# reaps what workers leave behind
ADD https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${TARGETARCH} /usr/bin/tini
RUN chmod 0755 /usr/bin/tini
WORKDIR /srv
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY worker/ worker/
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python", "-m", "worker"]
