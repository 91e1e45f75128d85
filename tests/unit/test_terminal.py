"""Runs and traces as text."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.runs import Failure, Run, RunLink, Step
from exporter.domain.told import Span, SpanLink
from exporter.fold.tell import encode_run
from exporter.store.entries import RunRow
from exporter.terminal import Progress, run_fields, runs_table, took, trace, tree
from tests.searching import searching

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """So many minutes after T0."""
    return T0 + timedelta(minutes=minutes)


def row(run: Run, trace_id: bytes = b"\xab" * 16) -> RunRow:
    """The Run as it is stored."""
    return RunRow(
        id=f"{run.subject}#{run.key}",
        kind=run.kind,
        workflow=run.workflow,
        subject=run.subject,
        trace_id=trace_id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        result=run.result,
        origin=run.origin,
        body=encode_run(run),
    )


JOB = Run(
    kind="job",
    workflow="root.edi",
    subject="job/7",
    model="queue.job",
    record_id="uuid",
    key="1",
    trace_key="1",
    title="Send\x1b[31m",
    started_at=T0,
    ended_at=at(4),
    result="failure",
    attributes=(("odoo.job.attempts", 1), ("odoo.job.attempts.unseen", 0)),
    failure=Failure(type="OSError", message="The partner answered 503."),
    steps=(
        Step(role="wait/1", name="pending", started_at=T0, ended_at=at(1), wait="queue"),
        Step(role="attempt/1", name="attempt", started_at=at(1), ended_at=at(4), result="failure"),
    ),
    links=(RunLink(reason="depends_on", model="queue.job", record_id="other", key="1", trace_key="1"),),
)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.0449, "45 ms"),
        (0.85, "0.8 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (12_000, "3 h 20 min"),
        (266_400, "3 d 2 h"),
    ],
)
def test_a_duration_is_shown_in_the_units_that_matter(seconds: float, shown: str) -> None:
    """Two units at most, from milliseconds to days; what has no end is open."""
    assert took(timedelta(seconds=seconds)) == shown
    assert took(None) == "open"


def test_a_table_has_a_line_a_run() -> None:
    """Start, duration, result, database, workflow and both ids stand in columns under their names (feature 60)."""
    title, line = runs_table([("acme", row(JOB))])

    assert title.split() == ["STARTED", "(UTC)", "TOOK", "RESULT", "DATABASE", "WORKFLOW", "TRACE", "RUN"]
    assert " ".join(line.split()) == "2026-11-20 09:00:00 4 min 0 s failure acme root.edi abababababab job/7#1"


def test_a_run_as_json_has_whole_ids() -> None:
    """The trace id is whole and durations are seconds, for other programs."""
    fields = run_fields("acme", row(JOB))

    assert (fields["trace_id"], fields["seconds"], fields["result"]) == ("ab" * 16, 240.0, "failure")


def test_a_trace_is_drawn_as_a_tree() -> None:
    """Parts hang below their root in the order of their starts, with bars in the trace's time (features 33, 99)."""
    lines = list(trace([("acme", row(JOB))]))

    assert lines[0] == f"trace {'ab' * 16}  acme  2026-11-20 09:00:00 UTC  1 run"
    assert [line.split("█")[0].rstrip() for line in lines[1:]] == [
        "process root.edi",
        "│  → linked: depends_on",
        "├─ pending",
        "└─ attempt",
    ]
    assert [line.count("█") for line in lines[1:]] == [28, 0, 7, 21]
    assert lines[1].endswith("4 min 0 s  failure  The partner answered 503.")
    assert lines[3].endswith("1 min 0 s  wait: queue")


def test_an_open_run_is_said_to_be_open() -> None:
    """A Run that is going on has no duration; its bar reaches the end of what is known."""
    steps = (Step(role="state/1", name="state draft", started_at=T0, ended_at=at(54)),)
    run = Run(
        kind="record",
        workflow="purchase",
        subject="record/purchase.order/4",
        model="purchase.order",
        record_id="4",
        key="1",
        trace_key="",
        title="P4",
        started_at=T0,
        steps=steps,
    )

    root = list(trace([("acme", row(run))]))[1]

    assert root.split() == ["workflow", "purchase", "█" * 28, "open"]


def span(number: int, parent: int | None, name: str = "x") -> Span:
    """A span with a number as its id."""
    return Span(
        trace_id=b"t" * 16,
        span_id=number.to_bytes(8, "big"),
        parent_id=b"" if parent is None else parent.to_bytes(8, "big"),
        name=name,
        scope="odoo/jobs",
        started_at=at(number),
        ended_at=at(number + 1),
        links=(SpanLink(trace_id=b"l" * 16, span_id=b"s" * 8),) if number % 3 == 0 else (),
    )


@searching()
@given(
    st.integers(1, 30).flatmap(lambda n: st.tuples(*(st.one_of(st.none(), st.integers(-3, i - 1)) for i in range(n))))
)
def test_every_span_is_drawn_once(parents: tuple[int | None, ...]) -> None:
    """Whatever the tree, also where a parent is not known, each span has exactly one line."""
    spans = [span(i + 1, None if p is None or p < 0 else p + 1, f"span-{i:03}-") for i, p in enumerate(parents)]
    spans = [one if one.parent_id or i else span(1, 999, one.name) for i, one in enumerate(spans)]

    text = "\n".join(tree(spans))

    assert [text.count(one.name) for one in spans] == [1] * len(spans)


def test_names_cannot_draw_on_the_terminal() -> None:
    """ANSI, newlines and bidi in names and ids arrive escaped (R16)."""
    hostile = "a\x1b[2J\n\u202eb"
    lines = [*tree([span(1, None, hostile)]), *runs_table([(hostile, row(JOB))])]

    assert all(line.isprintable() for line in lines)


def test_progress_on_a_pipe_is_a_line_a_tenth() -> None:
    """Without a terminal the bar does not flood the log; words after the end stand alone."""
    stream = io.StringIO()
    progress = Progress(stream)
    for step in range(101):
        progress.show(step / 100, "history")
    progress.show(1.0, "live")

    lines = stream.getvalue().splitlines()

    assert len(lines) == 12
    assert lines[5] == "██████████████··············  50%  history"
    assert lines[-1] == "live"


def test_progress_on_a_terminal_stays_in_its_line() -> None:
    """On a terminal the bar is redrawn in place until it is full."""
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    progress = Progress(stream)
    for part in (0.0, 0.5, 1.0):
        progress.show(part, "history")

    assert stream.getvalue().count("\r") == 3
    assert stream.getvalue().count("\n") == 1
