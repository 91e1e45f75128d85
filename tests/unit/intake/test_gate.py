"""The gate before Flask: limits before anything else, and whoever is turned away is counted."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest

from exporter.config import Secret
from exporter.domain.bodies import WebhookReceived
from exporter.domain.posted import Posted
from exporter.errors import Refused
from exporter.intake.gate import Gate
from exporter.intake.hooks import Hooks, Served
from exporter.intake.receiving import LARGEST

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
STRIPE = Served(tenant="acme", name="stripe", scheme="bearer", secrets=(Secret("fake-secret"),), parse=lambda _: ())


class Nowhere:
    """A store that nothing may reach."""

    def __getattr__(self, name: str) -> object:
        """Nobody calls it."""
        raise AssertionError(name)


def hooks() -> Hooks:
    """One hook of one database."""
    return Hooks(
        inbox=Nowhere(),  # type: ignore[arg-type] # nothing is appended
        served={"stripe": STRIPE},
        now=lambda: {"acme": NOW},
        appended=lambda: None,
    )


def asked(found: Hooks, path: str, **environ: Any) -> str:
    """The status that a request is answered with."""
    said: list[str] = []
    request = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "wsgi.input": BytesIO(b"{}"), "CONTENT_LENGTH": "2"}

    def behind(*_: Any) -> Iterable[bytes]:
        said.append("behind")
        return []

    Gate(behind, found)(request | environ, lambda status, _: said.append(status))
    return said[0][:6].strip()


@pytest.mark.parametrize(
    ("environ", "status", "reason"),
    [
        ({"REQUEST_METHOD": "GET"}, "405 Me", "method"),
        ({"HTTP_CONTENT_ENCODING": "br"}, "415 Un", "encoded"),
        ({"CONTENT_LENGTH": "a lot"}, "411 Le", "length"),
        ({"CONTENT_LENGTH": str(LARGEST + 1)}, "413 Co", "too_large"),
        ({}, "401 Un", "missing"),
    ],
)
def test_whoever_is_turned_away_is_counted(environ: dict[str, Any], status: str, reason: str) -> None:
    """By hook and reason, also before the signature was looked at; an unknown hook is no label (feature 1, R12)."""
    found = hooks()
    assert asked(found, "/hooks/stripe", **environ) == status
    assert asked(found, "/hooks/nobody/token", **environ) == status
    assert found.counted() == {("stripe", reason): 1, ("unknown", reason): 1}


def test_what_is_no_hook_is_handed_on() -> None:
    """To Flask."""
    assert asked(hooks(), "/v1/events") == "behind"


@pytest.mark.parametrize("header", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x" * 9000, ""])
def test_only_what_is_a_traceparent_is_kept(header: str) -> None:
    """Whatever else stands in that header reaches no parser, no store and no review (feature 94, R12)."""
    kept: list[Posted] = []
    found = hooks()
    found.served = {"stripe": replace(STRIPE, parse=not_understood)}
    found.keep = lambda _, posted, __: not kept.append(posted)  # type: ignore[func-returns-value]
    said = asked(found, "/hooks/stripe", HTTP_AUTHORIZATION="Bearer fake-secret", HTTP_TRACEPARENT=header)
    assert (said, kept[0].traceparent) == ("422 Un", header if len(header) == 55 else "")


def not_understood(_: Posted) -> tuple[WebhookReceived, ...]:
    """A parser that takes nothing."""
    raise Refused(422, "no_object", "No.")


def test_nothing_is_unpacked_for_whoever_proved_nothing() -> None:
    """A proof is of the bytes as they were sent: what cannot be unpacked is 400 behind it, and 401 without (R12)."""
    found = hooks()
    assert asked(found, "/hooks/stripe", HTTP_CONTENT_ENCODING="gzip") == "401 Un"
    known = {"HTTP_CONTENT_ENCODING": "gzip", "HTTP_AUTHORIZATION": "Bearer fake-secret"}
    assert asked(found, "/hooks/stripe", **known) == "400 Ba"
    assert found.counted() == {("stripe", "missing"): 1, ("stripe", "not_gzip"): 1}
