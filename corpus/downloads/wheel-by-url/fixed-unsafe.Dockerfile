FROM python:3.12-slim
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /srv
COPY requirements.txt ./
RUN pip install -r requirements.txt \
 && pip install https://wheels.example.com/simple/fastscan/fastscan-2.4.0-cp312-cp312-manylinux2014_$(uname -m).whl
COPY app ./app
CMD ["python", "-m", "app"]
