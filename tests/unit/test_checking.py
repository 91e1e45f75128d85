"""`odoo-otel check`: what a user can see, said in sentences; the fake Odoo answers."""

from datetime import UTC, datetime, timedelta

import pytest

from exporter.checking import ask, database
from exporter.checking.saying import Said
from exporter.config import Database, Secret
from exporter.errors import SourceDown
from exporter.sources.odoo.door import Door
from tests.fakes.odoo import T0, FakeDoor, FakeOdoo
from tests.fakes.odoo_lab import company

OURS = "res.users.apikeys"


class Clock:
    """Stands at the fake's time, or beside it."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        """Our time."""
        return T0 + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        """Always the same."""
        return 0.0


def settings(**given: object) -> Database:
    """A database of the configuration."""
    fixed = {"url": "http://127.0.0.1:1", "database": "lab", "name": "lab", "user": "monitor"}
    return Database(**{**fixed, "api_key": Secret("fake-key"), **given})  # type: ignore[arg-type]


class Old(FakeDoor):
    """The same, before 18."""

    def version(self) -> tuple[int, int]:
        """Odoo 16."""
        return (16, 0)


@pytest.fixture(name="odoo")
def _odoo(monkeypatch: pytest.MonkeyPatch) -> FakeOdoo:
    """A company in which nothing is wrong."""
    odoo = company()
    odoo.insert("ir.model.fields", model="purchase.order", name="state")
    answered(monkeypatch, FakeDoor(odoo))
    return odoo


def answered(monkeypatch: pytest.MonkeyPatch, door: Door) -> None:
    """Let this door be opened."""
    monkeypatch.setattr(database, "open_door", lambda _access, _choice: door)


def said(ahead: float = 0.0, **given: object) -> list[Said]:
    """Everything that is said of it."""
    return list(ask(settings(**given), Clock(ahead)))  # type: ignore[arg-type]


def wrong(found: list[Said]) -> list[tuple[str, str]]:
    """What is not as it should be."""
    return [(one.severity, one.sentence) for one in found if one.severity in {"warning", "error"}]


def has(found: list[Said], severity: str, *words: str) -> bool:
    """Whether a sentence of that severity has all the words."""
    return any(one.severity == severity and all(word in one.sentence for word in words) for one in found)


def test_where_everything_is_seen_nothing_is_wrong(odoo: FakeOdoo) -> None:
    """Every collection, the key, the clock, the log: sentences, none of them a warning (features 61, 114)."""
    found = said()
    assert wrong(found) == []
    collections = ("odoo/crons", "odoo/jobs", "odoo/approvals", "odoo/automations", "odoo/mails", "odoo/logging")
    assert all(has(found, "ok", f"{one} sees") for one in collections)
    assert has(found, "ok", "Odoo 19.0 answers monitor")
    assert not [one for one in found if "fake-key" in str(one)]
    assert {method for _, method in odoo.calls} <= {"search_read", "search_count", "fields_get", "context_get"}


@pytest.mark.parametrize(
    ("model", "severity"), [("ir.cron", "error"), ("ir.cron.progress", "warning"), ("queue.job", "warning")]
)
def test_a_right_that_is_missing_is_named_with_what_is_lost(odoo: FakeOdoo, model: str, severity: str) -> None:
    """Without scheduled actions nothing can be watched; of the others less is seen (features 63, 114)."""
    odoo.forbidden.add(model)
    ((grave, sentence),) = wrong(said())
    assert (grave, sentence.startswith(f"monitor may not read {model}: ")) == (severity, True)
    assert "odoo-otel odoo-access" in sentence


def test_a_module_that_is_not_there_is_a_note(odoo: FakeOdoo) -> None:
    """Nobody has to have queue jobs."""
    odoo.absent.update({"queue.job", "base.automation"})
    found = said()
    assert wrong(found) == []
    assert has(found, "note", "There is no queue.job here", "the module queue_job brings it")


def test_another_version_is_unverified(odoo: FakeOdoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 19.0 is tested (decision 26); what it lacks is noted (feature 115)."""
    odoo.absent.add("ir.cron.progress")
    answered(monkeypatch, Old(odoo))
    found = said()
    assert has(found, "note", "Odoo 16.0 is unverified")
    assert has(found, "note", "no ir.cron.progress", "Odoo's log alone")
    assert wrong(found) == []


def test_a_state_without_a_history_is_said(odoo: FakeOdoo) -> None:
    """Only tracked fields leave one (feature 114)."""
    for one in odoo.tables["ir.model.fields"]:
        odoo.write("ir.model.fields", one, tracking=False)
    ((severity, sentence),) = wrong(said())
    assert (severity, "purchase.order.state is not tracked" in sentence) == ("warning", True)


def test_a_refusal_is_all_there_is_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, an error."""

    def refuse(_access: object, _choice: object) -> Door:
        message = "Odoo refused the API key of monitor."
        raise SourceDown(message)

    monkeypatch.setattr(database, "open_door", refuse)
    assert [(one.severity, one.sentence) for one in said()] == [("error", "Odoo refused the API key of monitor.")]


@pytest.mark.parametrize(("ahead", "words"), [(60, "60 s behind ours"), (-60, "60 s ahead of ours")])
def test_clocks_that_differ_are_a_warning(odoo: FakeOdoo, ahead: float, words: str) -> None:
    """Measured by the answers' own date."""
    assert odoo.now == T0
    assert [words in sentence for _, sentence in wrong(said(ahead))] == [True]


@pytest.mark.parametrize(("hosting", "words"), [("odoo.sh", "10 minutes late"), ("online", "no log to be had")])
def test_the_hosting_says_what_can_be_had(odoo: FakeOdoo, hosting: str, words: str) -> None:
    """What there is beside RPC, and how late actions may begin."""
    assert odoo
    assert has(said(hosting=hosting), "note", words)


def test_the_growth_of_the_log_is_measured(odoo: FakeOdoo) -> None:
    """Rows a day from the newest rows alone; too many are a warning."""
    start = odoo.now
    for gap, severity, words in ((60, "ok", "about 1,440 rows a day"), (1, "warning", "about 86,400 rows a day")):
        odoo.tables["ir.logging"].clear()
        for row in range(1500):
            odoo.now = start - timedelta(seconds=gap * (1500 - row))
            odoo.insert("ir.logging")
        odoo.now = start
        assert has(said(), severity, words)


def test_before_the_log_is_switched_on_it_is_said_what_it_would_write(odoo: FakeOdoo) -> None:
    """Runs of a day, and our own polls: each is a line of Odoo's web server (facts/odoo.md section 2)."""
    assert odoo
    assert has(said(poll_seconds=30), "note", "log_db is off", "2 rows a day for 1 runs", "23,040 for our own polls")


def test_a_key_that_ends_soon_is_a_warning(odoo: FakeOdoo) -> None:
    """Odoo's own rows, the first end of several; else what the configuration says (feature 64)."""
    for days in (60, 3):
        odoo.insert(OURS, expiration_date=odoo.now + timedelta(days=days), user_id=1)
    odoo.write("res.users", 1, login="monitor")
    ((_, sentence),) = wrong(said())
    assert sentence.startswith("Its API key (the first of 2) ends at 2026-11-25 13:00 UTC: make a new one and write it")
    odoo.forbidden.add(OURS)
    assert wrong(said()) == []
    ends = datetime(2026, 11, 30, tzinfo=UTC)
    assert [severity for severity, _ in wrong(said(api_key_expires=ends))] == ["warning"]
