"""One series of one metric: what is stored of it, and what the stored bytes say.

A state is a JSON array: counter [sum, exemplar], histogram [counts, sum, exemplars], gauge [value, at], info [at,
values]. All numbers are integers in the instrument's unit (microseconds for seconds), so totals add up in any order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from exporter.domain.told import Labels
from exporter.telemetry.instruments import INSTRUMENTS, Instrument, Kind

OTHER = "#other#"
Mark = tuple[int, str, str, int]  # an exemplar: at (microseconds), trace id and span id (hex), value; the largest wins


class StoredSeries(Protocol):
    """Anything with the three fields of a Series: the store's own rows fit as they are."""

    @property
    def name(self) -> str:
        """The instrument's Prometheus name."""

    @property
    def labels(self) -> Labels:
        """Label pairs in the instrument's order."""

    @property
    def state(self) -> bytes:
        """The encoded state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series, absolute: the fields of a StoredSeries."""

    name: str
    labels: Labels
    state: bytes


class CounterState(msgspec.Struct, array_like=True):
    """A sum that never falls."""

    value: int = 0
    exemplar: Mark | None = None


class HistogramState(msgspec.Struct, array_like=True):
    """Counts per bucket (not cumulative, the last one is +Inf), their sum, and at most one exemplar per bucket."""

    counts: list[int]
    sum: int
    exemplars: list[Mark | None]


class GaugeState(msgspec.Struct, array_like=True):
    """The newest value and when it was so (microseconds); of equally new ones the largest."""

    value: int
    at: int


class InfoState(msgspec.Struct, array_like=True):
    """The newest description: when (microseconds), and the values of the labels behind the identity."""

    at: int
    values: list[str]


State = CounterState | HistogramState | GaugeState | InfoState
encode_state: Callable[[State], bytes] = msgspec.json.Encoder().encode
_DECODE: Mapping[Kind, Callable[[bytes], State]] = {
    "counter": msgspec.json.Decoder(CounterState).decode,
    "histogram": msgspec.json.Decoder(HistogramState).decode,
    "gauge": msgspec.json.Decoder(GaugeState).decode,
    "info": msgspec.json.Decoder(InfoState).decode,
}


def decode_state(instrument: Instrument, raw: bytes) -> State:
    """The state in stored bytes.

    Raises:
        ValueError: not a state of this kind, or of other buckets: bounds are a contract, changed ones need a new name.
    """
    state = _DECODE[instrument.kind](raw)
    if type(state) is HistogramState and len(state.counts) != len(instrument.bounds) + 1:
        message = f"{instrument.name} was stored with {len(state.counts)} buckets: give changed bounds a new name"
        raise ValueError(message)
    return state


def points(rows: Iterable[StoredSeries]) -> Iterator[tuple[Instrument, Labels, State]]:
    """What can be shown of stored rows: the instrument, all labels to show, the state.

    Left out: instruments this program does not know (rows of a newer one), and gauges folded into `#other#`: the value
    of an arbitrary one among many would be a lie.
    """
    for row in rows:
        instrument, labels = INSTRUMENTS.get(row.name), row.labels
        if instrument is None or (instrument.kind == "gauge" and any(value == OTHER for _, value in labels)):
            continue
        state = decode_state(instrument, row.state)
        if type(state) is InfoState:
            labels += tuple(zip(instrument.labels[instrument.identity :], state.values, strict=False))
        yield instrument, labels, state
