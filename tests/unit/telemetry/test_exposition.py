from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.samples import Sample

from exporter.domain.times import SECOND
from exporter.domain.told import Exemplar, Labels, Measurement
from exporter.telemetry import exposition
from exporter.telemetry.instruments import INSTRUMENTS
from exporter.telemetry.metrics import Totals
from exporter.telemetry.series import CounterState, GaugeState, HistogramState, Series, points
from tests.searching import searching

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SHOP: Labels = (("odoo_database", "shop"),)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@st.composite
def some(draw: st.DrawFn) -> Measurement:
    """A measurement of any instrument with any text in its labels."""
    found = INSTRUMENTS[draw(st.sampled_from(sorted(INSTRUMENTS)))]
    known = st.sampled_from([value for values in found.known.values() for value in values] or ["x"])
    labels = tuple((label, draw(known if label in found.known else st.text(max_size=8))) for label in found.labels)
    value = draw(st.integers(0, 2**50))
    at = AT + timedelta(microseconds=draw(st.integers(0, 10**7)))
    ids = draw(st.integers(1, 2**60))
    exemplar = Exemplar(trace_id=f"{ids:032x}", span_id=f"{ids:016x}")
    return Measurement(
        name=found.name, labels=labels, value=value, at=at, exemplar=draw(st.sampled_from([exemplar, None]))
    )


def series(found: Iterable[Measurement]) -> list[Series]:
    """Their totals."""
    totals = Totals()
    totals.add(found)
    return totals.series()


def expected(tenant: Labels, rows: Iterable[Series]) -> Iterator[tuple[str, Labels, float]]:
    """What must be read: sample name, labels, value."""
    for found, labels, state in points(rows):
        scale = SECOND if found.in_millionths else 1
        shown = tenant + labels
        match state:
            case HistogramState():
                bounds = [*(str(float(bound / SECOND)) for bound in found.bounds), "+Inf"]
                counts = [sum(state.counts[: place + 1]) for place in range(len(bounds))]
                yield from (
                    (f"{found.name}_bucket", (*shown, ("le", bound)), count)
                    for bound, count in zip(bounds, counts, strict=True)
                )
                yield f"{found.name}_sum", shown, state.sum / scale
                yield f"{found.name}_count", shown, counts[-1]
            case CounterState() | GaugeState():
                yield found.name, shown, state.value / scale
            case _:
                yield found.name, shown, 1


def by_name(found: Iterable[tuple[str, Labels, float]]) -> Samples:
    """Samples by name and labels; every one only once."""
    listed = list(found)
    samples = {(name, frozenset(labels)): value for name, labels, value in listed}
    assert len(samples) == len(listed)
    return samples


def parsed(shown: bytes, *, openmetrics: bool = False) -> list[Sample]:
    """The samples that a parser of prometheus_client reads."""
    families = (read_openmetrics if openmetrics else read_text)(shown.decode())
    return [sample for family in families for sample in family.samples]


def said(samples: Iterable[Sample]) -> Samples:
    """Samples by name and labels."""
    return by_name((sample.name, tuple(sample.labels.items()), sample.value) for sample in samples)


@searching()
@given(batch=st.lists(some(), max_size=12), database=st.text(max_size=8))
def test_text_says_the_totals(batch: list[Measurement], database: str) -> None:
    """prometheus_client reads from the text format exactly what the totals hold, whatever the labels (feature 75)."""
    rows, tenant = series(batch), (("odoo_database", database),)
    assert said(parsed(exposition.text([(tenant, rows)]))) == by_name(expected(tenant, rows))


@searching()
@given(batch=st.lists(some(), max_size=12), database=st.text(max_size=8))
def test_openmetrics_says_the_totals(batch: list[Measurement], database: str) -> None:
    """prometheus_client's strict OpenMetrics parser reads exactly what the totals hold."""
    rows, tenant = series(batch), (("odoo_database", database),)
    shown = exposition.openmetrics([(tenant, rows)])
    assert shown.endswith(b"# EOF\n")
    assert said(parsed(shown, openmetrics=True)) == by_name(expected(tenant, rows))


@searching()
@given(batch=st.lists(some(), max_size=12))
def test_openmetrics_carries_every_exemplar(batch: list[Measurement]) -> None:
    """Each bucket and counter that has an exemplar shows its trace_id, span_id, value and time (feature 75)."""
    rows = series(batch)
    wanted = set()
    for found, _, state in points(rows):
        marks = state.exemplars if isinstance(state, HistogramState) else [getattr(state, "exemplar", None)]
        scale = SECOND if found.in_millionths else 1
        wanted |= {(trace, span, value / scale, at / SECOND) for at, trace, span, value in filter(None, marks)}
    samples = parsed(exposition.openmetrics([(SHOP, rows)]), openmetrics=True)
    exemplars = [sample.exemplar for sample in samples if sample.exemplar]
    assert {
        (one.labels["trace_id"], one.labels["span_id"], one.value, float(str(one.timestamp))) for one in exemplars
    } == wanted


def test_the_text_format_has_no_exemplars() -> None:
    """Prometheus text 0.0.4 knows none: one would break the scrape."""
    exemplar = Exemplar(trace_id="01" * 16, span_id="02" * 8)
    labels = (("cron", "a"), ("result", "success"))
    rows = series([Measurement(name="odoo_cron_runs_total", labels=labels, value=1, at=AT, exemplar=exemplar)])
    assert b"trace_id" in exposition.openmetrics([(SHOP, rows)])
    assert b"trace_id" not in exposition.text([(SHOP, rows)])


@pytest.mark.parametrize("render", [exposition.text, exposition.openmetrics])
def test_two_tenants_share_one_family(render: Callable[[exposition.Groups], bytes]) -> None:
    """A metric of two databases has one head, and their lines stand together (design 9)."""
    rows = series([Measurement(name="odoo_up", labels=(), value=1, at=AT)])
    own = series([Measurement(name="odoo_otel_build_info", labels=(("version", "1"),), value=1, at=AT)])
    shown = render([(SHOP, rows), ((("odoo_database", "other"),), rows), ((), own)]).decode()
    assert shown.splitlines()[:4] == [
        f"# HELP odoo_up {INSTRUMENTS['odoo_up'].help}",
        "# TYPE odoo_up gauge",
        'odoo_up{odoo_database="shop"} 1',
        'odoo_up{odoo_database="other"} 1',
    ]
    assert 'odoo_otel_build_info{version="1"} 1' in shown


def test_text_that_is_no_unicode_does_not_break_the_scrape() -> None:
    """A lone surrogate in a label becomes `?`."""
    rows = series([Measurement(name="odoo_cron_active", labels=(("cron", "a\ud800"),), value=1, at=AT)])
    assert b'cron="a?"' in exposition.text([(SHOP, rows)])


def test_times_are_exact_to_the_microsecond() -> None:
    """Seconds since 1970 keep six digits: no float between the fact and the page loses them."""
    found = Measurement(
        name="odoo_cron_next_run_timestamp_seconds", labels=(("cron", "a"),), value=1_767_600_000_123_457, at=AT
    )
    assert b" 1767600000.123457\n" in exposition.text([(SHOP, series([found]))])
