# syntax=docker/dockerfile:1.4
FROM python:3.11-alpine AS builder
WORKDIR /code
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
COPY . .
EXPOSE 8000
ENTRYPOINT ["python3"]
CMD ["app.py"]
