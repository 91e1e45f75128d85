"""Where each signal goes, from the standard variables."""

from pathlib import Path

import certifi
import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
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


@pytest.mark.parametrize(
    ("name", "value", "possible"),
    [
        ("OTEL_TRACES_EXPORTER", "console", "set none or otlp."),
        ("OTEL_LOGS_EXPORTER", "otlp,prometheus", "set none or otlp."),
        ("OTEL_METRICS_EXPORTER", "console", "set none or otlp or prometheus."),
    ],
)
def test_an_exporter_that_there_is_not_is_refused(name: str, value: str, possible: str) -> None:
    """Nothing is taken silently that would not happen; metrics are scraped anyway, so `prometheus` is true of them."""
    with pytest.raises(ConfigError) as caught:
        endpoints({COMMON: "http://a:4318", name: value})
    assert [fault.endswith(possible) for fault in caught.value.faults] == [True]
    assert set(endpoints({COMMON: "http://a:4318", "OTEL_METRICS_EXPORTER": "prometheus"})) == {"traces", "logs"}


def test_a_signal_may_go_elsewhere() -> None:
    """A signal's own endpoint is taken as it stands, with its own certificate."""
    bundle = Path(certifi.where())
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
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_INSECURE": "maybe",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10000",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem",
        "OTEL_LOGS_EXPORTER": "file",
    }
    with pytest.raises(ConfigError) as caught:
        endpoints(environ)
    for word in (
        "not an address",
        "http/protobuf",
        "INSECURE=maybe",
        "zstd",
        "TIMEOUT=10000",
        "/nowhere/ca.pem",
        "OTEL_LOGS_EXPORTER",
    ):
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


GRPC: tuple[tuple[dict[str, str], tuple[str, bool]], ...] = (
    ({COMMON: "http://collector:4317"}, ("collector:4317", True)),
    ({COMMON: "https://collector:4317"}, ("collector:4317", False)),
    ({COMMON: "collector:4317"}, ("collector:4317", False)),
    ({COMMON: "collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, ("collector:4317", True)),
    ({COMMON: "https://collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, ("collector:4317", False)),
    ({COMMON: "http://collector:4317", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, ("collector:4317", False)),
    ({COMMON: "http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:4317"}, ("b:4317", True)),
    (
        {
            COMMON: "http://a:4317",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%20b",
        },
        ("a:4317", True),
    ),
)


@pytest.mark.parametrize(("environ", "expected"), GRPC)
def test_of_grpc_we_resolve_what_the_stock_exporter_resolves(
    environ: dict[str, str], expected: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host and port, TLS, headers, compression and timeout are those of gRPC's OTLPSpanExporter (feature 75)."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    stock = GrpcSpanExporter()
    ours = endpoints({**environ, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})["traces"]
    assert (ours.url, ours.insecure) == (stock._endpoint, stock._insecure) == expected
    assert ours.headers.items() <= dict(stock._headers).items()
    assert (ours.compression.value == "gzip") == (stock._compression == grpc.Compression.Gzip)
    assert ours.timeout == stock._timeout
    stock.shutdown()


def test_a_protocol_may_be_one_signals() -> None:
    """Logs over gRPC beside traces over HTTP: each with its own kind of address."""
    found = endpoints(
        {
            COMMON: "http://a:4318",
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://b:4317",
        }
    )
    assert {signal: (one.protocol, one.url) for signal, one in found.items()} == {
        "traces": ("http/protobuf", "http://a:4318/v1/traces"),
        "logs": ("grpc", "b:4317"),
    }


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("http://a:4317/v1/traces", "has a path"),
        ("http://a", "with a port"),
        ("a", "with a port"),
        ("ftp://a:1", "with a port"),
        ("http://:4317", "with a port"),
        ("http://me:secret@a:4317", "authorization header"),
    ],
)
def test_what_is_no_address_of_grpc_is_refused(endpoint: str, says: str) -> None:
    """Paths and missing ports are said at the start."""
    with pytest.raises(ConfigError, match=says):
        endpoints({COMMON: endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_a_key_without_its_certificate_is_a_fault(tmp_path: Path) -> None:
    """A client key alone would be left out in silence."""
    key = tmp_path / "client.key"
    key.touch()
    with pytest.raises(ConfigError, match="set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, too"):
        endpoints({COMMON: "http://a:4318", "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(key)})


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize(
    "bad", ["canary", "Authorization: Bearer canary", "a=1,b c=canary", 'a="canary"', "a=x%0Acanary"]
)
def test_headers_that_cannot_be_sent_are_faults_that_do_not_quote_them(
    bad: str, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """R15: a header that would be left out, or would fail at each send, is said at the start; its text nowhere."""
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_HEADERS: header \d cannot be sent") as caught:
        endpoints({**PLACE, "OTEL_EXPORTER_OTLP_HEADERS": bad, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
    assert "canary" not in f"{caught.value.faults}{caplog.text}"
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("name", ["grpc-timeout", "token-bin", "a!b"])
def test_headers_that_only_grpc_cannot_send(name: str) -> None:
    """Names that gRPC keeps for itself are faults there and headers elsewhere."""
    environ = {**PLACE, "OTEL_EXPORTER_OTLP_HEADERS": f"{name}=x"}
    assert dict(endpoints(environ)["traces"].headers) == {name: "x"}
    with pytest.raises(ConfigError, match="header 1 cannot be sent"):
        endpoints({**environ, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


PLACE = {COMMON: "http://a:4318"}
