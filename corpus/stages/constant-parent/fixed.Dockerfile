FROM python:3.12-slim AS base
RUN pip install --no-cache-dir gunicorn

FROM base AS test
RUN python -m unittest

FROM base
COPY app /app
CMD ["gunicorn", "app:app"]
