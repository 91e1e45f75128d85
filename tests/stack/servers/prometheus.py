"""Prometheus: scrapes, takes OTLP, keeps exemplars, evaluates rules; and its checker promtool."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.stack.installs import golang
from tests.stack.servers.process import HOST, Launch, Server, ServerError, answers, free_port

TIMEOUT = 10
EVERY_SECOND = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"


class Prometheus(Server):
    """A Prometheus with a configuration of the caller's, given as text."""

    name = "prometheus"

    def __init__(self, folder: Path, config: str = EVERY_SECOND) -> None:
        """`config` may name rule files relative to `folder`."""
        super().__init__(folder)
        self.port = free_port()
        self.config = folder / "prometheus.yml"
        self.config.write_text(config)

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://{HOST}:{self.port}"

    @property
    def otlp(self) -> str:
        """Address below which OTLP over HTTP is taken (`/v1/metrics` is added by the sender)."""
        return f"{self.url}/api/v1/otlp"

    def launch(self) -> Launch:
        """The flags are those a user needs too."""
        flags = (
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            "--web.enable-otlp-receiver",
            "--web.enable-lifecycle",
            "--enable-feature=exemplar-storage",
            "--rules.alert.resend-delay=25s",
        )
        return Launch(command=(golang.PROMETHEUS.place / "prometheus", *flags), cwd=self.folder)

    def ready(self) -> bool:
        """Whether it says so."""
        return answers(self.port, "/-/ready")

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """The instant vector (or scalar) of an expression: (labels, value) each."""
        data = self.api("query", query=promql)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def exemplars(self, promql: str, start: float, end: float) -> list[dict[str, Any]]:
        """Exemplars of the series an expression selects, between two Unix times."""
        return list(self.api("query_exemplars", query=promql, start=start, end=end))

    def api(self, path: str, **parameters: str | float) -> Any:
        """The `data` of an answer of `/api/v1/<path>`."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=TIMEOUT)
        body = answer.json()
        if body["status"] != "success":
            raise ServerError(f"{path} {parameters}: {body['error']}")
        return body["data"]

    def reload(self, config: str | None = None) -> None:
        """Read the configuration again, after writing a new one if given."""
        if config is not None:
            self.config.write_text(config)
        answer = requests.post(f"{self.url}/-/reload", timeout=TIMEOUT)
        if not answer.ok:
            raise ServerError(answer.text)


def promtool(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool; the exit code says whether it found faults."""
    return run_tool(golang.PROMETHEUS.place / "promtool", *words, cwd=cwd)


def run_tool(
    tool: Path, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a checker to its end and keep what it printed."""
    command = [str(word) for word in (tool, *words)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
