"""The Sink of a configuration: each signal over the protocol that was chosen for it."""

from collections.abc import Mapping, Sequence

from exporter.clock import Clock
from exporter.errors import ConfigError
from exporter.sinks import ExportResult, Row, Sink
from exporter.sinks.endpoints import Endpoint
from exporter.sinks.over_http import HttpSink
from exporter.telemetry.otlp import Signal


class Joined:
    """Several Sinks as one, by signal."""

    def __init__(self, sinks: Mapping[Signal, Sink]) -> None:
        self._sinks = dict(sinks)

    def export(self, signal: Signal, rows: Sequence[Row]) -> ExportResult:
        """See Sink; raises KeyError for a signal without one."""
        return self._sinks[signal].export(signal, rows)

    def close(self) -> None:
        """See Sink."""
        for sink in self._sinks.values():
            sink.close()


def open_sink(endpoints: Mapping[Signal, Endpoint], clock: Clock) -> Sink:
    """The way out for these.

    Raises:
        ConfigError: a certificate cannot be read.
    """
    try:
        return Joined({signal: _sink(signal, endpoint, clock) for signal, endpoint in endpoints.items()})
    except OSError as error:
        raise ConfigError(
            [f"{error.filename} cannot be read ({error.strerror}): give the exporter the right."]
        ) from error


def _sink(signal: Signal, endpoint: Endpoint, clock: Clock) -> Sink:
    if endpoint.protocol == "grpc":
        from exporter.sinks.over_grpc import GrpcSink  # noqa: PLC0415 20 MiB that only who wants them pays

        return GrpcSink({signal: endpoint}, clock)
    return HttpSink({signal: endpoint}, clock)
