"""The pages, without a socket."""

import gzip

import pytest
from flask.testing import FlaskClient

from exporter.errors import StoreBroken
from exporter.web.app import create_app
from exporter.web.state import SourceState, State

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,"
    "*/*;q=0.2"
)


def told(**changes: object) -> State:
    """A service in good health, with changes."""
    state: State = {
        "version": "0.1.0",
        "store": "",
        "loops": {"polling": True, "folding": True, "sending": True},
        "sources": [],
        "signals": [{"signal": "traces", "condition": "sending", "reason": "", "waiting": 7}],
    }
    state.update(changes)  # type: ignore[typeddict-item]
    return state


def client(state: State | None = None) -> FlaskClient:
    """A browser for the app; the exposition says which format it is."""
    return create_app(
        lambda openmetrics: b"openmetrics" if openmetrics else b"text", lambda: state or told()
    ).test_client()


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        (PROMETHEUS, True),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", False),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily,text/plain;q=0.3", False),
        ("application/openmetrics-text;;;=,,,;q=x", True),
    ],
)
def test_the_format_is_the_one_asked_for(accept: str | None, openmetrics: bool) -> None:  # noqa: FBT001
    """OpenMetrics for who asks for it (exemplars), the text format 0.0.4 for everybody else (feature 75)."""
    response = client().get("/metrics", headers={"Accept": accept} if accept is not None else {})
    assert response.data == (b"openmetrics" if openmetrics else b"text")
    expected = "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4"
    assert response.headers["Content-Type"] == f"{expected}; charset=utf-8"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_gzip_only_where_it_is_accepted(accepted: str, packed: bool) -> None:  # noqa: FBT001
    """A scraper that takes gzip gets it, another does not."""
    response = client().get("/metrics", headers={"Accept-Encoding": accepted})
    assert response.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(response.data) if packed else response.data) == b"text"
    assert response.headers["Content-Length"] == str(len(response.data))


def test_the_process_is_healthy_whatever_its_loops_do() -> None:
    """/healthz says that the process answers, no more: a restart would not cure a lost loop's cause."""
    assert client(told(store="gone", loops={"polling": False})).get("/healthz").data == b"ok\n"


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 200), ({"store": "disk I/O error"}, 503), ({"loops": {"polling": True, "folding": False}}, 503)],
)
def test_ready_means_store_and_loops(changes: dict[str, object], status: int) -> None:
    """/readyz is 200 only while the store can be read and every loop is alive, and says which is not."""
    response = client(told(**changes)).get("/readyz")
    assert response.status_code == status
    assert response.json is not None
    assert response.json["ready"] is (status == 200)


def test_the_landing_page_shows_sources_and_links() -> None:
    """/ links to the pages and shows each source's state; what Odoo said is shown as text, never as HTML."""
    bad: SourceState = {
        "tenant": "<b>acme</b>",
        "source": "odoo/jobs",
        "ok": False,
        "last_success": "",
        "error": "<script>alert(1)</script>",
    }
    response = client(told(sources=[bad])).get("/")
    page = response.text
    assert 'href="/metrics"' in page
    assert "odoo/jobs" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<b>acme" not in page
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_a_store_that_cannot_be_read_fails_the_scrape() -> None:
    """No numbers are better than wrong ones: 503 without a path or a traceback in it."""

    def render(_: bool) -> bytes:  # noqa: FBT001
        raise StoreBroken("/var/lib/secret/path: disk I/O error")

    response = create_app(render, told).test_client().get("/metrics")
    assert response.status_code == 503
    assert b"secret" not in response.data


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/metrics/../../etc/passwd", "/static/x", "/%00", "/API"])
def test_an_unknown_path_is_404(path: str) -> None:
    """Nothing answers but the four pages."""
    assert client().get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_sent_here(path: str, method: str) -> None:
    """Read-only: any other method is 405."""
    assert client().open(path, method=method).status_code == 405
