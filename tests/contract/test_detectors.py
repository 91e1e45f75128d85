"""What every detector must do: the same facts give the same Findings, whatever the order, the rounds or the process."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import outliers
from detectors.backtest import findings
from detectors.reporting import Intake
from detectors.series import DETECTORS, FLOORS, Number, series
from exporter.config import Secret
from exporter.domain.bodies import DetectorsBeat, Learned
from exporter.domain.contract import EVENTS
from exporter.domain.times import from_micros
from exporter.errors import Refused, SourceDown
from exporter.tokens import DETECTORS as SENT
from exporter.tokens import Tokens
from tests.fakes.intake_http import intake_server
from tests.fakes.watched import ACME, T0, numbers, ordinary

SLOW = numbers([*ordinary(60), 12.0, 3.0, 12.5, 3.0, 3.0, 3.0, 700.0, 3.0])


@pytest.mark.parametrize("name", [f"{kind}/x" for kind in FLOORS])
@settings(max_examples=5, deadline=None)
@given(order=st.randoms(use_true_random=True))
def test_findings_do_not_depend_on_order(name: str, order: Random) -> None:
    """Shuffled numbers tell the same story, for every series that is judged."""
    watched = series(name)
    assert watched is not None
    shuffled = sorted(SLOW, key=lambda _: order.random())

    assert findings(watched, shuffled, outliers.scores) == findings(watched, SLOW, outliers.scores) != []


def maker(folder: Path) -> Callable[[], Secret]:
    """What makes a token in a state folder."""
    return lambda: Tokens(folder).make(SENT, T0, own=True)


def test_detectors_do_not_share_names() -> None:
    """A Finding's detector says which number it is about."""
    assert len(set(DETECTORS.values())) == len(DETECTORS)
    assert all(EVENTS[name].source == "detectors/findings" for name in EVENTS if name.startswith("finding."))


def test_what_is_posted_is_what_the_intake_takes(tmp_path: Path) -> None:
    """A JSON list of tenant, key, name, at (RFC 3339) and body, with the bearer token (decision 24)."""
    from detectors.claims import beat  # noqa: PLC0415 - read with its use

    with intake_server(tmp_path) as server:
        learned = (Learned(detector="outlier.delay", samples=40, newest=T0),)
        event = beat(DetectorsBeat(series=2, judged=1, seconds=0.5, learned=learned), T0)
        intake = Intake(url=server.url, token=maker(tmp_path))
        counts = [intake.post(ACME, [event]) for _ in range(2)]

    assert counts == [1, 0]
    assert server.requests[0]["rows"] == [
        {
            "tenant": ACME,
            "key": "judged/2026-03-02T08:00",
            "name": "detectors.series.judged",
            "at": "2026-03-02T08:00:00Z",
            "body": {
                "series": 2,
                "judged": 1,
                "seconds": 0.5,
                "learned": [{"detector": "outlier.delay", "samples": 40, "newest": "2026-03-02T08:00:00Z"}],
            },
        }
    ]


@pytest.mark.parametrize(
    ("status", "raised"),
    [(400, Refused), (413, Refused), (404, Refused), (401, SourceDown), (429, SourceDown), (503, SourceDown)],
)
def test_answers_are_retried_or_given_up(tmp_path: Path, status: int, raised: type[Exception]) -> None:
    """What may succeed later is tried again, what never will is refused; both carry what the intake said."""
    with intake_server(tmp_path) as server:
        server.answers.append((status, b"because"))
        with pytest.raises(raised, match="because"):
            Intake(url=server.url, token=maker(tmp_path)).post(ACME, [])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_another_server_is_not_believed(tmp_path: Path, body: bytes) -> None:
    """Only the intake's own answer counts as delivered."""
    with intake_server(tmp_path) as server:
        server.answers.append((200, body))
        with pytest.raises(SourceDown, match="does not answer as the intake"):
            Intake(url=server.url, token=maker(tmp_path)).post(ACME, [])


def test_without_exporter_there_is_a_sentence(tmp_path: Path) -> None:
    """No state folder yet, or nobody listens: try again later."""
    away = Intake(url="http://127.0.0.1:9", token=maker(tmp_path / "later"))
    with pytest.raises(SourceDown, match=r"tokens\.json: cannot be written"):
        away.post(ACME, [])
    (tmp_path / "later").mkdir()
    with pytest.raises(SourceDown, match=r"127\.0\.0\.1:9"):
        away.post(ACME, [])


def test_a_token_that_was_revoked_is_made_anew(tmp_path: Path) -> None:
    """After a 401 the next request carries another one; as long as it is good, one suffices (decision 0016)."""
    with intake_server(tmp_path) as server:
        intake = Intake(url=server.url, token=maker(tmp_path))
        assert [intake.post(ACME, []), intake.post(ACME, [])] == [0, 0]
        (first,) = server.tokens.kept()
        server.tokens.revoke(first.name)
        with pytest.raises(SourceDown, match="wrong token"):
            intake.post(ACME, [])
        assert intake.post(ACME, []) == 0
        assert [one.own for one in server.tokens.kept()] == [True]


def test_numbers_sort_by_time_then_run() -> None:
    """Two Runs of one instant have an order of their own."""
    at = from_micros(5)

    assert Number(at=at, run="a", seconds=2) < Number(at=at, run="b", seconds=1)


def test_the_fake_intake_wants_its_token(tmp_path: Path) -> None:
    """The fake can say no (negative control)."""
    with intake_server(tmp_path) as server, pytest.raises(SourceDown, match="wrong token"):
        Intake(url=server.url, token=lambda: Secret("another")).post(ACME, [])
    assert (server.requests, server.rows) == ([], {})
