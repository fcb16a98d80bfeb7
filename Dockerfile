# The dashboard in a container, for one person behind a login or for the public mode.
#
#   docker build -t qwen-ui .                              # CPU
#   docker build -t qwen-ui --build-arg TORCH=cu130 \
#       --build-arg EXTRAS=lora,adamw-8bit,liger .         # CUDA 13; run with --gpus all
#   docker run --rm -p 127.0.0.1:7860:7860 -e QWEN_UI_AUTH=me:secret -v qwen-ui:/data qwen-ui
#
# A login is needed, because the container listens on all its addresses; see docs/security.md.
FROM python:3.11-slim AS build
# Which build of torch: the end of an address under https://download.pytorch.org/whl/.
ARG TORCH=cpu
# Optional parts of the package, as pyproject.toml names them.
ARG EXTRAS=lora
WORKDIR /source
RUN python -m venv /opt/qwen-ui
COPY requirements.txt ./
RUN /opt/qwen-ui/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/${TORCH} \
      "$(grep '^torch==' requirements.txt)+${TORCH}" \
    && /opt/qwen-ui/bin/pip install --no-cache-dir -r requirements.txt
COPY . .
RUN /opt/qwen-ui/bin/pip install --no-cache-dir -c requirements.txt ".[${EXTRAS}]"

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 qwen && install -d -o qwen /data
COPY --from=build /opt/qwen-ui /opt/qwen-ui
USER qwen
WORKDIR /data
ENV PATH=/opt/qwen-ui/bin:$PATH QWEN_UI_HOME=/data HF_HOME=/data/huggingface PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
# A login page answers as well as the dashboard does.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/', timeout=4)"]
ENTRYPOINT ["qwen-ui"]
CMD ["--host", "0.0.0.0", "--port", "7860"]
