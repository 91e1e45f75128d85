"""Odoo's log beside polling: over OTLP as the Collector sends it, and from a file with `odoo-otel ingest-log`."""

import gzip
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from exporter.sources.odoo.log_lines import records
from exporter.telemetry import otlp
from exporter.tokens import LOGS
from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer
from tests.stack.servers.process import free_port

CRON = "odoo.addons.base.models.ir_cron"
WHY = 'Traceback (most recent call last):\n  File "x.py", line 1, in x\nodoo.exceptions.UserError: No address.'


@pytest.fixture
def line(odoo: LiveOdoo, tmp_path: Path) -> Iterator[tuple[Exporter, FakeCollector]]:
    """The service, which expects Odoo's log."""
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(
            tmp_path,
            [server.entry("acme", odoo_log=True)],
            endpoint=collector.url,
            settings={"intake_port": free_port()},
        ) as exporter,
    ):
        until(lambda: exporter.value("odoo_up") == 1, what="the first poll")
        yield exporter, collector


def stamp(at: datetime) -> str:
    """A time as Odoo's log writes it."""
    return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}"


def run_of(name: str, number: int, start: datetime, seconds: float) -> str:
    """The lines of a failed run."""
    end = start + timedelta(seconds=seconds)
    return (
        f"{stamp(start)} 7 INFO acme {CRON}: Job {name!r} ({number}) starting\n"
        f"{stamp(end)} 7 ERROR acme {CRON}: Job {name!r} ({number}) server action #5 failed\n{WHY}\n"
        f"{stamp(end)} 7 INFO acme {CRON}: Job {name!r} ({number}) failed "
        f"(#loop 1; done 0; remaining 0; duration {seconds:.2f}s)\n"
    )


def ingest(exporter: Exporter, text: str, database: str = "acme") -> "subprocess.CompletedProcess[str]":
    """`odoo-otel ingest-log` on a stream that ends."""
    return subprocess.run(
        command(exporter, database), input=text, capture_output=True, text=True, check=False, timeout=60
    )


def command(exporter: Exporter, database: str = "acme", file: str = "-") -> list[str]:
    """`odoo-otel ingest-log`."""
    place = ["--state", str(exporter.state), "--intake", intake(exporter)]
    return [sys.executable, "-m", "exporter", "ingest-log", *place, database, file]


@contextmanager
def streaming(exporter: Exporter) -> Iterator["subprocess.Popen[str]"]:
    """`odoo-otel ingest-log` on a stream that goes on."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command(exporter), text=True, bufsize=1, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def write(process: "subprocess.Popen[str]", text: str) -> None:
    """Something more on its stream."""
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def fail_in(odoo: LiveOdoo, name: str) -> str:
    """A run of a new scheduled action fails; what Odoo's log says of it."""
    number = live.cron(odoo, name)
    start = odoo.now - timedelta(seconds=1.95)
    live.ran(odoo, number, seconds=2, failed=True)
    return run_of(name, number, start, 1.9)


def raised(collector: FakeCollector, name: str) -> list[str]:
    """The exception of each span of a name: what the log alone knows."""
    found = spans(collector, name)
    return [one.value.string_value for span in found for one in span.attributes if one.key == "error.type"]


def spans(collector: FakeCollector, name: str) -> list[object]:
    """Spans of a name, each once."""
    return [span for span in {s.span_id: s for s in collector.spans()}.values() if span.name == name]


def test_a_run_that_both_saw_is_told_once_with_the_logs_words(
    odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]
) -> None:
    """Milliseconds and the exception; the file read again adds nothing (features 2, 10, 60, 110)."""
    exporter, collector = line
    text = fail_in(odoo, "LAB lined")
    for _ in range(2):
        done = ingest(exporter, text)
        assert (done.returncode, done.stdout) == (0, "6 lines, 3 of them say something of acme, 0 were not taken.\n")
    assert exporter.value("odoo_otel_log_lines_total", outcome="lines") == 6
    until(lambda: spans(collector, "cron LAB lined"), seconds=60, what="the run told")
    until(lambda: exporter.folded("acme"))
    (span,) = spans(collector, "cron LAB lined")
    words = {one.key: one.value.string_value for one in span.attributes}
    assert words["error.type"] == "odoo.exceptions.UserError"
    assert (span.end_time_unix_nano - span.start_time_unix_nano) % 1_000_000_000 != 0


def test_a_run_is_told_while_its_stream_goes_on(odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]) -> None:
    """A tail over ssh never ends: its lines reach the service a second after they came (features 2, 110)."""
    exporter, collector = line
    with streaming(exporter) as process:
        for name in ("LAB first", "LAB second"):
            write(process, fail_in(odoo, name))
            until(lambda name=name: spans(collector, f"cron {name}"), seconds=60, what=f"{name} told")
            assert raised(collector, f"cron {name}") == ["odoo.exceptions.UserError"]
        assert process.poll() is None


