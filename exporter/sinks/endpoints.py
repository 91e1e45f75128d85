"""Where each signal goes, from the standard OTEL_* variables: every fault is listed, none is guessed around.

The names, the header syntax and the kinds of compression are OpenTelemetry's own (sdk.environment_variables,
util.re.parse_env_headers, exporter.otlp.proto.http.Compression); tests/unit/sinks compares what we resolve with what
OTLPSpanExporter resolves. Two differences on purpose: a wrong value is a fault and not a warning, and without an
endpoint nothing is sent (the stock default is localhost:4318).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk import environment_variables as names
from opentelemetry.util.re import parse_env_headers

from exporter.errors import ConfigError
from exporter.telemetry.otlp import Signal

SECONDS = 10.0  # the package's own default timeout
LONGEST = 120.0
# Metrics only where asked for: most installations scrape /metrics, and both ways at once would double every series.
_EXPORTER: Mapping[Signal, tuple[str, str]] = {
    "traces": ("OTEL_TRACES_EXPORTER", "otlp"),
    "logs": ("OTEL_LOGS_EXPORTER", "otlp"),
    "metrics": ("OTEL_METRICS_EXPORTER", "none"),
}
_FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how one signal is sent; headers may hold a token and are never printed.

    Attributes:
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


def _is_on(environ: Mapping[str, str], signal: Signal, faults: list[str]) -> bool:
    name, default = _EXPORTER[signal]
    chosen = {part.strip() for part in (environ.get(name) or default).split(",")}
    if unknown := chosen - {"otlp", "none", "prometheus", "console"}:
        faults.append(f"{name}={','.join(sorted(unknown))} is not known here: set otlp or none.")
    return "otlp" in chosen and environ.get(names.OTEL_SDK_DISABLED, "").strip().lower() != "true"


def _chosen(environ: Mapping[str, str], signal: Signal, what: str) -> tuple[str, str]:
    """(name, value) of the variable that counts: the signal's own before the common one."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if value := environ.get(name, "").strip():
            return name, value
    return f"OTEL_EXPORTER_OTLP_{what}", ""


def _url(environ: Mapping[str, str], signal: Signal) -> str:
    """The signal's own endpoint as it stands, else the common one with the standard path behind it."""
    if own := environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip():
        return own
    common = environ.get(names.OTEL_EXPORTER_OTLP_ENDPOINT, "").strip()
    return f"{common.removesuffix('/')}/v1/{signal}" if common else ""


def _endpoint(environ: Mapping[str, str], signal: Signal, url: str) -> Endpoint:
    certificate, client, key = (_chosen(environ, signal, what)[1] for what in _FILES)
    return Endpoint(
        url=url,
        headers=parse_env_headers(_chosen(environ, signal, "HEADERS")[1], liberal=True),
        compression=_compression(_chosen(environ, signal, "COMPRESSION")[1]) or Compression.NoCompression,
        timeout=_seconds(_chosen(environ, signal, "TIMEOUT")[1]) or SECONDS,
        certificate=certificate,
        client_certificate=client,
        client_key=key,
    )


def _compression(value: str) -> Compression | None:
    return next((kind for kind in Compression if kind.value == (value.lower() or "none")), None)


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value or SECONDS)
    except ValueError:
        return None
    return seconds if 0 < seconds <= LONGEST else None


def _faults(environ: Mapping[str, str], signal: Signal) -> Iterator[str]:
    name, endpoint = _chosen(environ, signal, "ENDPOINT")
    if not _is_address(endpoint):
        yield f"{name} is not an address: write it like http://localhost:4318."
    name, protocol = _chosen(environ, signal, "PROTOCOL")
    if protocol not in {"", "http/protobuf"}:
        yield f"{name}={protocol} is not spoken here: set http/protobuf and the endpoint's HTTP port (4318)."
    name, value = _chosen(environ, signal, "COMPRESSION")
    if _compression(value) is None:
        yield f"{name}={value} is not known: set gzip, deflate or none."
    name, value = _chosen(environ, signal, "TIMEOUT")
    if _seconds(value) is None:
        yield f"{name}={value} cannot be used: set seconds, more than 0 and at most {LONGEST:.0f}."
    for what in _FILES:
        name, value = _chosen(environ, signal, what)
        if value and not Path(value).is_file():
            yield f"{name}={value} is not a file: set the path of a PEM file."


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
