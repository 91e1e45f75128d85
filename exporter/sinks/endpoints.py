"""Where each signal goes, from the standard OTEL_* variables: every fault is listed, none is guessed around.

The names, the header syntax and the kinds of compression are OpenTelemetry's own (sdk.environment_variables,
util.re, exporter.otlp.proto.http.Compression); tests/unit/sinks compares what we resolve with what
OTLPSpanExporter resolves. Two differences on purpose: a wrong value is a fault and not a warning, and without an
endpoint nothing is sent (the stock default is localhost:4318).
"""

import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk import environment_variables as names

from exporter.errors import ConfigError
from exporter.sinks import headers, papers
from exporter.telemetry.otlp import Signal

Protocol = Literal["http/protobuf", "grpc"]
SECONDS = 10.0  # the package's own default timeout
LONGEST = 120.0
SLOWEST = 3600.0
# Metrics only where asked for: most installations scrape /metrics, and both ways at once would double every series.
_EXPORTER: Mapping[Signal, tuple[str, str]] = {
    "traces": ("OTEL_TRACES_EXPORTER", "otlp"),
    "logs": ("OTEL_LOGS_EXPORTER", "otlp"),
    "metrics": ("OTEL_METRICS_EXPORTER", "none"),
}
_SCRAPED: Mapping[Signal, tuple[str, ...]] = {"metrics": ("prometheus",)}  # they are, whatever is pushed beside
_TEMPORALITY = names.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
_FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how one signal is sent; headers may hold a token and are never printed.

    Attributes:
        url: of HTTP the whole address, of gRPC host and port.
        insecure: gRPC without TLS; of HTTP the address says it.
        timeout: seconds for the whole answer.
        certificate: CA bundle file; "" is the certificates that `requests` brings.
        proxy: the only proxy used; proxies of the environment are ignored.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    compression: Compression = Compression.NoCompression
    timeout: float = SECONDS
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""
    proxy: str = field(default="", repr=False)
    protocol: Protocol = "http/protobuf"
    insecure: bool = False


def endpoints(environ: Mapping[str, str]) -> dict[Signal, Endpoint]:
    """The endpoint of every signal that is switched on and has one; empty when nothing is to be sent.

    Raises:
        ConfigError: one sentence for every value that cannot be used.
    """
    faults: list[str] = []
    found: dict[Signal, Endpoint] = {}
    for signal in _EXPORTER:
        if _is_on(environ, signal, faults) and (url := _url(environ, signal)):
            faults.extend(_faults(environ, signal))
            found[signal] = _endpoint(environ, signal, url)
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    return found


def metric_interval(environ: Mapping[str, str]) -> float:
    """Seconds between two requests of metrics. Raises ConfigError."""
    name = names.OTEL_METRIC_EXPORT_INTERVAL
    value = environ.get(name, "").strip() or "60000"
    try:
        seconds = int(value) / 1000
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= SLOWEST:
        raise ConfigError([f"{name}={value} cannot be used: set milliseconds, more than 0 and at most an hour."])
    return seconds


def _is_on(environ: Mapping[str, str], signal: Signal, faults: list[str]) -> bool:
    name, default = _EXPORTER[signal]
    chosen = {part.strip() for part in (environ.get(name) or default).split(",")}
    known = {"otlp", "none", *_SCRAPED.get(signal, ())}
    if unknown := chosen - known:
        faults.append(f"{name}={','.join(sorted(unknown))} is not known here: set {' or '.join(sorted(known))}.")
    return "otlp" in chosen and environ.get(names.OTEL_SDK_DISABLED, "").strip().lower() != "true"


