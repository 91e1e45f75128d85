"""--web.config.file on the real process: TLS and users of both listeners, renewed without a restart."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests
import yaml

from exporter.errors import ConfigError
from exporter.guarding import Guard
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.state import State
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveServer, live_lab

USER, PASSWORD = "prometheus", "c4n4ry-password"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
TOKEN = "c4n4ry-hook-token-0123456789"
ALERT = {"status": "firing", "labels": {"alertname": "Disk"}, "startsAt": "2026-11-22T10:00:00Z", "fingerprint": "f"}
WEBHOOK = {"version": "4", "groupKey": "g", "status": "firing", "alerts": [ALERT]}


@dataclass
class Secured:
    """The exporter with a web configuration, and how it is asked."""

    exporter: Exporter
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    def write(self, **config: Any) -> None:
        """The file from now on."""
        self.config = config
        (self.folder / "web.yml").write_text(yaml.safe_dump(config))

    def address(self, says: str) -> str:
        """Where it listens."""
        line = next(line for line in reversed(self.exporter.lines) if says in line)
        return line.partition(says)[2].partition('"')[0].strip()

    def get(self, path: str = "/metrics", **given: Any) -> requests.Response:
        """A page, over TLS that is verified."""
        verify = str(self.folder / "ca.pem")
        return requests.get(self.address("listening on ") + path, timeout=10, **{"verify": verify, **given})

    def post(self, **given: Any) -> requests.Response:
        """A webhook."""
        url = f"{self.address('events are taken on ')}/hooks/alertmanager/{TOKEN}"
        return requests.post(url, json=WEBHOOK, timeout=10, **{"verify": str(self.folder / "ca.pem"), **given})


def sign(folder: Path, name: str) -> None:
    """A key, and a certificate of 127.0.0.1 that the authority signed."""
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    by = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names"
    for command in (
        f"{new} -subj /CN={name} -keyout {name}.key -out {name}.csr",
        f"openssl x509 -req -days 2 -in {name}.csr {by} -out {name}.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    """Not started yet; an authority, a server and a client have their papers."""
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -x509 -days 2"
    subprocess.run([*new.split(), "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"], cwd=tmp_path, check=True)
    for name in ("server", "client"):
        sign(tmp_path, name)
    hooks = {"alertmanager": {"scheme": "token", "secrets": TOKEN}}
    with LiveServer(live_lab(running=True)) as server:
        exporter = Exporter(
            tmp_path / "exporter",
            [server.entry("acme", hooks=hooks)],
            settings={"web_config_file": str(tmp_path / "web.yml")},
        )
        yield Secured(exporter, tmp_path)
        if exporter._process is not None:
            exporter.kill()


def start(secured: Secured) -> None:
    """Until both listen."""
    secured.exporter.launch()
    until(lambda: any("listening on http" in line for line in secured.exporter.lines), what="listening")


TLS = {"cert_file": "server.pem", "key_file": "server.key"}


def test_users_are_asked_for_on_every_page(secured: Secured) -> None:
    """Without the password 401 and not a byte of a page; with it the page; webhooks have proofs of their own."""
    secured.write(basic_auth_users={USER: HASH}, http_server_config={"headers": {"X-Frame-Options": "deny"}})
    start(secured)
    for path in ("/metrics", "/", "/readyz", "/healthz"):
        for auth in (None, (USER, "wrong"), ("nobody", PASSWORD), (USER, ""), (USER, PASSWORD + "x" * 90)):
            refused = secured.get(path, auth=auth)
            assert (refused.status_code, refused.text) == (401, "Unauthorized\n")
            assert refused.headers["WWW-Authenticate"].startswith("Basic")
        allowed = secured.get(path, auth=(USER, PASSWORD))
        assert allowed.status_code in {200, 503}
        assert allowed.headers["X-Frame-Options"] == "deny"
    assert secured.post().status_code == 202
    assert not any(PASSWORD in line or HASH in line for line in secured.exporter.lines)


def test_a_known_password_is_not_hashed_again(secured: Secured) -> None:
    """A scrape costs no bcrypt of cost 12 each time: what was found once is remembered."""
    slow = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(12)).decode()
    secured.write(basic_auth_users={USER: slow})
    start(secured)
    took = []
    for _ in range(4):
        began = time.monotonic()
        assert secured.get("/healthz", auth=(USER, PASSWORD)).status_code == 200
        took.append(time.monotonic() - began)
    assert min(took[1:]) < took[0] / 3


def test_both_listeners_speak_tls(secured: Secured) -> None:
    """Pages and webhooks over verified TLS; plain HTTP to them brings nothing; the detectors still get in."""
    secured.write(tls_server_config=TLS)
    secured.exporter.settings = {**secured.exporter.settings, "detectors": True}
    start(secured)
    assert secured.address("listening on ").startswith("https://")
    until(lambda: "odoo_up{" in secured.get().text, what="a page")
    assert secured.post().status_code == 202
    with pytest.raises(requests.exceptions.SSLError):
        secured.get(verify=True)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(secured.address("listening on ").replace("https:", "http:"), timeout=5)
    until(lambda: "odoo_detectors_last_run_timestamp_seconds{" in secured.get().text, 60, what="the detectors' beat")
    assert secured.exporter.stop() < 10


def test_the_sender_is_known_behind_our_own_tls(secured: Secured) -> None:
    """Not the end of TLS but who speaks to it is the peer; a configured proxy that speaks TLS is believed (0013)."""
    secured.write(tls_server_config=TLS)
    proxies = {"intake_host": "127.0.0.2", "trusted_proxies": "127.0.0.9"}
    secured.exporter.settings = {**secured.exporter.settings, **proxies}
    start(secured)
    port = int(secured.address("events are taken on ").rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(secured.folder / "ca.pem"))
    context.check_hostname = False
    for peer, path in (("127.0.0.9", b"alertmanager/wrong"), ("127.0.0.5", b"nobody")):
        head = b"POST /hooks/%s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\n" % path
        raw = socket.create_connection(("127.0.0.2", port), timeout=5, source_address=(peer, 0))
        with context.wrap_socket(raw) as client:
            client.sendall(head + b"Content-Length: 0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 401 ")

    def said() -> list[str]:
        return [one["message"] for one in secured.exporter.logs() if one["message"].startswith("refused: ")]

    until(lambda: len(said()) == 2, what="the lines of the log")
    assert said() == [
        "refused: a request to /hooks/alertmanager from 203.0.113.7: signature",
        "refused: a request to /hooks/? from 127.0.0.5: missing",
    ]


def test_large_answers_come_whole(secured: Secured) -> None:
    """Ten scrapes of 8 MB at once over TLS are whole."""
    page = b"odoo_up 1\n" * 800_000
    secured.write(tls_server_config=TLS)
    guard = Guard(secured.folder / "web.yml")
    state: State = {"version": "", "store": "", "loops": {}, "sources": [], "signals": []}
    server = WebServer(create_app(lambda _: page, lambda: state), port=0, tls=guard.context)
    server.start()
    url, headers = f"https://127.0.0.1:{server.port}/metrics", {"Accept-Encoding": "identity"}

    def scrape(_: int) -> bytes:
        return requests.get(url, verify=str(secured.folder / "ca.pem"), headers=headers, timeout=30).content

    with ThreadPoolExecutor(10) as pool:
        assert {*pool.map(scrape, range(10))} == {page}
    assert server.stop()


def test_clients_show_their_certificates(secured: Secured) -> None:
    """RequireAndVerifyClientCert: without one there is no connection, with one there is."""
    secured.write(
        tls_server_config={**TLS, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}
    )
    start(secured)
    with pytest.raises(requests.exceptions.ConnectionError):
        secured.get()
    pair = str(secured.folder / "client.pem"), str(secured.folder / "client.key")
    assert secured.get(cert=pair).status_code == 200
    assert secured.post(cert=pair).status_code == 202


def test_the_lowest_version_holds(secured: Secured) -> None:
    """min_version TLS13 refuses a client that speaks 1.2 at most."""
    secured.write(tls_server_config={**TLS, "min_version": "TLS13"})
    start(secured)
    host, _, port = secured.address("listening on ").removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(secured.folder / "ca.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((host, int(port)), timeout=5) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_sighup_renews_certificates_and_users(secured: Secured) -> None:
    """A new certificate and a user who left count from the next connection on; a bad file changes nothing."""
    secured.write(tls_server_config=TLS, basic_auth_users={USER: HASH})
    start(secured)

    def shown() -> str:
        host, _, port = secured.address("listening on ").removeprefix("https://").partition(":")
        return ssl.get_server_certificate((host, int(port)), ca_certs=str(secured.folder / "ca.pem"))

    before = shown()
    sign(secured.folder, "server")
    secured.write(tls_server_config=TLS, basic_auth_users={"other": HASH})
    secured.exporter.reload()
    assert shown() != before
    assert secured.get(auth=(USER, PASSWORD)).status_code == 401
    assert secured.get(auth=("other", PASSWORD)).status_code == 200
    secured.write(tls_server_config={"cert_file": "gone", "key_file": "server.key"})
    secured.exporter.reload()
    assert secured.get(auth=("other", PASSWORD)).status_code == 200
    assert any("cert_file: must be the path of a PEM file" in line for line in secured.exporter.lines)


def test_whoever_stalls_starves_nobody(secured: Secured) -> None:
    """R12: 300 connections without a handshake or a request, and an honest client is answered within a second."""
    secured.write(tls_server_config=TLS)
    start(secured)
    host, _, port = secured.address("listening on ").removeprefix("https://").partition(":")
    stalled = [socket.create_connection((host, int(port)), timeout=5) for _ in range(300)]
    try:
        began = time.monotonic()
        assert secured.get("/healthz").status_code == 200
        assert time.monotonic() - began < 1
    finally:
        for one in stalled:
            one.close()


def test_a_store_that_breaks_leaves_no_file_behind(secured: Secured) -> None:
    """R10: exit 70 flushes nothing, but the folder of the socket behind our TLS does not stay."""
    secured.write(tls_server_config=TLS)
    broken, temporary = secured.folder / "broken", secured.folder / "tmp"
    temporary.mkdir()
    secured.exporter.program = ("-m", "tests.fakes.disk", str(broken))
    secured.exporter.environ = {"TMPDIR": str(temporary)}
    start(secured)
    assert len(list(temporary.glob("odoo-otel-*"))) == 1
    broken.touch()
    assert secured.exporter.ended() == 70
    assert list(temporary.glob("odoo-otel-*")) == []


def test_what_cannot_be_served_stops_the_start(secured: Secured) -> None:
    """Exit 78 and a sentence that names the key."""
    secured.write(tls_server_config={**TLS, "cipher_suites": ["x"]})
    secured.exporter.launch()
    assert secured.exporter.ended() == 78
    assert any("cipher_suites: is not served here" in line for line in secured.exporter.lines)


def test_noise_in_the_header_is_nobody(secured: Secured) -> None:
    """Whatever stands behind Basic: it is 401, never an error of ours."""
    secured.write(basic_auth_users={USER: HASH})
    guard = Guard(secured.folder / "web.yml")
    for header in ("Basic é", "Basic !", "Basic /w==", "Basic", "Bearer x", ""):
        assert not guard.is_welcome(header)


def test_a_key_with_a_passphrase_is_refused(secured: Secured) -> None:
    """A sentence, and OpenSSL asks nobody at the terminal."""
    command = "openssl ec -in server.key -out locked.key -aes256 -passout pass:secret"
    subprocess.run(command.split(), cwd=secured.folder, check=True, capture_output=True)
    secured.write(tls_server_config={**TLS, "key_file": "locked.key"})
    with pytest.raises(ConfigError, match="key unencrypted"):
        Guard(secured.folder / "web.yml")


def test_another_authority_needs_a_restart(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    """An authority cannot be taken from a context: that it holds no more is never only said, it stays and is named."""
    asks = {**TLS, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}
    secured.write(tls_server_config=asks)
    guard = Guard(secured.folder / "web.yml")
    guard.renew()
    assert not caplog.records
    (secured.folder / "ca.pem").write_bytes((secured.folder / "client.pem").read_bytes())
    guard.renew()
    assert "another client_ca_file holds at the next start; restart the exporter" in caplog.text
