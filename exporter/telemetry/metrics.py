"""Totals: what is counted of one tenant, absolute, the same whatever the order in which measurements came.

Counters and histograms add integers; the newest (at, value) of a gauge wins; the newest description of an info wins; an
exemplar is the largest (at, trace id) of its bucket. Only label admission looks at batches: in one, values are admitted
by (first seen at, value); what an earlier batch admitted stays. So totals do not depend on how measurements were split
into batches as long as no label meets more values than its cap (decisions 15 and 19).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

from exporter.domain.times import micros
from exporter.domain.told import Labels, Measurement
from exporter.telemetry import otlp
from exporter.telemetry.instruments import INSTRUMENTS, OVERFLOW, Instrument
from exporter.telemetry.series import (
    OTHER,
    CounterState,
    GaugeState,
    HistogramState,
    InfoState,
    Mark,
    Series,
    State,
    StoredSeries,
    decode_state,
    encode_state,
)

CAP = 200
_NEVER = -(1 << 62)  # older than every microsecond that can be told
_FREE: Mapping[tuple[str, str], frozenset[str]] = {
    (found.name, label): frozenset((OTHER, *found.known.get(label, ())))
    for found in INSTRUMENTS.values()
    for label in found.labels
}
Key = tuple[str, Labels]


class Totals:
    """The totals of one tenant, in memory between Commits.

    `add` changes them at once: when the Commit that was to hold the rows is refused, throw the object away and load the
    stored rows again. Rows of instruments this program does not know are left alone.
    """

    __slots__ = ("_admitted", "_cap", "_states")

    def __init__(self, rows: Iterable[StoredSeries] = (), *, cap: int = CAP) -> None:
        """Load stored rows; `cap` is how many values a label may have per metric.

        Raises:
            ValueError: a row that does not fit its instrument.
        """
        self._cap = cap
        self._states: dict[Key, State] = {}
        self._admitted: dict[tuple[str, str], set[str]] = {place: set() for place in _FREE}
        for row in rows:
            if row.name in INSTRUMENTS:
                self._keep((row.name, row.labels), decode_state(INSTRUMENTS[row.name], row.state))

    def add(self, measurements: Iterable[Measurement]) -> list[Series]:
        """Add a batch; the series that changed, in the order of (name, labels). A 0 opens a counter.

        Raises:
            ValueError: a measurement that no instrument of the table takes; throw the object away then, too.
        """
        states, instruments, record = self._states, INSTRUMENTS, _RECORD  # the innermost loop of the fold
        changed: dict[int, Key] = {}  # by identity: an int is hashed a tenth of the time that labels are
        unknown: list[Measurement] = []
        for found in measurements:
            key = found.name, found.labels
            state = states.get(key)
            if state is None or found.value < 0:
                unknown.append(found)
            elif record[type(state)](instruments[found.name], state, found):
                changed[id(state)] = key
        self._add_unknown(unknown, changed)
        return [_series(key, self._states[key]) for key in sorted(changed.values())]

    def _add_unknown(self, unknown: Sequence[Measurement], changed: dict[int, Key]) -> None:
        """Add what is the first of its series, or of an info: its own labels are fewer."""
        keys = [_checked(found) for found in unknown]
        self._admit(
            [(key, micros(found.at)) for key, found in zip(keys, unknown, strict=True) if key not in self._states]
        )
        for key, found in zip(keys, unknown, strict=True):
            placed = key if key in self._states else self._place(key, changed, counts=found.value > 0)
            state = self._states[placed]
            if _RECORD[type(state)](INSTRUMENTS[found.name], state, found):
                changed[id(state)] = placed

    def series(self) -> list[Series]:
        """Every series, in the order of (name, labels)."""
        return [_series(key, self._states[key]) for key in sorted(self._states)]

    def _keep(self, key: Key, state: State) -> None:
        self._states[key] = state
        name, labels = key
        for label, value in labels:
            if value not in _FREE.get((name, label), (OTHER,)):
                self._admitted.setdefault((name, label), set()).add(value)

    def _admit(self, unknown: Sequence[tuple[Key, int]]) -> None:
        first: dict[tuple[str, str], dict[str, int]] = {}
        for (name, labels), at in unknown:
            for label, value in labels:
                if value not in _FREE[name, label] and value not in self._admitted[name, label]:
                    seen = first.setdefault((name, label), {})
                    seen[value] = min(at, seen.get(value, at))
        for place, seen in first.items():
            room = max(self._cap - len(self._admitted[place]), 0)
            self._admitted[place].update(value for _, value in sorted((at, value) for value, at in seen.items())[:room])

    def _place(self, key: Key, changed: dict[int, Key], *, counts: bool) -> Key:
        """Where a measurement of an unknown series is counted: a new series with its zeros, or `#other#`."""
        name, labels = key
        capped = tuple((label, value if self._has(name, label, value) else OTHER) for label, value in labels)
        if capped != labels and counts:
            over = self._overflow(name)
            changed[id(self._states[over])] = over
        if (name, capped) not in self._states:
            for opened in _with_zeros(INSTRUMENTS[name], capped):
                if (name, opened) not in self._states:
                    fresh = _fresh(INSTRUMENTS[name])
                    self._keep((name, opened), fresh)
                    changed[id(fresh)] = name, opened
        return name, capped

    def _has(self, name: str, label: str, value: str) -> bool:
        return value in _FREE[name, label] or value in self._admitted[name, label]

    def _overflow(self, name: str) -> Key:
        key = (OVERFLOW.name, (("metric", name),))
        state = self._states.setdefault(key, CounterState())
        if isinstance(state, CounterState):
            state.value += 1
        return key


def rows(
    series: Iterable[StoredSeries], resource: bytes, tenant: Labels, *, start: datetime, at: datetime
) -> list[otlp.Row]:
    """Stored series as rows for the outbox: cumulative since `start` (the tenant's first), said at `at`."""
    place = otlp.place(resource, "metrics")
    encoded = otlp.encode_metrics(series, tenant, start=start, at=at)
    return [otlp.Row(signal="metrics", context=place, body=body, at=at) for body in encoded]


def _checked(found: Measurement) -> Key:
    """The key of a measurement that fits the table; raises ValueError for others."""
    instrument = INSTRUMENTS.get(found.name)
    if instrument is None or tuple(label for label, _ in found.labels) != instrument.labels:
        message = f"no instrument {found.name} with labels {found.labels!r}: add a line to telemetry/instruments.py"
        raise ValueError(message)
    if found.value < 0 and instrument.kind in {"counter", "histogram"}:
        message = f"{found.name} was given {found.value}: a {instrument.kind} takes no negative numbers"
        raise ValueError(message)
    return found.name, found.labels[: instrument.identity] if instrument.kind == "info" else found.labels


def _with_zeros(instrument: Instrument, labels: Labels) -> Iterator[Labels]:
    yield labels
    if instrument.kind == "counter" and instrument.known:
        known = instrument.known
        yield from product(*[[(label, each) for each in known.get(label, (value,))] for label, value in labels])


def _fresh(instrument: Instrument) -> State:
    size = len(instrument.bounds) + 1
    match instrument.kind:
        case "counter":
            return CounterState()
        case "histogram":
            return HistogramState(counts=[0] * size, sum=0, exemplars=[None] * size)
        case "gauge":
            return GaugeState(value=0, at=_NEVER)
        case "info":
            return InfoState(at=_NEVER, values=[])


def _count(_: Instrument, state: CounterState, found: Measurement) -> bool:
    state.value += found.value
    state.exemplar = _newest(state.exemplar, found) if found.value else state.exemplar
    return found.value > 0


def _observe(instrument: Instrument, state: HistogramState, found: Measurement) -> bool:
    bucket = bisect_left(instrument.bounds, found.value)
    state.counts[bucket] += 1
    state.sum += found.value
    state.exemplars[bucket] = _newest(state.exemplars[bucket], found)
    return True


def _newest(mark: Mark | None, found: Measurement) -> Mark | None:
    exemplar = found.exemplar
    if exemplar is None:
        return mark
    at = micros(found.at)
    if mark is not None and at < mark[0]:
        return mark
    fresh = (at, exemplar.trace_id, exemplar.span_id, found.value)
    return fresh if mark is None or fresh > mark else mark


def _replace_gauge(_: Instrument, state: GaugeState, found: Measurement) -> bool:
    at = micros(found.at)
    if (at, found.value) <= (state.at, state.value):
        return False
    state.at, state.value = at, found.value
    return True


def _replace_info(instrument: Instrument, state: InfoState, found: Measurement) -> bool:
    at, values = micros(found.at), [value for _, value in found.labels[instrument.identity :]]
    if (at, values) <= (state.at, state.values):
        return False
    state.at, state.values = at, values
    return True


# How a measurement is counted; each says whether it changed anything.
_RECORD: Mapping[type[State], Callable[[Instrument, Any, Measurement], bool]] = {
    CounterState: _count,
    HistogramState: _observe,
    GaugeState: _replace_gauge,
    InfoState: _replace_info,
}


def _series(key: Key, state: State) -> Series:
    name, labels = key
    return Series(name=name, labels=labels, state=encode_state(state))
