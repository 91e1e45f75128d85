"""Our own service as a user starts it: `odoo-otel run --config FILE`, with a state folder that outlives it."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from exporter.config import STORE_FILE
from exporter.store import open_reader
from exporter.store.reading import SqliteReader
from tests.stack.servers.process import HOST, Launch, Server, answers, free_port

ROOT = Path(__file__).parents[3]
TIMEOUT = 10


class Exporter(Server):
    """The exporter on some databases; stopped or killed and started again it goes on with the same state."""

    name = "exporter"
    stop_within = 10.0

    def __init__(self, folder: Path, databases: list[dict[str, Any]], otlp: str | None = None, **env: str) -> None:
        """`databases` as in the configuration file; `otlp` is where traces and logs go."""
        super().__init__(folder)
        self.port = free_port()
        self.state = folder / "state"
        self.config = folder / "odoo-otel.yaml"
        listen = {"listen_host": HOST, "listen_port": self.port, "intake_port": 0}
        self.config.write_text(yaml.safe_dump({"state_dir": str(self.state), **listen, "databases": databases}))
        self.words: tuple[str | Path, ...] = ("run", "--config", self.config)
        self.env: Mapping[str, str] = {**({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp} if otlp else {}), **env}

    def configure(self, **settings: Any) -> None:
        """Settings of the whole program, for the next start."""
        known = yaml.safe_load(self.config.read_text())
        self.config.write_text(yaml.safe_dump(known | settings))

    @property
    def target(self) -> str:
        """`host:port` of /metrics."""
        return f"{HOST}:{self.port}"

    def launch(self) -> Launch:
        """The command of the README."""
        clean = {key: "" for key in os.environ if key.startswith(("OTEL_", "ODOO_"))}
        command = (sys.executable, "-m", "exporter", *self.words)
        return Launch(command=command, env={**clean, **self.env}, cwd=ROOT)

    def ready(self) -> bool:
        """Whether it says so."""
        return answers(self.port, "/readyz")

    def reader(self) -> SqliteReader:
        """Its store."""
        return open_reader(self.state / STORE_FILE)

    def metrics(self) -> str:
        """The exposition in Prometheus' text format."""
        answer = requests.get(f"http://{self.target}/metrics", timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.text

    def lines(self) -> list[dict[str, Any]]:
        """Its log: each line is one JSON object (promise R16), or this raises."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Detectors(Server):
    """The detectors as a process of their own beside an exporter that starts none; its intake has a fixed port."""

    name = "detectors"

    def __init__(self, folder: Path, exporter: Exporter) -> None:
        """Have the exporter listen where they post to."""
        super().__init__(folder)
        self.intake = free_port()
        self.state = exporter.state
        places = ("--state", self.state, "--intake", f"http://{HOST}:{self.intake}")
        self.words: tuple[str | Path, ...] = ("detect", *places)
        exporter.configure(detectors=False, intake_port=self.intake)

    def launch(self) -> Launch:
        """The command of docker-compose.yml."""
        return Launch(command=(sys.executable, "-m", "exporter", *self.words), cwd=ROOT)

    def ready(self) -> bool:
        """They answer nobody: their heartbeat is in the exporter's metrics."""
        return True
