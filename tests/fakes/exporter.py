"""The exporter as a process of its own: configured, started, asked over HTTP, killed or stopped, started again."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any, Self

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from exporter.config import STORE_FILE
from exporter.sources.odoo.registry import COLLECTIONS, SELDOM
from exporter.store import open_reader
from exporter.store.entries import PollReport
from exporter.telemetry.instruments import INSTRUMENTS
from exporter.tokens import Tokens

ROOT = Path(__file__).parents[2]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Sample = tuple[str, tuple[tuple[str, str], ...]]
_LISTENING = "listening on http://"


def until(done: Callable[[], object], seconds: float = 20.0, what: str = "it") -> None:
    """Wait for what other threads and processes do."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


@dataclass
class Exporter:
    """`odoo-otel run` on a folder; `with` starts it and kills what is left of it.

    Attributes:
        databases: entries of the configuration.
        endpoint: where it sends to; None: nowhere.
        settings: other keys of the configuration.
        environ: variables of its environment.
        program: what Python runs.
        cwd: where it is started.
        stdout: the file that gets its standard output; None: it is ours.
        lines: what it wrote to stderr, in all its lives.
    """

    folder: Path
    databases: Sequence[Mapping[str, object]]
    endpoint: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = ("-m", "exporter")
    cwd: Path = ROOT
    stdout: Path | None = None
    lines: list[str] = field(default_factory=list)
    _process: "subprocess.Popen[str] | None" = None
    _reading: Thread | None = None
    _life: int = 0

    def __enter__(self) -> Self:
        """Start and wait until it listens."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no process behind."""
        if self._process is not None:
            self.kill()

    @property
    def state(self) -> Path:
        """The folder of its store."""
        return self.folder / "state"

    @property
    def store(self) -> Path:
        """The file of its store."""
        return self.state / STORE_FILE

    def token(self, opens: str) -> str:
        """A new token that opens something of it (`detectors`, `logs`, `hooks/NAME`)."""
        return Tokens(self.state).make(opens, datetime.now(UTC)).reveal()

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The process at work."""
        assert self._process is not None, "it was not started"
        return self._process

    @property
    def address(self) -> str:
        """Where this life of it listens; "" until it does."""
        said = (line.partition(_LISTENING)[2] for line in reversed(self.lines[self._life :]) if _LISTENING in line)
        return next((f"http://{words.partition(chr(34))[0]}" for words in said), "")

    def launch(self) -> None:
        """Start, and wait for nothing."""
        path = self._configure()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ODOO_"))}
        sent = {} if self.endpoint is None else {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint}
        self._life = len(self.lines)
        with self.stdout.open("ab") if self.stdout else nullcontext() as stdout:
            self._process = subprocess.Popen(
                [sys.executable, *self.program, "run", "--config", str(path)],
                cwd=self.cwd,
                env={**kept, **sent, **self.environ},
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
            )
        self._reading = Thread(target=self._read, args=(self._process,), daemon=True)
        self._reading.start()

    def start(self, seconds: float = 20.0) -> None:
        """Start, and wait until it listens."""
        self.launch()
        until(lambda: self.address or self.process.poll() is not None, seconds, "listening")
        assert self.address, self.lines[self._life :]

    def _configure(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        alone = {
            "state_dir": str(self.state),
            "listen_port": 0,
            "intake_port": 0,
            "detectors": False,
            "free_space_mib": 0,
        }
        config = {**alone, "databases": [*self.databases], **self.settings}
        path = self.folder / "config.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        return path

    def reload(self) -> None:
        """SIGHUP, with `databases` and `settings` as they are now; back when it was done or refused."""
        before = len(self.lines)
        self._configure()
        self.process.send_signal(signal.SIGHUP)
        until(lambda: any("was read again" in line for line in self.lines[before:]), what="the reload")

    def limit_files(self, size: int = resource.RLIM_INFINITY) -> None:
        """No file of it may grow beyond so many bytes; by default any may."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.ended()

    def stop(self, seconds: float = 15.0) -> float:
        """SIGTERM; it must leave with 0. How long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.ended(seconds) == 0, self.lines[-5:]
        return time.monotonic() - began

    def ended(self, seconds: float = 15.0) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(seconds)
        assert self._reading is not None
        self._reading.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def get(self, path: str, accept: str = "text/plain") -> tuple[int, str]:
        """Status and body of a page."""
        request = urllib.request.Request(self.address + path, headers={"Accept": accept})  # noqa: S310 - our own page
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def samples(self) -> dict[Sample, float]:
        """Every sample of /metrics by name and sorted labels."""
        return samples(self.get("/metrics")[1])

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of one name that have these labels; 0 is no answer to a name that there is not."""
        assert name in INSTRUMENTS or name.rpartition("_")[0] in INSTRUMENTS, f"{name} is no metric of ours"
        found = self.samples().items()
        return sum(n for (named, given), n in found if named == name and labels.items() <= dict(given).items())

    def reads(self, database: str) -> bool:
        """Whether the last poll of every collection that is read often went well."""
        often = COLLECTIONS.keys() - SELDOM.keys()
        good = (self.value("odoo_source_success", odoo_database=database, source=source) for source in often)
        return all(value == 1 for value in good)

    def reports(self, tenant: str) -> dict[str, PollReport]:
        """The last report of each Source; nothing while there is no store."""
        return {report.source: report for report, _ in self._ask(lambda reader: reader.reports(tenant))}

    def counts(self) -> dict[str, int]:
        """Running numbers of the store."""
        found: dict[str, int] = self._ask(lambda reader: reader.counts())
        return found

    def folded(self, *tenants: str) -> bool:
        """Whether everything stored is folded."""
        return not any(self._ask(lambda reader, one=one: reader.lag(one, "fold")[0]) for one in tenants)

    def settled(self, *tenants: str) -> bool:
        """Whether everything stored is folded and everything told is sent."""
        waiting = self._ask(lambda reader: reader.outbox())
        return self.folded(*tenants) and not any(rows for _, rows, _ in waiting)

    def rss(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def bytes_read(self) -> int:
        """What it has read so far, from files (its own program, too) and sockets."""
        return int(Path(f"/proc/{self.process.pid}/io").read_text(encoding="ascii").split("\n")[0].split()[1])

    def logs(self) -> list[dict[str, Any]]:
        """Every line of stderr as the JSON object it must be."""
        return [json.loads(line) for line in self.lines]

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        reader = open_reader(self.store)
        try:
            return question(reader)
        finally:
            reader.close()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self.lines.extend(line.removesuffix("\n") for line in process.stderr)


def samples(page: str) -> dict[Sample, float]:
    """Every sample of an exposition in text format; none may stand there twice."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(page):
        for one in family.samples:
            key = (one.name, tuple(sorted(one.labels.items())))
            assert key not in found, f"{key} stands twice"
            found[key] = one.value
    return found


def openmetrics_samples(page: str) -> dict[Sample, float]:
    """The same of OpenMetrics, by its own strict parser."""
    families = list(openmetrics_families(page))
    assert len({family.name for family in families}) == len(families)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def counted(found: Mapping[Sample, float]) -> dict[Sample, float]:
    """Counters and histograms that say something of Odoo: what must be the same whoever counts.

    Findings are left out: what is late, and when that was over, is judged at the marks of whoever polled.
    """
    ends = ("_total", "_bucket", "_sum", "_count")
    other = ("odoo_otel_export", "odoo_anomal")
    return {key: n for key, n in found.items() if key[0].endswith(ends) and not key[0].startswith(other)}
