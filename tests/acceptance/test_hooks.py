"""Webhooks on real sockets: signed, answered, durable, told; in the trace of the record they name."""

import gzip
import hmac
import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from exporter import cli
from exporter.store import open_store
from exporter.tokens import Tokens
from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer

SECRET, TOKEN = "c4n4ry-stripe", "c4n4ry-token-0123456789abcdef"
HOOKS = {
    "stripe": {"scheme": "stripe", "secrets": "${env:STRIPE_SECRET}", "criticality": "high"},
    "alertmanager": {"scheme": "token", "secrets": "${env:HOOK_TOKEN}"},
}

ALERTS = {
    "version": "4",
    "alerts": [
        {"status": "firing", "labels": {"alertname": "D"}, "startsAt": "2026-11-25T10:00:00Z", "fingerprint": "f"}
    ],
}

# 10 MB in 10 KB.
BOMB = gzip.compress(b"[" * 10_000_000)


def stripe(event: str, reference: str, *, secret: str = SECRET) -> requests.Request:
    """A signed event of Stripe's."""
    now = int(time.time())
    error = {"code": "card_declined", "message": "Your card was declined, jane.doe@example.com."}
    about = {"object": "invoice", "metadata": {"odoo_ref": reference}, "last_finalization_error": error}
    payload = {
        "id": event,
        "type": "invoice.payment_failed",
        "created": now,
        "data": {"object": about},
    }
    raw = json.dumps(payload).encode()
    signed = hmac.digest(secret.encode(), f"{now}.".encode() + raw, "sha256").hex()
    return requests.Request("POST", data=raw, headers={"Stripe-Signature": f"t={now},v1={signed}"})


def send(url: str, request: requests.Request) -> requests.Response:
    """Post it."""
    request.url = url
    with requests.Session() as session:
        return session.send(request.prepare(), timeout=10)


