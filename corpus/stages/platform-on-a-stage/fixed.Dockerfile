# The author wants the tests on the build machine, but 'base' decides.
FROM python:3.12-slim AS base
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

FROM base AS test
COPY . .
RUN python -m unittest && date > /tested

FROM base
COPY --from=test /tested /tested
COPY . .
CMD ["python", "-m", "app"]
