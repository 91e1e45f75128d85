"""The way out as a real process takes it from its environment: TLS with papers of both sides, poison, bad settings."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter import cli
from exporter.clock import SystemClock
from exporter.errors import ConfigError
from exporter.sinks import Delivered
from exporter.sinks.endpoints import endpoints
from exporter.sinks.opening import open_sink
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.grpc_collector import GrpcCollector
from tests.fakes.odoo_live import LiveOdoo, LiveServer
from tests.fakes.papers import Papers, make_papers
from tests.fakes.rows import span_rows

PROTOCOLS = ("http/protobuf", "grpc")
OTLP = "OTEL_EXPORTER_OTLP_"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Made on the spot."""
    return make_papers(tmp_path_factory.mktemp("tls"))


def collector(protocol: str, papers: Papers) -> FakeCollector:
    """One that lets nobody in without a certificate of the authority."""
    kind = GrpcCollector if protocol == "grpc" else FakeCollector
    return kind(tls=papers.server, clients=papers.authority)


def settings(protocol: str, url: str, papers: Papers) -> dict[str, str]:
    """The variables that reach it."""
    certificate, key = papers.client
    return {
        f"{OTLP}ENDPOINT": url if "://" in url else f"https://{url}",
        f"{OTLP}PROTOCOL": protocol,
        f"{OTLP}CERTIFICATE": str(papers.authority),
        f"{OTLP}CLIENT_CERTIFICATE": str(certificate),
        f"{OTLP}CLIENT_KEY": str(key),
        f"{OTLP}COMPRESSION": "gzip",
        f"{OTLP}HEADERS": "authorization=Bearer%20canary",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_poison_goes_aside_and_is_listed(
    tmp_path: Path, odoo: LiveOdoo, server: LiveServer, papers: Papers, protocol: str
) -> None:
    """R6: over mutual TLS the one span that is refused is counted and listed with its reason; all others arrive."""
    with collector(protocol, papers) as secure:
        secure.taboo = b"poisoned"
        environ = settings(protocol, secure.url, papers)
        with Exporter(tmp_path, [server.entry("acme")], environ=environ) as exporter:
            until(lambda: exporter.reads("acme"))
            with odoo.transaction():
                for n in range(12):
                    live.done(odoo, live.job(odoo, channel="root.poisoned" if n == 5 else "root.mail"))
            until(lambda: len(served(secure)) == 11, what="eleven jobs at the server")
            rejected = {"signal": "traces", "outcome": "rejected"}
            until(lambda: exporter.value("odoo_otel_exported_total", **rejected) >= 1, what="poison counted")
            listed = CliRunner().invoke(cli.main, ["refused", "list", "--json", "--state", str(exporter.state)])
    found = [json.loads(line) for line in listed.output.splitlines()]
    assert found
    reason = "grpc_invalid_argument" if protocol == "grpc" else "http_400"
    assert {(one["database"], one["origin"]) for one in found} == {("acme", "outbox/traces")}
    assert all(one["reason"].startswith(f"{reason} a span is not as it should be") for one in found)
    assert {one.headers["authorization"] for one in secure.requests} == {"Bearer canary"}
    assert not any("canary" in line for line in exporter.lines)


def served(secure: FakeCollector) -> set[bytes]:
    """The traces of jobs that are stored there."""
    spans = [span for span in secure.spans() if span.name.startswith("process ")]
    return {span.trace_id for span in spans if span.span_id in secure.stored}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_key_and_certificate_may_be_one_file(tmp_path: Path, papers: Papers, protocol: str) -> None:
    """A client certificate that brings its key needs no OTEL_EXPORTER_OTLP_CLIENT_KEY, over either protocol."""
    both = tmp_path / "both.pem"
    both.write_text("".join(path.read_text() for path in papers.client))
    with collector(protocol, papers) as secure:
        environ = {**settings(protocol, secure.url, papers), f"{OTLP}CLIENT_CERTIFICATE": str(both)}
        del environ[f"{OTLP}CLIENT_KEY"]
        sink = open_sink(endpoints(environ), SystemClock())
        assert sink.export("traces", [(row.context, row.body) for row in span_rows(3)]) == Delivered()
        sink.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("what", "file", "says"),
    [
        ("CERTIFICATE", "words", "CERTIFICATE=.*words cannot be used, something in it is not PEM"),
        ("CERTIFICATE", "empty", "CERTIFICATE=.*empty cannot be used"),
        ("CLIENT_CERTIFICATE", "words", "CLIENT_CERTIFICATE=.*words and .*CLIENT_KEY=.*client.key cannot be used"),
        ("CLIENT_KEY", "server.key", "CLIENT_KEY=.*server.key do not belong together"),
        ("CLIENT_KEY", "locked.key", "the key is encrypted: give one without a passphrase"),
        ("CLIENT_KEY", "", "client.pem without OTEL_EXPORTER_OTLP_CLIENT_KEY cannot be used"),
    ],
)
def test_papers_that_tls_cannot_use_are_said_at_the_start(
    papers: Papers, protocol: str, what: str, file: str, says: str
) -> None:
    """One sentence that names the variable and the file, where it would later look like the server's fault."""
    folder = papers.authority.parent
    (folder / "words").write_text("not a certificate")
    (folder / "empty").touch()
    locking = "openssl ec -in client.key -aes256 -passout pass:secret -out locked.key"
    subprocess.run(locking.split(), cwd=folder, check=True, capture_output=True)
    environ = {**settings(protocol, "https://localhost:1", papers), OTLP + what: str(folder / file) if file else ""}
    with pytest.raises(ConfigError, match=says) as caught:
        endpoints(environ)
    assert len(caught.value.faults) == 1


def test_bad_settings_stop_the_start_with_sentences(tmp_path: Path, server: LiveServer) -> None:
    """Exit 78, each fault one sentence, all at once; no word of a header is written."""
    environ = {
        f"{OTLP}ENDPOINT": "http://localhost:4317/v1/traces",
        f"{OTLP}PROTOCOL": "grpc",
        f"{OTLP}HEADERS": "Authorization: Bearer canary",
        f"{OTLP}TRACES_CERTIFICATE": str(tmp_path / "gone.pem"),
    }
    exporter = Exporter(tmp_path, [server.entry("acme")], environ=environ)
    exporter.launch()
    assert exporter.ended() == 78
    said = "\n".join(exporter.lines)
    for words in ("has a path and gRPC knows none", "header 1 cannot be sent", "TRACES_CERTIFICATE"):
        assert words in said
    assert "canary" not in said
