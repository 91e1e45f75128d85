from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.times import SECOND, micros
from exporter.domain.told import Exemplar, Measurement
from exporter.telemetry.instruments import INSTRUMENTS
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import OTHER, Series, decode_state, points
from tests.searching import searching

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
RUNS, DURATION, NEXT = "odoo_cron_runs_total", "odoo_cron_run_duration_seconds", "odoo_cron_next_run_timestamp_seconds"
INFO, OVERFLOW = "odoo_cron_info", "odoo_otel_series_overflow_total"
LABELS = {
    RUNS: ("cron", "result"),
    DURATION: ("cron", "result"),
    NEXT: ("cron",),
    INFO: ("cron", "name", "model", "interval"),
}


def measure(name: str, *values: str, value: int = 1, at: int = 0, trace: int = 0) -> Measurement:
    """A measurement `at` seconds after AT; `trace` 0 has no exemplar."""
    return Measurement(
        name=name,
        labels=tuple(zip(LABELS[name], values, strict=True)),
        value=value,
        at=AT + timedelta(seconds=at),
        exemplar=Exemplar(trace_id=f"{trace:032x}", span_id=f"{trace:016x}") if trace else None,
    )


@st.composite
def some(draw: st.DrawFn) -> Measurement:
    """Any measurement of four instruments, one of each kind, with few values so that they meet."""
    name = draw(st.sampled_from(sorted(LABELS)))
    values = [draw(st.sampled_from("abcde")) for _ in LABELS[name]]
    if "result" in LABELS[name]:
        values[1] = draw(st.sampled_from(["success", "failure", "strange"]))
    number, at, trace = draw(st.integers(0, 10**10)), draw(st.integers(0, 5)), draw(st.integers(0, 3))
    return measure(name, *values, value=number, at=at, trace=trace)


batches = st.lists(some(), max_size=40)


def folded(*found: Iterable[Measurement], cap: int = 200) -> list[Series]:
    """The totals after some batches."""
    totals = Totals(cap=cap)
    for batch in found:
        totals.add(batch)
    return totals.series()


@searching()
@given(batch=batches, cap=st.integers(1, 6), data=st.data())
def test_totals_do_not_depend_on_the_order_within_a_batch(
    batch: list[Measurement], cap: int, data: st.DataObject
) -> None:
    """Any permutation of a batch gives the same bytes, labels over their cap included (R18, decision 19)."""
    assert folded(data.draw(st.permutations(batch)), cap=cap) == folded(batch, cap=cap)


@searching()
@given(batch=batches, cut=st.integers(0, 40), data=st.data())
def test_totals_do_not_depend_on_batches(batch: list[Measurement], cut: int, data: st.DataObject) -> None:
    """Split and shuffled anyhow the totals are the same, as long as no label meets more values than its cap."""
    shuffled = data.draw(st.permutations(batch))
    assert folded(shuffled[:cut], shuffled[cut:]) == folded(batch)


@searching()
@given(first=batches, second=batches, cap=st.integers(1, 6))
def test_loading_goes_on_where_it_was(first: list[Measurement], second: list[Measurement], cap: int) -> None:
    """Stored rows alone carry everything on after a restart, admitted labels too (R1)."""
    stored = Totals(folded(first, cap=cap), cap=cap)
    stored.add(second)
    assert stored.series() == folded(first, second, cap=cap)


@searching()
@given(first=batches, second=batches, cap=st.integers(1, 6))
def test_the_changed_rows_are_all_that_changed(first: list[Measurement], second: list[Measurement], cap: int) -> None:
    """Writing only what `add` returns leaves the store with every series, absolute."""
    totals, stored = Totals(cap=cap), dict[tuple[str, object], Series]()
    for batch in (first, second):
        stored.update({(row.name, row.labels): row for row in totals.add(batch)})
    assert sorted(stored.values(), key=lambda row: (row.name, row.labels)) == totals.series()


def state(rows: Iterable[Series], name: str, *values: str) -> object:
    """The decoded state of one series."""
    (found,) = [row for row in rows if row.name == name and tuple(value for _, value in row.labels) == values]
    return decode_state(INSTRUMENTS[name], found.state)


def numbers(rows: Iterable[Series], name: str) -> dict[tuple[str, ...], int]:
    """Counter values by label values."""
    shown = [(labels, kept) for found, labels, kept in points(rows) if found.name == name]
    return {tuple(value for _, value in labels): getattr(kept, "value") for labels, kept in shown}  # noqa: B009


def test_known_results_start_at_zero() -> None:
    """A first run opens its siblings at zero, so that `increase` sees the first failure (feature 60)."""
    rows = folded([measure(RUNS, "a", "success")])
    expected = {"success": 1, "failure": 0, "error": 0, "partial": 0, "timeout": 0, "unknown": 0}
    assert numbers(rows, RUNS) == {("a", result): value for result, value in expected.items()}


