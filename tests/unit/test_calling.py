"""Whoever of ours posts with a token posts to the service alone (R15, R17)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from detectors.reporting import Intake
from exporter import cli
from exporter.config import Secret
from exporter.errors import SourceDown
from tests.fakes.trap import trap

LINE = (
    "2026-11-25 12:00:00,000 7 INFO acme odoo.addons.base.models.ir_cron: Job 'Mail' (3) starting\n"
    "2026-11-25 12:00:01,000 7 INFO acme odoo.addons.base.models.ir_cron: Job 'Mail' (3) fully done "
    "(#loop 1; done 0; remaining 0; duration 1.00s)\n"
)
TAKES_ALL = b'{"appended": 1, "ids": ["x"]}'  # what would satisfy the detectors, and `refused retry`
Failed = Callable[[str, Path], str]
"""(address, folder) -> what is said; the call has failed."""


def ingest(url: str, folder: Path) -> str:
    """`odoo-otel ingest-log` of a file."""
    (folder / "odoo.log").write_text(LINE)
    return _command("ingest-log", "--state", str(folder), "--intake", url, "acme", str(folder / "odoo.log"))


def retry(url: str, folder: Path) -> str:
    """`odoo-otel refused retry`."""
    return _command("refused", "retry", "--state", str(folder), "--intake", url, "1")


def _command(*words: str) -> str:
    done = CliRunner().invoke(cli.main, list(words))
    assert (done.exit_code, done.stdout) == (1, "")
    return done.stderr


def detect(url: str, folder: Path) -> str:
    """What the detectors report: what was not taken is kept and told again."""
    del folder
    with pytest.raises(SourceDown) as caught:
        Intake(url=url, token=lambda: Secret("c4n4ry")).post("acme", [])
    return str(caught.value)


CLIENTS = pytest.mark.parametrize("client", [ingest, retry, detect])


@CLIENTS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(client: Failed, status: int, tmp_path: Path) -> None:
    """Nothing arrives where an answer points to, and nobody says that it was taken."""
    with trap(kind="application/x-protobuf") as elsewhere, trap(status, location=elsewhere.url) as redirecting:
        said = client(redirecting.url, tmp_path)
        assert (len(redirecting.seen), elsewhere.seen) == (1, [])
    assert str(status) in said


@CLIENTS
def test_no_proxy_is_used(client: Failed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: the token is nobody's but the service's."""
    with trap(200, body=TAKES_ALL) as proxy:
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert "127.0.0.1:9 does not answer" in client("http://127.0.0.1:9", tmp_path)
        assert proxy.seen == []


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b""),  # a login page, or an empty one of somebody else
        (204, "application/x-protobuf", b""),
        (202, "application/x-protobuf", b""),
        (200, "application/x-protobuf", b"<html>"),
    ],
)
def test_only_the_services_own_answer_is_taken(status: int, kind: str, body: bytes, tmp_path: Path) -> None:
    """An answer without a byte is the service's word that it took everything: of nobody else is it believed."""
    with trap(status, kind, body) as another:
        assert "gave an answer that is no" in ingest(another.url, tmp_path)
        assert len(another.seen) == 1


def test_the_trap_is_one(tmp_path: Path) -> None:
    """Negative control: what answers as the service does is believed, and its log is taken."""
    with trap(200, "application/x-protobuf") as honest:
        (tmp_path / "odoo.log").write_text(LINE)
        words = ["--state", str(tmp_path), "--intake", honest.url, "acme", str(tmp_path / "odoo.log")]
        done = CliRunner().invoke(cli.main, ["ingest-log", *words])
    assert (done.exit_code, len(honest.seen)) == (0, 1)
    assert "0 were not taken" in done.stdout
    assert honest.seen[0][2].startswith("Bearer ")
