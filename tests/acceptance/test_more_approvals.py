"""Expenses, time off and a model of one's own: named in `approvals`, told as purchases are (features 33, 36, 104)."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab
from tests.fakes.odoo_models import DEFAULTS
from tests.fakes.odoo_versions import become

SHEET = "hr.expense.sheet"
OWN = "acme.credit.request"
# model: (workflow, its states in Odoo's words and keys)
MODELS = {
    "hr.expense": (
        "expense",
        {"draft": "Draft", "submitted": "Submitted", "approved": "Approved", "refused": "Refused"},
    ),
    SHEET: (
        "expense",
        {"draft": "Draft", "submit": "Submitted", "approve": "Approved", "cancel": "Refused"},
    ),
    "hr.leave": (
        "leave",
        {"confirm": "To Approve", "validate": "Approved", "refuse": "Refused", "cancel": "Cancelled"},
    ),
    OWN: (OWN, {"draft": "New", "to_approve": "Waiting", "approved": "Granted", "rejected": "Denied"}),
}
PATHS = {
    "hr.expense": (("draft", "submitted", "approved"), ("draft", "submitted", "refused")),
    SHEET: (("draft", "submit", "approve"), ("draft", "submit", "cancel")),
    "hr.leave": (("confirm", "validate"), ("confirm", "refuse")),
    OWN: (("draft", "to_approve", "approved"), ("draft", "to_approve", "rejected")),
}


@pytest.fixture(params=[15, 18, 19])
def version(request: pytest.FixtureRequest) -> int:
    """Up to 18 a sheet of expenses is approved, since 19 an expense."""
    return int(request.param)


def there(version: int) -> list[str]:
    """The models that a version has."""
    return [model for model in MODELS if model != (SHEET if version >= 19 else "hr.expense")]


@pytest.fixture
def odoo(monkeypatch: pytest.MonkeyPatch, version: int) -> LiveOdoo:
    """A database that has these models."""
    found = live_lab(running=True)
    become(found, version)
    for number, model in enumerate(there(version), start=50):
        states = MODELS[model][1]
        first = next(iter(states))
        monkeypatch.setitem(DEFAULTS, model, {"state": first, "company_id": 1, "name": "private words"})
        found.tables["ir.model.fields"][number] = {"id": number, "model": model, "name": "state", "tracking": 100}
        for language in ("en_US", "fr_FR"):
            found.selections[model, "state", language] = [[key, label] for key, label in states.items()]
    return found


@pytest.fixture
def server(odoo: LiveOdoo, version: int) -> Iterator[LiveServer]:
    """It answers."""
    with LiveServer(odoo, (version, 0)) as serving:
        yield serving


def follow(odoo: LiveOdoo, model: str, path: tuple[str, ...], field: int) -> None:
    """A document goes through its states, ten minutes in each."""
    labels = MODELS[model][1]
    one = odoo.insert(model)
    for before, after in pairwise(path):
        odoo.now += timedelta(minutes=10)
        odoo.write(model, one, state=after)
        message = odoo.insert("mail.message", model=model, res_id=one, date=odoo.now, author_id=6, subtype_id=1)
        values = {"old_value_char": labels[before], "new_value_char": labels[after]}
        odoo.insert("mail.tracking.value", field_id=field, field=field, mail_message_id=message, **values)


def test_expenses_leaves_and_own_models_are_approvals(
    tmp_path: Path, odoo: LiveOdoo, server: LiveServer, version: int
) -> None:
    """Of each one approved and one refused: the decision counted once, the wait a span, no private word."""
    entry = server.entry("acme", approvals=["purchase.order", "hr.expense", "hr.leave", OWN])
    with FakeCollector() as collector, Exporter(tmp_path, [entry], endpoint=collector.url) as exporter:
        until(lambda: exporter.reads("acme"))
        with odoo.transaction():
            for number, model in enumerate(there(version), start=50):
                for path in PATHS[model]:
                    follow(odoo, model, path, number)
        odoo.now += timedelta(minutes=10)

        def decided(model: str, decision: str) -> float:
            return exporter.value("odoo_approval_decisions_total", workflow=MODELS[model][0], decision=decision)

        for model in there(version):
            until(lambda model=model: decided(model, "approved") == 1, what=f"the approval of {model}")  # type: ignore[misc]
            until(lambda model=model: decided(model, "refused") == 1, what=f"the refusal of {model}")  # type: ignore[misc]
        until(lambda: exporter.settled("acme"))
        spans = {span.span_id: span for span in collector.spans()}.values()
    waits = [
        span for span in spans if span.name in {"state submitted", "state submit", "state confirm", "state to_approve"}
    ]
    assert len(waits) == 6
    assert all(abs(span.end_time_unix_nano - span.start_time_unix_nano - 600e9) < 2e9 for span in waits)
    assert not any("private words" in str(span) for span in spans)
