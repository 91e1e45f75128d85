"""Jaeger v2: traces in over OTLP, out over its query API."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from tests.stack.installs import golang
from tests.stack.servers.process import HOST, Launch, Server, answers, free_port

TIMEOUT = 10


class Jaeger(Server):
    """All in one process; traces are kept in memory, or on disk over a restart when `durable`."""

    name = "jaeger"

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """Pick ports for the query API, OTLP over gRPC, OTLP over HTTP and the health page."""
        super().__init__(folder)
        self.durable = durable
        self.query_port, self.grpc_port, self.http_port, self.health_port = (free_port() for _ in range(4))
        self._query_grpc_port = free_port()

    @property
    def url(self) -> str:
        """Address of the query API and the page."""
        return f"http://{HOST}:{self.query_port}"

    @property
    def otlp_grpc(self) -> str:
        """`host:port` that takes OTLP over gRPC."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def otlp_http(self) -> str:
        """Address that takes OTLP over HTTP."""
        return f"http://{HOST}:{self.http_port}"

    def launch(self) -> Launch:
        """Jaeger would trace its own queries into itself: its sampler is off."""
        config = self.folder / "jaeger.yaml"
        config.write_text(json.dumps(self._config(), indent=1))
        command = (golang.JAEGER.place / "jaeger", "--config", config)
        return Launch(command=command, env={"OTEL_TRACES_SAMPLER": "always_off"}, cwd=self.folder)

    def ready(self) -> bool:
        """Whether the query API answers."""
        return answers(self.health_port, "/status") and answers(self.query_port, "/api/services")

    def services(self) -> list[str]:
        """The names of all services that have traces."""
        return sorted(self._get("/api/services") or [])

    def traces(self, service: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Traces of a service; `parameters` are those of `/api/traces` (operation, tags, limit, start, end)."""
        return list(self._get("/api/traces", service=service, **parameters) or [])

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """One trace, or None."""
        found = self._get(f"/api/traces/{trace_id}")
        return dict(found[0]) if found else None

    def _get(self, path: str, **parameters: str | int) -> list[Any] | None:
        answer = requests.get(f"{self.url}{path}", params=parameters, timeout=TIMEOUT)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        answer.raise_for_status()
        data: list[Any] | None = answer.json()["data"]
        return data

    def _storage(self) -> dict[str, Any]:
        if not self.durable:
            return {"memory": {"max_traces": 100_000}}
        folders = {name: str(self.folder / "badger" / name) for name in ("keys", "values")}
        return {"badger": {"directories": folders, "ephemeral": False, "consistency": True}}

    def _config(self) -> dict[str, Any]:
        protocols = {"grpc": {"endpoint": self.otlp_grpc}, "http": {"endpoint": f"{HOST}:{self.http_port}"}}
        return {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
                "telemetry": {"metrics": {"level": "none"}},
            },
            "extensions": {
                "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"{HOST}:{self.health_port}"}},
                "jaeger_storage": {"backends": {"main": self._storage()}},
                "jaeger_query": {
                    "storage": {"traces": "main"},
                    "http": {"endpoint": f"{HOST}:{self.query_port}"},
                    "grpc": {"endpoint": f"{HOST}:{self._query_grpc_port}"},
                },
            },
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "main"}},
        }