def _chosen(environ: Mapping[str, str], signal: Signal, what: str) -> tuple[str, str]:
    """(name, value) of the variable that counts: the signal's own before the common one."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if value := environ.get(name, "").strip():
            return name, value
    return f"OTEL_EXPORTER_OTLP_{what}", ""


def _url(environ: Mapping[str, str], signal: Signal) -> str:
    """The signal's own endpoint as it stands, else the common one with HTTP's standard path behind it."""
    if _protocol(environ, signal) == "grpc":
        return _chosen(environ, signal, "ENDPOINT")[1]
    if own := environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip():
        return own
    common = environ.get(names.OTEL_EXPORTER_OTLP_ENDPOINT, "").strip()
    return f"{common.removesuffix('/')}/v1/{signal}" if common else ""


def _endpoint(environ: Mapping[str, str], signal: Signal, url: str) -> Endpoint:
    certificate, client, key = (_chosen(environ, signal, what)[1] for what in _FILES)
    over_grpc = _protocol(environ, signal) == "grpc"
    return Endpoint(
        url=(urlsplit(url).netloc or url) if over_grpc else url,
        protocol="grpc" if over_grpc else "http/protobuf",
        insecure=over_grpc and _is_insecure(environ, signal, url),
        headers=headers.headers(_chosen(environ, signal, "HEADERS")[1]),
        compression=_compression(_chosen(environ, signal, "COMPRESSION")[1]) or Compression.NoCompression,
        timeout=_seconds(_chosen(environ, signal, "TIMEOUT")[1]) or SECONDS,
        certificate=certificate,
        client_certificate=client,
        client_key=key,
    )


def _protocol(environ: Mapping[str, str], signal: Signal) -> str:
    return _chosen(environ, signal, "PROTOCOL")[1] or "http/protobuf"


def _is_insecure(environ: Mapping[str, str], signal: Signal, url: str) -> bool:
    """An address with https is secure, whatever else is said; then _INSECURE counts, then an address with http."""
    said = _chosen(environ, signal, "INSECURE")[1].lower()
    return not url.startswith("https://") and (said == "true" if said else url.startswith("http://"))


def _compression(value: str) -> Compression | None:
    return next((kind for kind in Compression if kind.value == (value.lower() or "none")), None)


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value or SECONDS)
    except ValueError:
        return None
    return seconds if 0 < seconds <= LONGEST else None


def _faults(environ: Mapping[str, str], signal: Signal) -> Iterator[str]:
    name, protocol = _chosen(environ, signal, "PROTOCOL")[0], _protocol(environ, signal)
    if protocol not in typing.get_args(Protocol):
        yield f"{name}={protocol} is not spoken here: set http/protobuf (port 4318) or grpc (port 4317)."
    name, endpoint = _chosen(environ, signal, "ENDPOINT")
    if protocol == "grpc":
        yield from _grpc_faults(name, endpoint)
    elif not _is_address(endpoint):
        yield f"{name} is not an address: write it like http://localhost:4318."
    for what, is_good, says in VALUES:
        name, value = _chosen(environ, signal, what)
        if not is_good(value):
            yield f"{name}={value} {says}"
    if signal == "metrics" and (said := environ.get(_TEMPORALITY, "").strip().lower()) not in {"", "cumulative"}:
        yield f"{_TEMPORALITY}={said} is not known here: totals are cumulative; unset it, or convert in the Collector."
    yield from headers.faults(*_chosen(environ, signal, "HEADERS"), grpc=protocol == "grpc")
    yield from _paper_faults(environ, signal)


def _paper_faults(environ: Mapping[str, str], signal: Signal) -> Iterator[str]:
    """What is wrong with certificates and keys that are there."""
    authority, certificate, key = (_chosen(environ, signal, what) for what in _FILES)
    if key[1] and not certificate[1]:
        yield f"{key[0]} has no certificate beside it: set {certificate[0]}, too."
    if all(_is_file(path) for _, path in (authority, certificate, key)):
        yield from papers.faults(authority, certificate, key)


def _is_file(value: str) -> bool:
    return not value or Path(value).is_file()


# What a value must be, whatever the protocol: the last words of the variable's name, its check, what to set.
VALUES: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    ("COMPRESSION", lambda value: _compression(value) is not None, "is not known: set gzip, deflate or none."),
    (
        "TIMEOUT",
        lambda value: _seconds(value) is not None,
        f"cannot be used: set seconds, more than 0 and at most {LONGEST:.0f}.",
    ),
    ("INSECURE", lambda value: value.lower() in {"", "true", "false"}, "is not known: set true or false."),
    *((what, _is_file, "is not a file: set the path of a PEM file.") for what in _FILES),
)


def _grpc_faults(name: str, endpoint: str) -> Iterator[str]:
    """An address of gRPC is host and port, with http or https before them or nothing."""
    url = endpoint if "://" in endpoint else f"http://{endpoint}"
    if not _is_address(url) or urlsplit(url).port is None:
        yield f"{name} is not an address of gRPC: write it like http://localhost:4317, with a port."
    elif "@" in urlsplit(url).netloc:
        yield f"{name} has a user in it and gRPC knows none: set an authorization header."
    elif urlsplit(url).path.strip("/"):
        yield f"{name} has a path and gRPC knows none: write it like http://localhost:4317."


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
