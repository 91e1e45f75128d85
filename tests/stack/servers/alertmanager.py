"""Alertmanager, and its checker amtool."""

import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.stack.installs import golang
from tests.stack.servers.process import HOST, Launch, Server, ServerError, answers, free_port
from tests.stack.servers.prometheus import run_tool

TIMEOUT = 10
SILENT = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


class Alertmanager(Server):
    """A single Alertmanager with a configuration of the caller's, given as text."""

    name = "alertmanager"

    def __init__(self, folder: Path, config: str = SILENT) -> None:
        """`config` may name template files relative to `folder`."""
        super().__init__(folder)
        self.port = free_port()
        self.config = folder / "alertmanager.yml"
        self.config.write_text(config)

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://{HOST}:{self.port}"

    def launch(self) -> Launch:
        """As docker-compose.yml does: without a cluster, so that no second port is opened."""
        flags = (
            f"--config.file={self.config}",
            f"--storage.path={self.folder / 'data'}",
            "--data.maintenance-interval=15s",
            f"--web.listen-address={HOST}:{self.port}",
            "--cluster.listen-address=",
        )
        return Launch(command=(golang.ALERTMANAGER.place / "alertmanager", *flags), cwd=self.folder)

    def ready(self) -> bool:
        """Whether it says so."""
        return answers(self.port, "/-/ready")

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are active now."""
        answer = requests.get(f"{self.url}/api/v2/alerts", timeout=TIMEOUT)
        answer.raise_for_status()
        return list(answer.json())

    def reload(self, config: str | None = None) -> None:
        """Read the configuration again, after writing a new one if given."""
        if config is not None:
            self.config.write_text(config)
        answer = requests.post(f"{self.url}/-/reload", timeout=TIMEOUT)
        if not answer.ok:
            raise ServerError(answer.text)


def amtool(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run amtool; the exit code says whether it found faults."""
    return run_tool(golang.ALERTMANAGER.place / "amtool", *words, cwd=cwd)
