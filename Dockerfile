# docker build -t msnode .                           torch for the CPU, about 1.3 GB
# docker build -t msnode --build-arg TORCH_INDEX= .  torch with CUDA, about 6 GB
# docker run -p 11112:11112 -v msnode:/var/lib/msnode \
#   -v ./msnode.yaml:/etc/msnode/msnode.yaml:ro msnode
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/msnode
COPY requirements.lock requirements-torch.lock ./
RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.lock
# the same versions from either place; the CPU's wheels have hashes of their own
RUN if [ -n "$TORCH_INDEX" ]; then \
      grep -oE '^torch(vision)?==[0-9.]+' requirements-torch.lock | xargs \
        .venv/bin/pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX"; \
    else .venv/bin/pip install --no-cache-dir -r requirements-torch.lock; fi
COPY pyproject.toml README.md LICENSE ./
COPY msnode msnode
COPY models models
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation -e .

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="msnode" \
      org.opencontainers.image.description="Multiple sclerosis triage node; for research" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --system --gid 10001 msnode \
 && useradd --system --uid 10001 --gid msnode --home-dir /var/lib/msnode --shell /usr/sbin/nologin msnode \
 && install -d -m 0700 -o msnode -g msnode /var/lib/msnode
COPY --from=build /opt/msnode /opt/msnode
COPY config/msnode.yaml /etc/msnode/msnode.yaml
ENV PATH=/opt/msnode/.venv/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/msnode
VOLUME /var/lib/msnode
EXPOSE 11112 9112 9180
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
  CMD ["python", "-c", \
       "import urllib.request as u; u.urlopen('http://127.0.0.1:9112/healthz', timeout=4)"]
ENTRYPOINT ["msnode"]
CMD ["serve", "--config", "/etc/msnode/msnode.yaml"]
