# odoo-otel: exporter and detectors in one image. Runs as a user without rights, on a read-only root file system; only
# /var/lib/odoo-otel (the store) and /tmp are written.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Every wheel is checked against its hash, also those that only tests need; of them the next step takes what the program
# needs and, with no index to ask, nothing else.
COPY .ci/requirements.lock requirements.lock
RUN pip download --quiet --require-hashes --only-binary :all: --dest wheels --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
COPY detectors detectors
RUN python -m venv /opt/odoo-otel \
 && /opt/odoo-otel/bin/pip install --quiet --no-index --find-links wheels .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="odoo-otel" org.opencontainers.image.licenses="Apache-2.0"
# The folder is made here so that a named volume mounted on it belongs to the user.
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/odoo-otel --shell /usr/sbin/nologin odoo-otel \
 && install -d -o odoo-otel -g odoo-otel -m 0700 /var/lib/odoo-otel
COPY --from=build /opt/odoo-otel /opt/odoo-otel
ENV PATH=/opt/odoo-otel/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ODOO_OTEL_STATE=/var/lib/odoo-otel NUMBA_CACHE_DIR=/tmp MPLCONFIGDIR=/tmp
USER odoo-otel
WORKDIR /var/lib/odoo-otel
VOLUME ["/var/lib/odoo-otel"]
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/readyz', timeout=4)"]
ENTRYPOINT ["odoo-otel"]
CMD ["run"]
