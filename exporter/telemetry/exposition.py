"""The scrape: stored series as Prometheus text 0.0.4 or OpenMetrics 1.0, rendered from a snapshot.

Written for speed (36,000 lines cost prometheus_client 0.6-0.9 s of CPU, facts/opentelemetry.md finding 9): the strings
of a series are made once and everything is joined once. Both formats take (labels of the tenant, its series) in groups;
the process's own metrics come as a group without labels.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import accumulate

from exporter.domain.times import SECOND
from exporter.domain.told import Labels
from exporter.telemetry.instruments import INSTRUMENTS, Instrument
from exporter.telemetry.series import (
    CounterState,
    GaugeState,
    HistogramState,
    InfoState,
    Mark,
    State,
    StoredSeries,
    points,
)

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Groups = Iterable[tuple[Labels, Iterable[StoredSeries]]]


def text(groups: Groups) -> bytes:
    """Prometheus text format 0.0.4."""
    parts: list[str] = []
    for instrument, found in _families(groups):
        parts.append(f"# HELP {instrument.name} {instrument.help}\n# TYPE {instrument.name} {_kind(instrument)}\n")
        parts.extend([_lines(instrument, labels, state, with_exemplars=False) for labels, state in found])
    return "".join(parts).encode(errors="replace")


def openmetrics(groups: Groups) -> bytes:
    """OpenMetrics 1.0, with exemplars (trace_id, span_id) on buckets and counters."""
    parts: list[str] = []
    for instrument, found in _families(groups):
        family = instrument.name.removesuffix("_total")
        parts.append(f"# HELP {family} {instrument.help}\n# TYPE {family} {_kind(instrument)}\n")
        parts.append(_unit(family, instrument))
        parts.extend([_lines(instrument, labels, state, with_exemplars=True) for labels, state in found])
    parts.append("# EOF\n")
    return "".join(parts).encode(errors="replace")


def _unit(family: str, instrument: Instrument) -> str:
    """The line that names the unit, where the name ends with one."""
    unit = family.rpartition("_")[2]
    return f"# UNIT {family} {unit}\n" if instrument.unit in {"s", "By"} else ""


def _kind(instrument: Instrument) -> str:
    """An info is shown as a gauge: of OpenMetrics' own type the Collector's scrape drops `_info` from the name."""
    return "gauge" if instrument.kind == "info" else instrument.kind


def _families(groups: Groups) -> Iterator[tuple[Instrument, list[tuple[str, State]]]]:
    """Every instrument that has series, in the order of the table, with (labels as text, state)."""
    families: dict[str, list[tuple[str, State]]] = {name: [] for name in INSTRUMENTS}
    for tenant, rows in groups:
        for instrument, labels, state in points(rows):
            families[instrument.name].append((_pairs(tenant + labels), state))
    return ((INSTRUMENTS[name], found) for name, found in families.items() if found)


def _pairs(labels: Labels) -> str:
    return ",".join([f'{label}="{_escaped(value)}"' for label, value in labels])


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return value


def _lines(instrument: Instrument, labels: str, state: State, *, with_exemplars: bool) -> str:
    braces = f"{{{labels}}}" if labels else ""
    match state:
        case CounterState():
            mark = _exemplar(instrument, state.exemplar) if with_exemplars else ""
            return f"{instrument.name}{braces} {_number(instrument, state.value)}{mark}\n"
        case HistogramState():
            lines = _buckets(instrument, labels, state, with_exemplars=with_exemplars)
            name, total = instrument.name, _number(instrument, state.sum)
            return f"{lines}{name}_sum{braces} {total}\n{name}_count{braces} {sum(state.counts)}\n"
        case GaugeState():
            return f"{instrument.name}{braces} {_number(instrument, state.value)}\n"
        case InfoState():
            return f"{instrument.name}{braces} 1\n"


def _buckets(instrument: Instrument, labels: str, state: HistogramState, *, with_exemplars: bool) -> str:
    head = f"{instrument.name}_bucket{{{labels}{',' if labels else ''}"
    counted = zip(_bounds(instrument.name), accumulate(state.counts), strict=True)
    if with_exemplars and any(state.exemplars):
        marks = [_exemplar(instrument, mark) for mark in state.exemplars]
        return "".join([f"{head}{le}{n}{mark}\n" for (le, n), mark in zip(counted, marks, strict=True)])
    return "".join([f"{head}{le}{n}\n" for le, n in counted])


@cache
def _bounds(name: str) -> tuple[str, ...]:
    """What stands behind the labels of each bucket; one entry for each histogram of the table."""
    instrument = INSTRUMENTS[name]
    return (*(f'le="{bound / SECOND!r}"}} ' for bound in instrument.bounds), 'le="+Inf"} ')


def _number(instrument: Instrument, value: int) -> str:
    return repr(value / SECOND) if instrument.in_millionths else str(value)


def _exemplar(instrument: Instrument, mark: Mark | None) -> str:
    if mark is None:
        return ""
    at, trace, span, value = mark
    return f' # {{trace_id="{trace}",span_id="{span}"}} {_number(instrument, value)} {at / SECOND!r}'
