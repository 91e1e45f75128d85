"""Where each signal goes, from the standard variables."""

from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from exporter.errors import ConfigError
from exporter.sinks.endpoints import endpoints

COMMON = "OTEL_EXPORTER_OTLP_ENDPOINT"
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {COMMON: "http://collector:4318"},
    {COMMON: "http://collector:4318/"},
    {COMMON: "https://vendor.example/otlp", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cret,x-tenant=a%20b"},
    {COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:4318/custom"},
    {COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2"},
    {COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TIMEOUT": "3.5"},
    {
        COMMON: "http://a:4318",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
    },
    {COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_TIMEOUT": "30", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "7"},
    {COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic dXNlcjpwYXNz=="},
)


@pytest.mark.parametrize("environ", ENVIRONMENTS)
def test_what_we_resolve_is_what_the_stock_exporter_resolves(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address, headers, compression and timeout are those of OTLPSpanExporter for the same variables (feature 75)."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    stock = OTLPSpanExporter()
    ours = endpoints(environ)["traces"]
    assert ours.url == stock._endpoint
    theirs = {k: v for k, v in stock._client._headers.items() if k.lower() not in _OURS}
    assert dict(ours.headers) == theirs
    assert ours.compression.value == stock._compression.value
    assert ours.timeout == stock._client._timeout


_OURS = {"content-type", "user-agent", "content-encoding"}


def test_without_an_endpoint_nothing_is_sent() -> None:
    """No variable, no traffic: the stock default of localhost is not guessed."""
    assert endpoints({}) == {}


def test_metrics_are_sent_only_when_asked_for() -> None:
    """Metrics over OTLP are on with OTEL_METRICS_EXPORTER=otlp (decision 20), else a scrape would double them."""
    assert set(endpoints({COMMON: "http://a:4318"})) == {"traces", "logs"}
    assert set(endpoints({COMMON: "http://a:4318", "OTEL_METRICS_EXPORTER": "otlp"})) == {"traces", "logs", "metrics"}


def test_each_signal_can_be_switched_off() -> None:
    """OTEL_TRACES_EXPORTER=none leaves the logs; OTEL_SDK_DISABLED leaves nothing."""
    assert set(endpoints({COMMON: "http://a:4318", "OTEL_TRACES_EXPORTER": "none"})) == {"logs"}
    assert endpoints({COMMON: "http://a:4318", "OTEL_SDK_DISABLED": "true"}) == {}


def test_a_signal_may_go_elsewhere(tmp_path: Path) -> None:
    """A signal's own endpoint is taken as it stands, with its own certificate."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    environ = {
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs.example/in",
        "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": str(bundle),
        "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "GZIP",
    }
    (logs,) = endpoints(environ).values()
    assert (logs.url, logs.certificate, logs.compression) == (
        "https://logs.example/in",
        str(bundle),
        Compression.Gzip,
    )


def test_every_fault_is_listed_at_once_and_says_what_to_change() -> None:
    """Wrong values are one sentence each, all of them, with the variable that holds them."""
    environ = {
        COMMON: "collector:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10000",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem",
        "OTEL_LOGS_EXPORTER": "file",
    }
    with pytest.raises(ConfigError) as caught:
        endpoints(environ)
    for word in ("not an address", "http/protobuf", "zstd", "TIMEOUT=10000", "/nowhere/ca.pem", "OTEL_LOGS_EXPORTER"):
        assert sum(word in fault for fault in caught.value.faults) == 1, word


@pytest.mark.parametrize("url", ["http://", "ftp://a:1/", "http://a:99999", "http://[::1", "4318", "http://a:0"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """An address that requests could not call is a fault at start, not an error at send."""
    with pytest.raises(ConfigError, match="not an address"):
        endpoints({COMMON: url})


def test_tokens_in_headers_are_never_printed() -> None:
    """R15: neither repr nor str of an endpoint shows its headers."""
    found = endpoints({COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer canary-7"})
    assert found["traces"].headers["authorization"] == "Bearer canary-7"
    assert "canary-7" not in f"{found!r} {found['traces']}"
