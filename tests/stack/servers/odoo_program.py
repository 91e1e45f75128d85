"""Odoo's command line: its configuration file, one-off commands, and code run in its shell."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.stack.installs import odoo as installed
from tests.stack.installs.cache import root
from tests.stack.servers.process import HOST, Launch, ServerError, tail

MAIN = "import odoo.cli; odoo.cli.main()"
# Caches of a server that runs beside the shell are dropped only when they are told of the change.
AFTER = "\nenv.cr.commit()\nenv.registry.signal_changes()\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class OdooOptions:
    """What a test may want different: threads that run scheduled actions, queue channels, log levels and so on."""

    cron_threads: int = 2
    queue_channels: str = "root:2"
    log_level: str = "info"
    log_handlers: tuple[str, ...] = ()
    log_db_level: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OdooProgram:
    """Odoo's programs for one database."""

    folder: Path
    postgres_port: int
    db: str
    http_port: int = 8069
    gevent_port: int = 8072
    options: OdooOptions = OdooOptions()

    @property
    def filestore(self) -> Path:
        """Where the attachments of this database are."""
        return self.folder / "data" / "filestore" / self.db

    def launch(self, command: str, *words: str) -> Launch:
        """What to execute for a command of Odoo such as `server`."""
        program: tuple[str | Path, ...] = (installed.python(), "-c", MAIN, command, "-c", self._write_config(), *words)
        return Launch(command=program, env=self._env(), cwd=self.folder)

    def run(self, command: str, *words: str, stdin: str = "") -> str:
        """Run a command of Odoo to its end and return what it printed; its log goes to a file."""
        launch = self.launch(command, *words)
        log = self.folder / f"odoo-{command}.log"
        with log.open("a") as output:
            ended = subprocess.run(
                [str(word) for word in launch.command],
                input=stdin,
                env={**os.environ, **launch.env},
                cwd=launch.cwd,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                check=False,
            )
        if ended.returncode:
            raise ServerError(f"odoo {command} failed (exit {ended.returncode}):\n{tail(log)}")
        return ended.stdout

    def shell(self, code: str) -> str:
        """Run `code` with `env` (superuser), commit, tell running servers, and return what the code printed."""
        return self.run("shell", "--no-http", stdin=code + AFTER)

    def _env(self) -> Mapping[str, str]:
        # Compiled once for all starts, whatever the shell around us says, and not into our addon's folder.
        compiled = {"PYTHONPYCACHEPREFIX": str(root() / "pycache"), "PYTHONDONTWRITEBYTECODE": ""}
        return {"PYTHONPATH": str(installed.sources()), "PYTHONUNBUFFERED": "1", **compiled, **self.options.env}

    def _write_config(self) -> Path:
        path = self.folder / "odoo.conf"
        lines = [f"{key} = {value}" for key, value in self._settings().items()]
        path.write_text("\n".join(["[options]", *lines, "", "[queue_job]", *self._queue_job(), ""]))
        return path

    def _queue_job(self) -> list[str]:
        channels = f"channels = {self.options.queue_channels}"
        return [channels, f"host = {HOST}", f"port = {self.http_port}", "scheme = http"]

    def _settings(self) -> Mapping[str, str | int]:
        options = self.options
        log_db = {"log_db": self.db, "log_db_level": options.log_db_level} if options.log_db_level else {}
        return {
            "db_host": HOST,
            "db_port": self.postgres_port,
            "db_user": "odoo",
            "db_password": "trusted",
            "db_name": self.db,
            "list_db": "False",
            "http_interface": HOST,
            "http_port": self.http_port,
            "gevent_port": self.gevent_port,
            "data_dir": str(self.folder / "data"),
            "addons_path": installed.addons_path(),
            "server_wide_modules": "base,rpc,web,queue_job",
            "max_cron_threads": options.cron_threads,
            "log_level": options.log_level,
            "log_handler": ",".join((":INFO", *options.log_handlers)),
            **log_db,
            **options.extra,
        }