@pytest.fixture
def line(odoo: LiveOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Exporter, FakeCollector]]:
    """The service with its hooks between a fake Odoo and a fake Collector."""
    monkeypatch.setenv("STRIPE_SECRET", SECRET)
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    with (
        LiveServer(odoo) as server,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme", hooks=HOOKS)], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.value("odoo_up") == 1, what="the first poll")
        yield exporter, collector


def roots(collector: FakeCollector, name: str) -> list[object]:
    """Spans of a name, each once."""
    return [span for span in {s.span_id: s for s in collector.spans()}.values() if span.name == name]


def test_a_webhook_stands_in_the_trace_of_the_record_it_names(
    odoo: LiveOdoo, line: tuple[Exporter, FakeCollector]
) -> None:
    """By Odoo's reference, and by the name of an order that is read later; a repeat is none (features 5, 7, 77)."""
    exporter, collector = line
    url = intake(exporter)
    order = live.order(odoo)
    for reference in (f"purchase.order,{order}", f"P{order:05}"):
        request = stripe(f"evt_{reference}", reference)
        first = send(f"{url}/hooks/stripe", request)
        assert (first.status_code, first.json()) == (202, {"ids": [f"evt_{reference}"]})
        assert send(f"{url}/hooks/stripe", request).status_code == 202
    until(lambda: len(roots(collector, "POST /hooks/stripe")) == 2, what="two deliveries told")
    until(lambda: exporter.value("odoo_otel_webhooks_total", hook="stripe", outcome="repeated") == 2)
    for span in roots(collector, "POST /hooks/stripe"):
        words = {one.key: one.value.string_value for one in span.attributes}
        assert words["odoo.failure.cause"] != ""
        assert (words["error.type"], words["odoo.integration.criticality"]) == ("card_declined", "high")
        assert span.parent_span_id
        assert "jane.doe" not in str(span)
    assert len({span.trace_id for span in roots(collector, "POST /hooks/stripe")}) == 1
    assert exporter.value("odoo_deliveries_total", hook="stripe", kind="invoice.payment_failed", result="failure") == 2


def test_whoever_proves_nothing_learns_nothing(line: tuple[Exporter, FakeCollector]) -> None:
    """Unknown hooks, wrong signatures, stale times, wrong tokens: one 401, empty and alike (feature 94)."""
    exporter, _ = line
    url = intake(exporter)
    stale = {"Stripe-Signature": "t=1,v1=00"}
    wrong = [
        send(f"{url}/hooks/nobody", stripe("evt_1", "S1")),
        send(f"{url}/hooks/stripe", stripe("evt_1", "S1", secret="other")),
        send(f"{url}/hooks/stripe", requests.Request("POST", data=b"{}")),
        send(f"{url}/hooks/stripe", requests.Request("POST", data=b"{}", headers=stale)),
        send(f"{url}/hooks/alertmanager/wrong", requests.Request("POST", data=b"{}")),
        send(f"{url}/hooks/alertmanager", requests.Request("POST", data=b"{}")),
        send(f"{url}/hooks/..%2fetc", requests.Request("POST", data=b"{}")),
    ]
    seen = {(one.status_code, one.content, tuple(sorted(set(one.headers) - {"Date"}))) for one in wrong}
    assert len(seen) == 1
    assert next(iter(seen))[:2] == (401, b"")
    until(lambda: exporter.value("odoo_otel_webhooks_total", hook="stripe", outcome="signature") == 2)
    assert exporter.value("odoo_otel_webhooks_total", hook="unknown", outcome="missing") >= 1


def test_a_replay_with_other_headers_is_a_repeat(server: LiveServer, tmp_path: Path) -> None:
    """R11: GitHub signs the body alone, so the body names the delivery; a redelivery of GitHub's repeats it, too."""
    hooks = {"github": {"scheme": "github", "secrets": SECRET, "mapping": "github-actions"}}
    raw = (Path(__file__).parents[1] / "data" / "hooks" / "github_completed.json").read_bytes()
    signed = {"X-Hub-Signature-256": f"sha256={hmac.digest(SECRET.encode(), raw, 'sha256').hex()}"}
    with Exporter(tmp_path, [server.entry("acme", hooks=hooks)]) as exporter:
        url, others = f"{intake(exporter)}/hooks/github", [{"X-GitHub-Delivery": f"d{number}"} for number in range(3)]
        asked = [requests.Request("POST", data=raw, headers=signed | other) for other in [*others, {}]]
        answers = [send(url, one) for one in asked]
        assert {(one.status_code, one.text) for one in answers} == {(202, answers[0].text)}
        until(lambda: exporter.value("odoo_otel_webhooks_total", hook="github", outcome="repeated") == 3)
        assert exporter.value("odoo_otel_webhooks_total", hook="github", outcome="accepted") == 1
        exporter.stop()
        store = open_store(exporter.store)
        assert len([one for one in store.read("acme", 0, 1000) if "webhook.received" in repr(one)]) == 1
        store.close()


def test_a_token_in_the_path_serves_those_that_sign_nothing(line: tuple[Exporter, FakeCollector]) -> None:
    """Alertmanager's groups become a run an alert, open while it fires; no token stands in a log."""
    exporter, collector = line
    url = f"{intake(exporter)}/hooks/alertmanager/{TOKEN}"
    alert = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "severity": "critical"},
        "startsAt": "2026-11-25T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f00d",
    }
    fired = send(url, requests.Request("POST", json={"version": "4", "alerts": [alert]}))
    over = {**alert, "status": "resolved", "endsAt": "2026-11-25T10:05:00Z"}
    resolved = send(url, requests.Request("POST", json={"version": "4", "alerts": [over]}))
    assert (fired.status_code, resolved.status_code) == (202, 202)
    until(lambda: roots(collector, "POST /hooks/alertmanager"), what="the alert told", seconds=40)
    (span,) = roots(collector, "POST /hooks/alertmanager")
    assert (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 == 300
    assert not any(TOKEN in one for one in exporter.lines)


def test_a_payload_that_changed_its_form_is_counted_by_field(line: tuple[Exporter, FakeCollector]) -> None:
    """It is taken; what it lacks and what nobody knows of it are counted, once a delivery (feature 45)."""
    exporter, _ = line
    url = f"{intake(exporter)}/hooks/alertmanager/{TOKEN}"
    now = datetime.now(UTC).isoformat()
    alert = {"status": "resolved", "labels": {"alertname": "D"}, "endsAt": now}
    for changed in ({"surprise": "c4n4ry"}, {"surprise": 1, "startsAt": now}, {"startsAt": now, "generatorURL": ""}):
        posted = requests.Request("POST", json={"version": "4", "alerts": [alert | changed]})
        assert send(url, posted).status_code == 202
    until(lambda: exporter.value("odoo_deliveries_total", hook="alertmanager", result="success") == 3, 40)
    drift = {
        dict(labels)["field"]: value
        for (name, labels), value in exporter.samples().items()
        if name == "odoo_delivery_schema_drift_total"
    }
    assert drift == {"startsAt": 1, "surprise": 2}


def test_a_made_token_is_good_at_once_and_stands_nowhere(line: tuple[Exporter, FakeCollector]) -> None:
    """Beside the configured one, without a restart, until it is revoked; only its digest is kept (R15, feature 94)."""
    exporter, _ = line
    made = exporter.token("hooks/alertmanager")
    url, known = f"{intake(exporter)}/hooks/alertmanager", requests.Request("POST", json=ALERTS)
    assert [send(f"{url}/{one}", known).status_code for one in (made, TOKEN, made[:-1])] == [202, 202, 401]
    assert send(f"{intake(exporter)}/hooks/stripe/{made}", known).status_code == 401
    name = Tokens(exporter.state).kept()[0].name
    assert CliRunner().invoke(cli.main, ["token", "revoke", "--state", str(exporter.state), name]).exit_code == 0
    assert [send(f"{url}/{one}", known).status_code for one in (made, TOKEN)] == [401, 202]
    exporter.stop()
    assert not any(made in one for one in exporter.lines)
    assert not [path for path in exporter.state.iterdir() if made.encode() in path.read_bytes()]


GZIP = {"Content-Encoding": "gzip"}
LARGEST = 262_144
REFUSED: list[tuple[bytes, dict[str, str], int, str, str]] = [
    (b"x" * (LARGEST + 1), {}, 413, f"Send at most {LARGEST} bytes at once.", "too_large"),
    (b"x" * LARGEST, {}, 422, "The body ", "not_plain"),
    (b"{}", {"Content-Encoding": "br"}, 415, "Send the body as it is, or with Content-Encoding: gzip.", "encoded"),
    (b"{}", GZIP, 400, "The body is not gzip.", "not_gzip"),
    (BOMB, GZIP, 413, f"Send at most {LARGEST} bytes at once, unpacked.", "too_large"),
    (b"[]", {}, 422, "The body ", "no_list"),
    (b"nonsense", {}, 422, "The body ", "not_plain"),
    (b'{"alerts": []}', {}, 422, "The body ", "no_list"),
]


def test_what_cannot_be_taken_is_refused_with_a_sentence(line: tuple[Exporter, FakeCollector]) -> None:
    """Too large by a byte, encoded, not understood: a status, one sentence on what to change, a count by reason."""
    exporter, _ = line
    url = f"{intake(exporter)}/hooks/alertmanager/{TOKEN}"
    for body, headers, status, says, reason in REFUSED:
        before = exporter.value("odoo_otel_webhooks_total", hook="alertmanager", outcome=reason)
        answer = send(url, requests.Request("POST", data=body, headers=headers))
        assert (answer.status_code, answer.text[: len(says)], answer.text[-2:]) == (status, says, ".\n")
        assert answer.text.count("\n") == 1
        assert exporter.value("odoo_otel_webhooks_total", hook="alertmanager", outcome=reason) == before + 1


HOSTILE = [b"[" * 200_000, b'{"a":' * 50_000, b'{"n": ' + b"9" * 200_000 + b"}", b'{"alerts": NaN}']
HOSTILE += [
    json.dumps(dict.fromkeys(map(str, range(15_000)))).encode(),
    b'{"a": 1, "a": 2}',
    b"\xff\xfe",
    b"\x00" * 9000,
]


def test_hostile_traffic_stops_no_honest_one(line: tuple[Exporter, FakeCollector]) -> None:
    """R12: 400 half heads, 400 half bodies, bombs and hostile JSON: 202 within 1 s, at most 20 MB more."""
    exporter, _ = line
    url = intake(exporter)
    host, _, port = url.removeprefix("http://").partition(":")
    assert send(f"{url}/hooks/stripe", stripe("evt_0", "S1")).status_code == 202
    before, held = _resident(exporter), []
    try:
        for number in range(800):
            client = socket.create_connection((host, int(port)), timeout=5)
            held.append(client)
            end = b"Content-Length: 1000\r\n\r\n{" if number % 2 else b"X-Half: "
            client.sendall(b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\n" + end)
        for number, body in enumerate(HOSTILE * 2):
            known = requests.Request("POST", data=body)
            assert send(f"{url}/hooks/alertmanager/{TOKEN}", known).status_code == 422
            packed = requests.Request("POST", data=BOMB, headers={"Content-Encoding": "gzip"})
            assert send(f"{url}/hooks/alertmanager/{TOKEN}", packed).status_code == 413
            began = time.monotonic()
            assert send(f"{url}/hooks/stripe", stripe(f"evt_{number + 1}", "S1")).status_code == 202
            assert time.monotonic() - began < 1
        assert _resident(exporter) - before < 20 * 1024
    finally:
        for client in held:
            client.close()


def _resident(exporter: Exporter) -> int:
    """KiB of memory."""
    said = Path(f"/proc/{exporter.process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", said)[0])


def test_no_address_of_a_sender_is_called_or_believed(line: tuple[Exporter, FakeCollector]) -> None:
    """R17: neither payload nor forwarded headers lead anywhere; who proves nothing is refused as ever."""
    exporter, collector = line
    url = intake(exporter)
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(1)
        there = f"http://127.0.0.1:{trap.getsockname()[1]}"
        headers = dict.fromkeys(("X-Forwarded-Host", "X-Original-URL", "Referer", "Origin", "Link"), there)
        headers |= {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Proto": "https"}
        headers |= {"Forwarded": f"for=127.0.0.1;host={there}", "X-Forwarded-Prefix": f"/hooks/alertmanager/{TOKEN}"}
        labels = {"alertname": "Far", "runbook_url": there}
        alert = {"status": "resolved", "labels": labels, "fingerprint": there}
        alert |= {"startsAt": "2026-11-25T10:00:00Z", "endsAt": "2026-11-25T10:05:00Z"}
        alert |= {"generatorURL": there, "annotations": {"runbook_url": there, "$ref": there}}
        body = {"externalURL": there, "callback": there, "@context": there, "version": "4", "alerts": [alert]}
        asked = requests.Request("POST", json=body, headers=headers)
        assert send(f"{url}/hooks/alertmanager/wrong", asked).status_code == 401
        assert send(f"{url}/", asked).status_code == 404
        assert send(f"{url}/hooks/alertmanager/{TOKEN}", asked).status_code == 202
        until(lambda: exporter.value("odoo_otel_webhooks_total", hook="alertmanager", outcome="accepted") == 1)
        until(lambda: roots(collector, "POST /hooks/alertmanager"), what="the alert told", seconds=40)
        with pytest.raises(TimeoutError):
            trap.accept()


def refused(exporter: Exporter) -> list[str]:
    """Who was refused, as the log has it."""
    return [one["message"] for one in exporter.logs() if one["message"].startswith("refused: ")]


@pytest.mark.parametrize(
    ("trusted", "shown"),
    [(["127.0.0.0/8", "10.0.0.0/8"], "203.0.113.7"), (["10.0.0.0/8"], "127.0.0.1"), ([], "127.0.0.1")],
)
def test_forwarded_headers_are_believed_of_configured_proxies_alone(
    odoo: LiveOdoo, tmp_path: Path, trusted: list[str], shown: str
) -> None:
    """In log and review: the last hop that is no proxy, else the peer; a spoofed beginning never; no label has it."""
    hooks = {"alertmanager": {"scheme": "token", "secrets": TOKEN}}
    headers = {"X-Forwarded-For": "198.51.100.66, 203.0.113.7, 10.0.0.9"}
    with (
        LiveServer(odoo) as server,
        Exporter(tmp_path, [server.entry("acme", hooks=hooks)], settings={"trusted_proxies": trusted}) as exporter,
    ):
        url = intake(exporter)
        for path in ("hooks/alertmanager/wrong", "hooks/nobody", "v1/events"):
            assert send(f"{url}/{path}", requests.Request("POST", data=b"{}", headers=headers)).status_code == 401
        good = requests.Request("POST", data=b'{"alerts": 1}', headers=headers)
        assert send(f"{url}/hooks/alertmanager/{TOKEN}", good).status_code == 422
        until(lambda: len(refused(exporter)) == 4, what="the lines of the log")
        assert refused(exporter) == [
            f"refused: a request to /hooks/alertmanager from {shown}: signature",
            f"refused: a request to /hooks/? from {shown}: missing",
            f"refused: a request to /v1/events from {shown}: token",
            f"refused: a request to /hooks/alertmanager from {shown}: {_reason(exporter)}",
        ]
        listed = CliRunner().invoke(cli.main, ["refused", "list", "--state", str(exporter.state)]).stdout
        assert f"  hooks/alertmanager  {shown}  " in listed
        assert "198.51.100.66" not in listed + "".join(exporter.lines)
        assert not re.search(r"203\.0\.113|198\.51|127\.0\.0\.1", exporter.get("/metrics")[1])


def _reason(exporter: Exporter) -> str:
    listed = CliRunner().invoke(cli.main, ["refused", "list", "--json", "--state", str(exporter.state)]).stdout
    return str(json.loads(listed)["reason"].partition(":")[0])


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_beyond_the_loopback_tls_is_asked_for(tmp_path: Path, host: str, warned: bool) -> None:  # noqa: FBT001
    """A warning names the setting, once, where webhooks could come over a network in the clear (`intake_host`)."""
    entry = {"url": "http://127.0.0.1:1", "database": "acme", "user": "u", "api_key": "k"}
    with Exporter(tmp_path, [entry], settings={"intake_host": host}) as exporter:
        assert intake(exporter).startswith(f"http://{host}:")
        assert sum("without TLS: see `web_config_file`" in line for line in exporter.lines) == warned


def test_two_hooks_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their addresses would be one: said at start, with exit code 78."""
    hooks = {"h": {"scheme": "token", "secrets": "s", "mapping": "stripe"}}
    entries = [
        {"url": f"http://127.0.0.1:{port}", "database": f"db{port}", "user": "u", "api_key": "k", "hooks": hooks}
        for port in (1, 2)
    ]
    exporter = Exporter(tmp_path, entries)
    exporter.launch()
    assert exporter.ended() == 78
    assert any("db2, hook h: db1 has a hook of that name" in line for line in exporter.lines)
