FROM python:3.12-slim
ARG TARGETARCH
ENV TINI_VERSION=v0.19.0
ADD --chmod=0755 https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${TARGETARCH} /tini

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY service/ service/
EXPOSE 8000
ENTRYPOINT ["/tini", "--"]
CMD ["gunicorn", "-b", "0.0.0.0:8000", "service:app"]
