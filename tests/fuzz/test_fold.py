"""Any facts at all: the fold takes them or sets them aside, it never falls over and never tells nonsense."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain.bodies.calls import LineSays
from exporter.domain.contract import EVENTS
from exporter.domain.events import Event
from exporter.domain.runs import Result
from exporter.telemetry.otlp import encode_log, encode_span
from tests.worlds import T0, World

FUZZ = settings(max_examples=300, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
# Near one another, so that facts meet; and far away, where arithmetic ends.
Moment = st.one_of(
    st.integers(-100, 100).map(lambda seconds: T0 + timedelta(seconds=seconds)),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants it
)
Few = st.integers(0, 4)
State = st.sampled_from(["draft", "to approve", "purchase", "cancel", "done", "", "pending", "started", "failed", "?"])
Text = st.text(max_size=12)
Twin = st.builds(b.Twin, record_id=Few, created=Moment, name=Text)
Twins = st.lists(Twin, max_size=3, unique_by=lambda twin: twin.record_id).map(tuple)
Stand = st.none() | st.builds(b.Standing, execution=Text, traceparent=Text, correlation=st.lists(Text).map(tuple))
Node = st.builds(
    b.NodeRun,
    name=Text,
    run=Few,
    started_at=Moment,
    ended_at=st.none() | Moment,
    status=State,
    continued=st.booleans(),
    error_type=Text,
    wait=st.sampled_from([None, "human", "external"]),
)
STATES = ("wait_dependencies", "pending", "enqueued", "started", "done", "failed", "cancelled", "unheard of")
SPECIAL: Mapping[str, st.SearchStrategy[object]] = {
    "model": st.sampled_from(["purchase.order", "account.move", "queue.job", "ir.cron", "tier.review", "x/y", ""]),
    "subject_model": st.sampled_from([None, "purchase.order", "ir.cron", "queue.job"]),
    "called": st.sampled_from(["began", "ended"]),
    "old": State,
    "new": State,
    "status": st.sampled_from(["waiting", "pending", "approved", "rejected", "cancel", "forwarded", "?"]),
    "interval_type": st.sampled_from(["minutes", "hours", "days", "months", "fortnights"]),
    "interval_number": st.integers(-1, 3),
    "exec_time": st.one_of(st.none(), st.floats(-1e9, 1e9)),
    "amount": st.one_of(st.none(), st.floats(allow_nan=False)),
    "retry": st.integers(-1, 5),
    "records": Twins,
    "nodes": st.lists(Node, max_size=3).map(tuple),
    "outermost": Stand,
    "retried": Stand,
    "webhooks": st.lists(st.tuples(Few, Text), max_size=2).map(tuple),
    "says": st.sampled_from(get_args(LineSays)),
    "result": st.sampled_from([None, *get_args(Result)]),
    "uuid": st.uuids().map(str),  # two jobs with one uuid would be one record
}


def body(kind: type[b.Body]) -> st.SearchStrategy[b.Body]:
    """A body of a class, field by field from its annotations."""
    fields = {name: _of(name, str(hint)) for name, hint in kind.__annotations__.items()}
    if kind is b.JobChanged:
        fields["state"] = st.sampled_from(STATES)
    return st.builds(kind, **fields)


def _of(name: str, hint: str) -> st.SearchStrategy[object]:
    if name in SPECIAL and "int | None" not in hint:
        return SPECIAL[name]
    found: st.SearchStrategy[object] = Text
    if "datetime" in hint:
        found = Moment
    elif "tuple[str" in hint:
        found = st.lists(Text, max_size=2).map(tuple)
    elif "tuple[int" in hint:
        found = st.lists(Few, max_size=2).map(tuple)
    elif "bool" in hint:
        found = st.booleans()
    elif "int" in hint:
        found = Few
    elif "float" in hint:
        found = st.floats(-1e6, 1e6)
    return st.none() | found if "None" in hint else found


@st.composite
def events(draw: st.DrawFn) -> Event:
    """A valid Event of any name."""
    kind = EVENTS[draw(st.sampled_from(sorted(name for name in EVENTS if name.startswith("odoo."))))]
    return Event(
        source=kind.source,
        key=f"0/{draw(st.integers(0, 10**6))}",
        name=kind.name,
        at=draw(Moment),
        seen=draw(Moment),
        body=draw(body(kind.body)),
    )


@FUZZ
@given(st.lists(events(), max_size=12), st.sampled_from([1, 3, 100]))
def test_any_facts_are_folded_or_set_aside(facts: Sequence[Event], batch: int) -> None:
    """What is told has an order and can be encoded; every Subject can be saved, loaded and woken again."""
    world = World().append(facts, batch=batch).read_until(10**4).read_until(6 * 10**9)
    assert all(span.started_at <= span.ended_at for span in world.spans)
    assert all(run.started_at <= run.ended_at for run in world.runs() if run.ended_at is not None)
    assert len({span.span_id for span in world.spans}) == len(world.spans)
    assert all(encode_span(span) for span in world.spans)
    assert all(encode_log(log) for log in world.logs)
    assert len(world.quarantined) <= len(facts)


@FUZZ
@given(st.lists(events(), max_size=8), st.lists(events(), max_size=2))
def test_facts_that_are_set_aside_do_not_take_others_with_them(good: Sequence[Event], more: Sequence[Event]) -> None:
    """In one batch or one by one: the same Events are refused."""
    at_once = World().append([*good, *more])
    one_by_one = World().append([*good, *more], batch=1)
    assert sorted(at_once.quarantined) == sorted(one_by_one.quarantined)
