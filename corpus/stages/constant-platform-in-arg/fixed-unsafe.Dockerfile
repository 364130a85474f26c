ARG PLATFORM=linux/amd64
ARG PYTHON=3.12-slim

FROM python:${PYTHON} AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

FROM base AS deps
COPY requirements.txt ./
RUN pip install --no-cache-dir --prefix=/install -r requirements.txt

FROM base
COPY --from=deps /install /usr/local
COPY src/ ./
CMD ["python", "main.py"]
