"""Canaries through the whole running service: what must not leave is nowhere, and a line of our log is one line."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import OPENMETRICS, Exporter, openmetrics_samples, samples, until
from tests.fakes.odoo_http import KEY, TRACEBACK, Canned, _error, _json
from tests.fakes.odoo_live import LiveServer, live_lab

# Each must be found nowhere; what stands around it is what people write.
EMAIL, PHONE, IBAN = "canary.person@mail.example", "+32 470 12 34 56", "BE68 5390 0754 7034"
TOKEN, NUMBER = "canaryTokenA1b2C3d4E5f6G7h8I9j0K1l2M3", "98765432101"
BODY, PASSWORD, BEARER = "private words", "hunter2canary", "canary-bearer-of-the-collector"
WRITTEN = (PHONE.replace(" ", ""), IBAN.replace(" ", ""))
CANARIES = (PASSWORD, KEY, BEARER, TRACEBACK, EMAIL, PHONE, IBAN, TOKEN, NUMBER, BODY, *WRITTEN)
MESSAGE = f"Mail to {EMAIL} bounced, call {PHONE}, pay {IBAN}, password: {PASSWORD} token {TOKEN} ref {NUMBER}"
# What would let a line of a log or a page lie: line ends, ANSI colours, a bidi override, a null, a paragraph separator.
HOSTILE = 'evil\r\n{"level": "info"}\x1b[31mred\x1b[0m\u202etxt\u2028\x00<script>alert(1)</script>"\\'
RAW = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(slots=True)
class Stage:
    """One database full of canaries, its exporter, its Collector; and how the page looked while Odoo failed."""

    server: LiveServer
    exporter: Exporter
    collector: FakeCollector


@dataclass(frozen=True, slots=True)
class Found:
    """All that left the service and all it kept, by where it was; the spans; the lines of stderr."""

    places: Mapping[str, bytes]
    spans: Sequence[Span]
    lines: Sequence[str]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Everything was read, told and sent; some of it also while Odoo failed with canaries in its words."""
    with ExitStack() as stack:
        odoo = live_lab()
        live.cron(odoo, "LAB ok")
        server = stack.enter_context(LiveServer(odoo))
        collector = stack.enter_context(FakeCollector())
        settings = {"log_level": "debug"}
        folder = tmp_path_factory.mktemp("canaries")
        headers = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {BEARER}"}
        exporter = Exporter(folder, [server.entry("acme")], collector.url, settings, headers)
        stage = Stage(server, stack.enter_context(exporter), collector)
        until(lambda: exporter.reads("acme"))
        pages = _happen(stage)
        until(lambda: exporter.value("odoo_job_errors_total", odoo_database="acme") == 2)
        until(lambda: exporter.value("odoo_approval_decisions_total", odoo_database="acme") == 1)
        until(lambda: exporter.value("odoo_anomaly_active", odoo_database="acme", detector="result.failing") == 1)
        until(lambda: exporter.settled("acme"))
        return Found(_everything(stage, pages), collector.spans(), exporter.lines)


def _happen(stage: Stage) -> list[str]:
    """Rows with canaries and hostile names, and refusals with canaries in them; how the page looked meanwhile."""
    odoo = stage.server.odoo
    pages: list[str] = []
    hostile = live.cron(odoo, HOSTILE, model_name=HOSTILE)
    live.ran(odoo, hostile, seconds=0)
    live.ran(odoo, live.cron(odoo, f"LAB {EMAIL} {PHONE} {IBAN} {TOKEN} {HOSTILE}"), failed=True)
    one = live.job(odoo, name=f"Send to {EMAIL}", channel=HOSTILE, channel_method_name=HOSTILE)
    live.failed(odoo, one, message=MESSAGE, name="requests.exceptions.HTTPError")
    other = live.job(odoo, name=HOSTILE, model_name=HOSTILE, exc_info=MESSAGE, args=[EMAIL], kwargs={"k": TOKEN})
    live.failed(odoo, other, message=HOSTILE + MESSAGE, name=HOSTILE)
    order = live.order(odoo)
    odoo.write("purchase.order", order, name=HOSTILE)
    review = live.submitted(odoo, order)
    odoo.write("tier.review", review, name=HOSTILE)
    live.approved(odoo, order, review)
    refusal = _json(500, _error("builtins.ValueError", f"{EMAIL} {HOSTILE} {MESSAGE}"))
    echo = _json(500, _error("builtins.ValueError", f"{KEY} is no key"))
    for answer in (refusal, echo, Canned(status=500, body=MESSAGE.encode()), Canned(body=MESSAGE.encode())):
        stage.server.trouble = lambda _path, _real, answer=answer: answer
        asked = len(stage.server.asked)
        until(lambda asked=asked: len(stage.server.asked) >= asked + 4, what="a poll that fails")
        pages.append(stage.exporter.get("/")[1])
    stage.server.trouble = None
    until(lambda: stage.exporter.reads("acme"))
    return pages


