"""PostgreSQL 15: a cluster of one test's own."""

import contextlib
import csv
import io
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.stack.servers.process import HOST, Launch, Server, ServerError, free_port

BIN = Path("/usr/lib/postgresql/15/bin")
ROLE = "odoo"  # Odoo refuses to work as the role `postgres`
NOTHING: Mapping[str, str | float] = {}
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def _owner() -> str | None:
    """PostgreSQL refuses to run as root: the package's own user does it then."""
    return "postgres" if os.geteuid() == 0 else None


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()] if listed.exists() else []


class Postgres(Server):
    """A cluster under `folder` that trusts everyone on 127.0.0.1; durable only when asked."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": open connections are cut

    def __init__(self, folder: Path, *, fsync: bool = False, settings: Sequence[str] = ()) -> None:
        """`settings` are `name=value` of postgresql.conf."""
        super().__init__(folder)
        self.port = free_port()
        self.fsync = fsync
        self.settings = (*(() if fsync else FAST), *settings)
        self.data = folder / "data"

    @property
    def url(self) -> str:
        """Address without database name."""
        return f"postgresql://{ROLE}@{HOST}:{self.port}"

    def launch(self) -> Launch:
        """Make the cluster on first use; sockets stay off, because their path may be too long."""
        if not self.data.exists():
            self._initdb()
        options = ("unix_socket_directories=", f"listen_addresses={HOST}", "max_connections=200", *self.settings)
        flags = [word for option in options for word in ("-c", option)]
        command = (BIN / "postgres", "-D", self.data, "-p", str(self.port), *flags)
        return Launch(command=command, cwd=Path("/"), user=_owner())

    def ready(self) -> bool:
        """Whether a connection is accepted and the role exists."""
        with socket.socket() as probe:
            if probe.connect_ex((HOST, self.port)):
                return False
        asked = self._psql("postgres", "SELECT rolname FROM pg_roles", user="postgres")
        if asked.returncode == 0 and ROLE not in asked.stdout.split():
            self._psql("postgres", f"CREATE ROLE {ROLE} SUPERUSER LOGIN", user="postgres")
        return asked.returncode == 0

    def kill(self) -> None:
        """SIGKILL, the backends too: they leave the process group, and a new start waits for none of them."""
        backends = _children(self.pid) if self.running else []
        super().kill()
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)

    def createdb(self, name: str, template: str = "template0") -> None:
        """Create a database, empty or as a copy of `template`, to which nobody may be connected."""
        create = """CREATE DATABASE :"name" OWNER :"role" TEMPLATE :"template" """
        self.sql("postgres", create, name=name, role=ROLE, template=template)

    def dropdb(self, name: str) -> None:
        """Drop a database, cutting its connections."""
        self.sql("postgres", """DROP DATABASE IF EXISTS :"name" WITH (FORCE)""", name=name)

    def restore(self, name: str, dump: Path) -> None:
        """Create the database `name` from a `pg_dump -Fc` file."""
        self.createdb(name)
        self._tool("pg_restore", "-j2", "--no-owner", "-d", name, dump)

    def dump(self, name: str, dump: Path) -> None:
        """Write the database `name` to a file that `restore` reads."""
        self._tool("pg_dump", "-Fc", "-f", dump, name)

    def sql(self, db: str, statement: str, /, **values: str | float) -> list[dict[str, str]]:
        """Run a statement and return its rows as text (NULL is empty); `:'x'` stands for value x, `:"x"` for name x."""
        ended = self._psql(db, statement, user=ROLE, values=values)
        if ended.returncode:
            raise ServerError(f"psql failed: {ended.stderr.strip()}\nin: {statement}")
        return list(csv.DictReader(io.StringIO(ended.stdout)))

    def _psql(
        self, db: str, statement: str, *, user: str, values: Mapping[str, str | float] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """Through standard input, because psql puts values into nothing else."""
        flags = ("-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", db)
        given = [word for name, value in values.items() for word in ("-v", f"{name}={value}")]
        return self._run("psql", *flags, *given, stdin=statement)

    def _tool(self, tool: str, *words: str | Path) -> None:
        ended = self._run(tool, "-U", ROLE, *words)
        if ended.returncode:
            raise ServerError(f"{tool} failed: {ended.stderr.strip()}")

    def _run(self, tool: str, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in (BIN / tool, "-h", HOST, "-p", self.port, *words)]
        env = {**os.environ, "PGTZ": "UTC", "PGCONNECT_TIMEOUT": "5"}
        return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, check=False)

    def _initdb(self) -> None:
        owner = _owner()
        self.data.mkdir(mode=0o700)
        if owner:
            self._hand_over(owner)
        flags = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        ended = subprocess.run(
            [str(BIN / "initdb"), "-D", str(self.data), *flags],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=owner,
        )
        if ended.returncode:
            raise ServerError(f"initdb failed: {ended.stderr.strip()}")

    def _hand_over(self, owner: str) -> None:
        entry = pwd.getpwnam(owner)
        os.chown(self.data, entry.pw_uid, entry.pw_gid)
        for folder in self.data.parents:
            if not folder.stat().st_mode & 0o001:
                raise ServerError(f"{owner} cannot pass through {folder}: put the cluster elsewhere, or chmod o+x it")
