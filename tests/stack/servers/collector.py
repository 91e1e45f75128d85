"""The OpenTelemetry Collector with our otel-collector.yaml, whose addresses come from environment variables."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stack.installs import golang
from tests.stack.servers.process import HOST, Launch, Server, answers, free_port
from tests.stack.servers.prometheus import run_tool

OTLP_HTTP_ENDPOINT = "OTLP_HTTP_ENDPOINT"  # host:port on which it takes OTLP over HTTP
JAEGER_OTLP_ENDPOINT = "JAEGER_OTLP_ENDPOINT"  # host:port of Jaeger's OTLP over gRPC
PROMETHEUS_OTLP_ENDPOINT = "PROMETHEUS_OTLP_ENDPOINT"  # address below which Prometheus takes OTLP over HTTP
EXPORTER_METRICS_TARGET = "EXPORTER_METRICS_TARGET"  # host:port of the exporter's /metrics
COLLECTOR_STORAGE = "COLLECTOR_STORAGE"  # folder of its queues
COLLECTOR_HEALTH_ENDPOINT = "COLLECTOR_HEALTH_ENDPOINT"  # host:port of its health check
COLLECTOR_OWN_METRICS_PORT = "COLLECTOR_OWN_METRICS_PORT"  # port of its own metrics: two would want 8888
COLLECTOR_LOGS_FILE = "COLLECTOR_LOGS_FILE"  # where it writes logs
OTLP_GRPC_ENDPOINT = "OTLP_GRPC_ENDPOINT"  # host:port on which it takes OTLP over gRPC
BINARY = golang.OTELCOL.place / "otelcol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Where a Collector sends; what is left out stays at the default of the configuration file."""

    jaeger: str | None = None
    prometheus: str | None = None
    exporter: str | None = None

    def env(self) -> dict[str, str]:
        """As environment variables."""
        named = {
            JAEGER_OTLP_ENDPOINT: self.jaeger,
            PROMETHEUS_OTLP_ENDPOINT: self.prometheus,
            EXPORTER_METRICS_TARGET: self.exporter,
        }
        return {name: value for name, value in named.items() if value is not None}


class Collector(Server):
    """A Collector whose configuration reads the environment variables named above."""

    name = "otelcol"

    def __init__(self, folder: Path, config: str | Path, targets: Targets | None = None, **env: str) -> None:
        """`config` is a text or a file; `env` wins over everything."""
        super().__init__(folder)
        self.port, self.grpc_port, self.health_port, self.metrics_port = (free_port() for _ in range(4))
        self.logs_file = folder / "logs" / "odoo-otel.jsonl"
        self.storage = folder / "storage"
        self.storage.mkdir(exist_ok=True)
        self.config = _as_file(config, folder)
        self.env = {**self._own(), **(targets or Targets()).env(), **env}

    @property
    def url(self) -> str:
        """Address that takes OTLP over HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def metrics_url(self) -> str:
        """Where the Collector shows metrics of itself."""
        return f"http://{HOST}:{self.metrics_port}/metrics"

    def launch(self) -> Launch:
        """Everything that differs from a user's Collector is in the environment."""
        return Launch(command=(BINARY, "--config", self.config), env=self.env, cwd=self.folder)

    def ready(self) -> bool:
        """Whether its health check says so."""
        return answers(self.health_port, "/")

    def logs(self) -> list[dict[str, Any]]:
        """The OTLP requests of logs it wrote to its file so far, without a line that is being written."""
        text = self.logs_file.read_text() if self.logs_file.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def _own(self) -> dict[str, str]:
        return {
            OTLP_HTTP_ENDPOINT: f"{HOST}:{self.port}",
            OTLP_GRPC_ENDPOINT: f"{HOST}:{self.grpc_port}",
            COLLECTOR_OWN_METRICS_PORT: str(self.metrics_port),
            COLLECTOR_LOGS_FILE: str(self.logs_file),
            COLLECTOR_HEALTH_ENDPOINT: f"{HOST}:{self.health_port}",
            COLLECTOR_STORAGE: str(self.storage),
        }


def validate(
    config: str | Path, folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Let the Collector check a configuration; the exit code says whether it found faults."""
    file = _as_file(config, folder)
    return run_tool(BINARY, "validate", "--config", file, cwd=folder, env={**os.environ, **(env or {})})


def _as_file(config: str | Path, folder: Path) -> Path:
    if isinstance(config, Path):
        return config
    file = folder / "otel-collector.yaml"
    file.write_text(config)
    return file