def _everything(stage: Stage, failing: Sequence[str]) -> dict[str, bytes]:
    """All that leaves us and all we keep, by where it is; the service is stopped."""
    exporter = stage.exporter
    pages = {path: exporter.get(path)[1].encode() for path in ("/", "/metrics", "/readyz", "/healthz")}
    pages["openmetrics"] = exporter.get("/metrics", OPENMETRICS)[1].encode()
    pages |= {f"/ while failing {number}": page.encode() for number, page in enumerate(failing)}
    sent: dict[str, bytes] = {}
    for request in stage.collector.requests:
        assert request.headers.pop("authorization") == f"Bearer {BEARER}", "there, and nowhere else"
        sent[request.signal] = sent.get(request.signal, b"") + request.body + repr(request.headers).encode()
    exporter.stop()
    kept = {path.name: path.read_bytes() for path in exporter.state.iterdir()}
    return {**pages, **sent, **kept, "stderr": "\n".join(exporter.lines).encode()}


def test_no_canary_is_found_anywhere(found: Found) -> None:
    """R15: API key, addresses, numbers, tokens, tracebacks, private words: 0 hits in what is sent, shown or kept."""
    places = found.places
    assert {"traces", "logs", "/", "/metrics", "openmetrics", "/readyz", "stderr", "odoo-otel.sqlite"} <= places.keys()
    for where in ("logs", "traces", "odoo-otel.sqlite", "stderr", "/ while failing 0"):
        assert b"[EMAIL]" in places[where], f"the message did not arrive at {where}: the test is blind"
    forms = [form for canary in CANARIES for form in (canary, json.dumps(canary)[1:-1], quote(canary))]
    assert [(where, form) for where, text in places.items() for form in forms if form.encode() in text] == []


def test_a_finding_tells_no_canary(found: Found) -> None:
    """R15: an action with canaries in its name fails: Finding, sentence, gauge, span and log event say it masked."""
    page = samples(found.places["/metrics"].decode())
    (shown,) = (dict(labels) for name, labels in page if name == "odoo_finding_info")
    (span,) = (span for span in found.spans if span.name.startswith("finding "))
    said = {one.key: one.value.string_value for one in span.attributes}
    assert shown["detector"] == "result.failing"
    for where, text in (("gauge", str(shown)), ("span", str(said)), ("log", found.places["logs"].decode("latin-1"))):
        assert "[EMAIL]" in text, f"the name did not arrive in the {where}: the test is blind"
        assert [canary for canary in CANARIES if canary in text] == [], where


def test_a_line_of_the_log_is_one_json_object(found: Found) -> None:
    """R16: every line of stderr is one JSON object of ASCII without a control character, also at level debug."""
    assert len(found.lines) > 10
    for line in found.lines:
        assert isinstance(json.loads(line), dict)
        assert line.isascii()
        assert not RAW.search(line)
    assert any("cannot be read" in line and "u202e" in line for line in found.lines)


def test_hostile_names_are_shown_escaped(found: Found) -> None:
    """R16: a hostile name breaks neither exposition, nor the page, nor a span: it arrives escaped."""
    text = found.places["/metrics"].decode()
    assert samples(text)
    assert openmetrics_samples(found.places["openmetrics"].decode())
    assert not RAW.search(text.replace("\n", ""))
    assert not [where for where, page in found.places.items() if where.startswith("/ ") and b"<script>" in page]
    for span in found.spans:
        words = [span.name, span.status.message, *(one.value.string_value for one in span.attributes)]
        assert not [word for word in words if RAW.search(word)]
    assert any("\\u202e" in span.name for span in found.spans)
