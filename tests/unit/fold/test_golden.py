"""Golden files: everything said of one Run of each kind, byte for byte; a change of a word shows in the diff.

After a change that is meant, write them again:
`UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/fold/test_golden.py`
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from exporter.domain.events import Event
from exporter.domain.told import Told
from exporter.fold.tell import redraw
from exporter.telemetry.otlp import encode_log, encode_span
from tests.fakes.n8n_reader import events_of
from tests.worlds import TENANT, Review, Row, World, counted, document, gone, job, mail, moved, posted, trigger, webhook

GOLDEN = Path(__file__).parents[2] / "data" / "golden"

CRON = (
    counted(-10, -3600, nextcall=-2, interval=60),
    *(Row(number=11, start=0, end=4).ended(), counted(15, 0, 1, nextcall=3598, interval=60)),
    *(trigger(5, 58), Row(number=12, start=60, end=63, done=20, remaining=20).ended()),
    *(Row(number=13, start=63, end=65, done=20).ended(), counted(75, 60, nextcall=3598, interval=60)),
    Row(number=14, start=120).started(),
)
JOB = (
    *(job(0, "pending"), job(5, "started", enqueued=2, started=3), job(9, "pending", 1, eta=20)),
    *(job(30, "failed", 2, enqueued=21, started=22, eta=20), posted(25, seen=30)),
    *(job(60, "pending"), job(75, "done", 1, enqueued=69, started=70, done=72, exec_time=2.5)),
    *(job(0, "pending", number=8), gone(45, number=8)),
)
RECORD = (
    *(
        document(0, "draft"),
        Review(number=1, asked=10).requested(),
        Review(number=2, asked=10, tier=2).requested("waiting"),
    ),
    *(Review(number=1, asked=10).decided(60), Review(number=2, asked=10, tier=2).vanished(80)),
    *(moved(90, "draft", "to approve", 101), moved(130, "to approve", "purchase", 102), document(130, "purchase")),
    *(Review(number=3, asked=20, of=("account.move", 5)).decided(70, "rejected"),),
)
DELIVERY = (
    webhook("evt_1", 10, kind="invoice.payment_failed", result="failure", error=("card_declined", "No money.", 402)),
    webhook("evt_2", 12, kind="invoice.paid", correlation=("purchase.order,17",), drift=("data/object",)),
    webhook("a1", 20, kind="deploy", run="7", result=None, status="queued"),
    webhook("a2", 50, kind="deploy", run="7", result="success", status="success", began=25),
    webhook("evt_3", 60, kind="ping", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    webhook("b1", 30, kind="deploy", run="8", result=None, status="in_progress"),
)
MAIL = (mail(30, of=("purchase.order", 17)), mail(90, "sent", of=("purchase.order", 17)), mail(40, "cancel", number=10))
EXECUTION = (
    *events_of("waiting", "timer_resumed"),
    *events_of("success", "error401", "error_workflow", "error500", "retry", "continued", "parent", "child", "resumed"),
    *events_of("crashed", "canceled", "timeout"),
)
KINDS: Mapping[str, Sequence[Event]] = {
    "cron": CRON,
    "job": JOB,
    "record": RECORD,
    "delivery": DELIVERY,
    "mail": MAIL,
    "execution": EXECUTION,
}


ENDS = {"execution": 20_000}  # seconds up to which every Source was read


def told(kind: str) -> World:
    """The World that heard a kind's facts, and some minutes of nothing."""
    return World().append(KINDS[kind]).read_until(150).read_until(ENDS.get(kind, 260))


def plain(value: object) -> object:
    """Ids as hex, times as ISO."""
    if isinstance(value, bytes):
        return value.hex()
    assert isinstance(value, datetime), value
    return value.isoformat()


def written(world: World) -> str:
    """Everything said, as readable JSON."""
    said = Told(
        spans=tuple(sorted(world.spans, key=lambda s: (s.trace_id, s.started_at, s.ended_at, s.span_id))),
        logs=tuple(sorted(world.logs, key=lambda one: (one.at, one.event_name, one.body))),
        measurements=tuple(sorted(world.measurements, key=lambda m: (m.name, m.labels, m.at))),
        observations=tuple(sorted(world.observations, key=lambda o: (o.series, o.run))),
    )
    shown = msgspec.to_builtins(said, enc_hook=plain, builtin_types=(bytes, datetime))
    return json.dumps(shown, indent=1, default=plain) + "\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_a_run_is_what_was_agreed(kind: str) -> None:
    """Names, attributes, ids, times, sentences and numbers of one story (feature 75)."""
    file, now = GOLDEN / f"{kind}.json", written(told(kind))
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(now)
    assert now == file.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_told_again_is_the_same_byte_for_byte(kind: str) -> None:
    """From the stored Run, and in another process: every span of its close, as it was encoded then (R3)."""
    world = told(kind)
    sent = {encode_span(span) for span in world.spans} | {encode_log(log) for log in world.logs}
    again = told(kind)
    assert sent == {encode_span(span) for span in again.spans} | {encode_log(log) for log in again.logs}
    closed = [row for row in world.rows.values() if row.ended_at is not None]
    assert closed
    for row in closed:
        drawn = redraw(row.body, TENANT)
        assert {encode_span(span) for span in drawn.spans} <= sent
        assert {encode_log(log) for log in drawn.logs} <= sent
