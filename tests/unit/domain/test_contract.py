"""Event names are a contract: a standard, two tables, a page that is generated from them."""

import re

import pytest

from detectors.series import DETECTORS
from exporter.domain.contract import EVENTS, FINDINGS, LOG_EVENTS
from exporter.fold import doubles, expectation_runs, integrations, limits, send_runs
from exporter.fold.advance import KINDS
from exporter.fold.voices import VOICES

SYSTEMS = {"odoo", "n8n", "webhook", "finding", "detectors", "source"}
SEEN = {"changed", "counted", "decided", "doubled", "ended", "finished", "judged", "posted", "received", "requested"}
VERBS = SEEN | {
    "closed",
    "corrected",
    "failed",
    "left",
    "opened",
    "read",
    "set",
    "started",
    "updated",
    "vanished",
    "written",
}


@pytest.mark.parametrize("name", sorted({*EVENTS, *LOG_EVENTS}))
def test_every_name_keeps_to_the_standard(name: str) -> None:
    """`<system>.<thing>.<past verb>`; where the system is the thing, `<system>.<past verb>` (feature 59)."""
    assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+){1,2}", name)
    system, *thing, verb = name.split(".")
    assert system in SYSTEMS
    assert verb in VERBS
    assert len(thing) == (0 if system in {"webhook", "finding", "source"} else 1)


def test_what_is_seen_and_what_is_told_say_something() -> None:
    """Each name has a sentence; the names are those they are listed under (feature 59)."""
    assert all(kind.name == name and kind.meaning.endswith(".") for name, kind in EVENTS.items())
    assert all(meaning.endswith(".") for meaning in LOG_EVENTS.values())


def test_the_things_that_are_told_are_those_there_are() -> None:
    """No log event is named after a kind of Run that does not exist."""
    things = {name.split(".")[1] for name in LOG_EVENTS if name.endswith((".failed", ".started"))}
    assert things <= KINDS.keys() & VOICES.keys()


def test_what_is_found_is_in_the_contract() -> None:
    """Every detector of the fold and of the shipped ones has its line, and no line is without one (feature 59)."""
    single = {doubles.DETECTOR, expectation_runs.DETECTOR, integrations.DETECTOR}
    declared = {*limits.SEVERITIES, *send_runs.DETECTORS.values(), *single}
    assert {name for name, kind in FINDINGS.items() if kind.basis == "declared"} == declared
    assert {name for name, kind in FINDINGS.items() if kind.basis == "learned"} == set(DETECTORS.values())
