FROM ubuntu:22.04

ENV LANG=C.UTF-8 PATH=/opt/conda/bin:$PATH
ARG CONDA_VERSION=py311_24.1.2-0

RUN apt-get update --fix-missing && \
    apt-get install -y --no-install-recommends bzip2 ca-certificates wget && \
    apt-get clean && rm -rf /var/lib/apt/lists/*

RUN wget --quiet "https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-$(uname -m).sh" -O /tmp/miniconda.sh && \
    /bin/bash /tmp/miniconda.sh -b -p /opt/conda && \
    rm /tmp/miniconda.sh && \
    conda clean -afy

COPY environment.yml /tmp/
RUN conda env update -n base -f /tmp/environment.yml
CMD ["python"]