def test_a_stream_outlives_a_restart(odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]) -> None:
    """What came while the service was away is told when it is back, once (R1)."""
    exporter, collector = line
    with streaming(exporter) as process:
        write(process, fail_in(odoo, "LAB before"))
        until(lambda: exporter.value("odoo_otel_log_lines_total", outcome="events") == 3, what="the first lines")
        exporter.stop()
        write(process, fail_in(odoo, "LAB meanwhile"))
        assert process.stderr is not None
        assert "Trying again until it is taken." in process.stderr.readline()
        write(process, fail_in(odoo, "LAB later"))
        exporter.start()
        out, more = process.communicate(timeout=60)
    assert (process.returncode, more) == (0, "")
    assert out == "18 lines, 9 of them say something of acme, 0 were not taken.\n"
    for name in ("LAB before", "LAB meanwhile", "LAB later"):
        until(lambda name=name: spans(collector, f"cron {name}"), seconds=60, what=f"{name} told")
        assert raised(collector, f"cron {name}") == ["odoo.exceptions.UserError"]
    until(lambda: exporter.settled("acme"))
    assert exporter.value("odoo_cron_runs_total", odoo_database="acme", result="failure") == 3
    assert [len(spans(collector, f"cron LAB {name}")) for name in ("before", "meanwhile", "later")] == [1, 1, 1]


def as_json(texts: list[str], database: str) -> dict[str, object]:
    """An ExportLogsServiceRequest as a Collector with `encoding: json` sends it: 64-bit numbers are texts."""
    told = [
        {
            "observedTimeUnixNano": "1795608000000000000",
            "body": {"stringValue": record},
            "attributes": [{"key": "log.file.name", "value": {"stringValue": "odoo.log"}}],
            "traceId": "",
            "spanId": "",
        }
        for record in texts
    ]
    whose = [{"key": "odoo.database", "value": {"stringValue": database}}]
    return {"resourceLogs": [{"resource": {"attributes": whose}, "scopeLogs": [{"scope": {}, "logRecords": told}]}]}


def test_a_run_in_json_is_told(odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]) -> None:
    """OTLP as JSON says what protobuf says, also how many records were not taken (features 2, 110)."""
    exporter, collector = line
    text = [*records(fail_in(odoo, "LAB as JSON").splitlines())]
    assert len(text) == 3
    url, head = f"{intake(exporter)}/v1/logs", {"Authorization": f"Bearer {exporter.token(LOGS)}"}
    taken = requests.post(url, json=as_json(text, "acme"), headers=head, timeout=10)
    assert (taken.status_code, taken.headers["Content-Type"], taken.json()) == (200, "application/json", {})
    until(lambda: spans(collector, "cron LAB as JSON"), seconds=60, what="the run told")
    assert raised(collector, "cron LAB as JSON") == ["odoo.exceptions.UserError"]
    refused = requests.post(url, json=as_json(text, "other"), headers=head, timeout=10)
    assert (refused.status_code, refused.headers["Content-Type"]) == (200, "application/json")
    partial = {"rejectedLogRecords": "3", "errorMessage": "lines of a database that is not watched"}
    assert refused.json() == {"partialSuccess": partial}
    assert exporter.value("odoo_otel_log_lines_total", outcome="unknown_database") == 3


def test_the_collector_is_told_the_truth(line: tuple[Exporter, FakeCollector]) -> None:
    """Token, encoding, packed bombs, databases nobody watches: refused or counted, never half."""
    exporter, _ = line
    url, good = f"{intake(exporter)}/v1/logs", exporter.token(LOGS)
    head = {"Authorization": f"Bearer {good}", "Content-Type": "application/x-protobuf"}
    body = otlp.encode_lines([run_of("x", 7, datetime.now(UTC), 1.0)], "acme")

    def post(raw: bytes, **changes: str) -> requests.Response:
        return requests.post(
            url, data=raw, headers=head | {k.replace("_", "-"): v for k, v in changes.items()}, timeout=10
        )

    assert post(body).status_code == 200
    assert post(gzip.compress(body), Content_Encoding="gzip").status_code == 200
    bomb = gzip.compress(b"\0" * 20_000_000)
    assert post(bomb, Content_Encoding="gzip").status_code == 413
    assert post(b"nonsense", Content_Encoding="gzip").status_code == 400
    assert post(body, Content_Encoding="br").status_code == 415
    assert post(b"\xff\xff").status_code == 400
    assert post(b'{"resourceLogs": []}', Content_Type="application/json").json() == {}
    wrong = post(body, Authorization="Bearer wrong")
    assert (wrong.status_code, wrong.content) == (401, b"")
    assert otlp.rejected_logs(post(otlp.encode_lines([run_of("x", 7, datetime.now(UTC), 1.0)], "other")).content) == 1


def test_a_database_that_is_not_watched_is_said(line: tuple[Exporter, FakeCollector], tmp_path: Path) -> None:
    """One sentence and an exit code; so is a service that does not run, where a file can be given again."""
    exporter, _ = line
    done = ingest(exporter, run_of("x", 7, datetime.now(UTC), 1.0), "other")
    assert done.returncode == 1
    assert "other is not a database that the service watches" in done.stderr
    exporter.stop()
    (tmp_path / "odoo.log").write_text(run_of("x", 7, datetime.now(UTC), 1.0))
    words = command(exporter, file=str(tmp_path / "odoo.log"))
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not answer" in done.stderr
    assert "odoo.log again: what was taken of it is known, and is a no-op." in done.stderr