def test_a_measurement_of_zero_opens_a_counter() -> None:
    """An action that never ran is there with zeros."""
    assert set(numbers(folded([measure(RUNS, "a", "success", value=0)]), RUNS).values()) == {0}


def test_the_first_values_seen_keep_their_label() -> None:
    """With a cap of two the values first seen at the earliest times stay, the rest is #other# and counted (R18)."""
    seen = (("z", 3), ("m", 1), ("a", 2), ("z", 0), ("b", 9))
    rows = folded([measure(RUNS, name, "success", at=at) for name, at in seen], cap=2)
    found = {values[0]: value for values, value in numbers(rows, RUNS).items() if values[1] == "success"}
    assert found == {"z": 2, "m": 1, OTHER: 2}
    assert numbers(rows, OVERFLOW) == {(RUNS,): 2}


def test_known_values_are_never_folded() -> None:
    """Results do not use up the cap of their label, unknown ones do."""
    results = ("success", "failure", "partial", "strange", "stranger")
    rows = folded([measure(RUNS, "a", result, at=at) for at, result in enumerate(results)], cap=1)
    assert {values[1] for values in numbers(rows, RUNS)} == {*results, "error", "timeout", "unknown", OTHER} - {
        "stranger"
    }


def test_a_folded_gauge_is_not_shown() -> None:
    """A gauge under #other# would be the value of an arbitrary one: it is counted and left out."""
    rows = folded([measure(NEXT, name, at=at) for at, name in enumerate("abc")], cap=2)
    assert set(numbers(rows, NEXT)) == {("a",), ("b",)}
    assert numbers(rows, OVERFLOW) == {(NEXT,): 1}


def test_a_bucket_holds_its_upper_bound() -> None:
    """A run of exactly one second is in the bucket le=1 and the sum is in whole microseconds."""
    rows = folded([measure(DURATION, "a", "success", value=value) for value in (SECOND, SECOND + 1, 10**12)])
    found = state(rows, DURATION, "a", "success")
    place = INSTRUMENTS[DURATION].bounds.index(SECOND)
    counts = getattr(found, "counts")  # noqa: B009
    assert (counts[place], counts[place + 1], counts[-1]) == (1, 1, 1)
    assert getattr(found, "sum") == 2 * SECOND + 1 + 10**12  # noqa: B009


def test_the_exemplar_is_the_newest_of_its_bucket() -> None:
    """Of several the largest (at, trace id) stands for the bucket."""
    seen = [measure(DURATION, "a", "success", at=at, trace=trace) for at, trace in ((1, 9), (2, 3), (2, 5), (0, 7))]
    marks = getattr(state(folded(seen), DURATION, "a", "success"), "exemplars")  # noqa: B009
    assert marks[0] == (micros(AT) + 2 * SECOND, f"{5:032x}", f"{5:016x}", 1)


def test_the_newest_description_wins() -> None:
    """A renamed action has one odoo_cron_info, the newest: two would break every join on it."""
    rows = folded([measure(INFO, "a", "New", "m", "1 days", at=2), measure(INFO, "a", "Old", "m", "1 days", at=1)])
    assert [labels for _, labels, _ in points(rows)] == [
        tuple(zip(LABELS[INFO], ("a", "New", "m", "1 days"), strict=True))
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Measurement(name="odoo_nothing", labels=(), value=1, at=AT), "no instrument odoo_nothing"),
        (Measurement(name=RUNS, labels=(("result", "success"), ("cron", "a")), value=1, at=AT), "no instrument"),
        (measure(RUNS, "a", "success", value=-1), "no negative numbers"),
        (measure(DURATION, "a", "success", value=-1), "no negative numbers"),
    ],
)
def test_what_no_instrument_takes_is_refused_whole(wrong: Measurement, says: str) -> None:
    """One wrong measurement raises, and nothing of its batch was added."""
    totals = Totals()
    with pytest.raises(ValueError, match=says):
        totals.add([measure(RUNS, "a", "success"), wrong])
    assert totals.series() == []


def test_rows_of_a_newer_program_are_left_alone() -> None:
    """A stored row of an instrument we do not know neither stops loading nor shows up."""
    row = Series(name="odoo_future_total", labels=(), state=b"[1,null]")
    assert Totals([row]).series() == []
    assert list(points([row])) == []


def test_changed_buckets_are_said() -> None:
    """A stored histogram of other bounds is refused with what to do."""
    row = Series(name=DURATION, labels=(("cron", "a"), ("result", "success")), state=b"[[1,2],3,[null,null]]")
    with pytest.raises(ValueError, match="give changed bounds a new name"):
        Totals([row])
