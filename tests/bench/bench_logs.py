"""Lines of Odoo's log through `/v1/logs`, over a real socket, durable before the answer, as a Collector sends them."""

import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.intake.server import Intake
from exporter.store import open_store
from exporter.telemetry import otlp
from exporter.tokens import LOGS, Tokens

LINES, TOGETHER, ROUNDS = 40_000, 1_000, 3
CRON = "odoo.addons.base.models.ir_cron"


def lines(first: int) -> Iterator[str]:
    """As a busy server writes: a run is two lines among eight of requests, every tenth fails with a traceback."""
    now = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=first)
    for number in range(LINES // 10):
        at = now + timedelta(milliseconds=number)
        head = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} 7 "
        yield f"{head}INFO acme {CRON}: Job 'Nightly {number % 50}' ({number % 50 + 1}) starting"
        for _ in range(8):
            yield f'{head}INFO acme werkzeug: 127.0.0.1 - - "POST /json/2/res.partner/read HTTP/1.1" 200 - 3 0.002'
        how = "failed" if number % 10 == 0 else "fully done"
        yield (
            f"{head}INFO acme {CRON}: Job 'Nightly {number % 50}' ({number % 50 + 1}) {how} "
            "(#loop 1; done 0; remaining 0; duration 4.18s)"
        )


def otlp_logs_lines_per_s() -> dict[str, float]:
    """Ours, beside what any receiver must do at least: parse the JSON of the same requests and append it to a file."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        ours = max(_ours(Path(folder) / str(one), one) for one in range(ROUNDS))
        peer = max(_peer(Path(folder) / f"peer{one}", one) for one in range(ROUNDS))
    return {"otlp_logs_lines_per_s": ours, "otlp_logs_lines_per_s_peer": peer}


def _batches(first: int) -> list[list[str]]:
    whole = list(lines(first * 100))
    return [whole[start : start + TOGETHER] for start in range(0, len(whole), TOGETHER)]


def _ours(folder: Path, first: int) -> float:
    store = open_store(folder / "store.db")
    now = lambda: {"acme": datetime.now(UTC)}  # noqa: E731
    intake = Intake(store, (folder, ("127.0.0.1", 0)), now=now, appended=lambda: None, tenants={"acme": "acme"})
    intake.start()
    head = {"Authorization": f"Bearer {Tokens(folder).make(LOGS, datetime.now(UTC)).reveal()}"}
    bodies = [otlp.encode_lines(batch, "acme") for batch in _batches(first)]
    try:
        connection = http.client.HTTPConnection("127.0.0.1", intake.port)
        began = time.perf_counter()
        for body in bodies:
            connection.request("POST", "/v1/logs", body, head)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
        took = time.perf_counter() - began
        connection.close()
    finally:
        intake.stop()
        store.close()
    return LINES / took


def _peer(path: Path, first: int) -> float:
    """No network, no understanding: decode each batch of JSON, write its lines, sync."""
    bodies = [json.dumps(batch) for batch in _batches(first)]
    began = time.perf_counter()
    with path.open("w") as file:
        for body in bodies:
            file.write("\n".join(json.loads(body)))
            file.flush()
    return LINES / (time.perf_counter() - began)
