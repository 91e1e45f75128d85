"""What the configuration says of cost arrives where it is decided, and what is wrong with it is said."""

from pathlib import Path

import pytest

from exporter.config import cost
from exporter.databases import watch
from exporter.fold.choosing import EVERYTHING, Choice
from exporter.sources.odoo.registry import COLLECTIONS
from tests.unit.config.test_limits import faults, loaded


def test_without_a_choice_everything_is_told(tmp_path: Path) -> None:
    """The default is the very object that the fold takes for no choice: it then costs nothing."""
    watched = watch(loaded(tmp_path), 200)
    assert watched.choice is EVERYTHING
    assert tuple(watched.expected) == tuple(COLLECTIONS)


def test_a_choice_arrives_in_the_fold(tmp_path: Path) -> None:
    """Cost control: models, companies, signals and the share of successes are those of the file."""
    given = {
        "sources": ["odoo/jobs", "odoo/crons"],
        "include_models": ["sale.order"],
        "exclude_models": "res.partner, mail.mail",
        "include_companies": [1, 3],
        "exclude_companies": "7",
        "signals": ["traces", "logs"],
        "sample_successes": 0.1,
    }
    watched = watch(loaded(tmp_path, cost=given), 200)
    assert watched.choice == Choice(
        models=frozenset({"sale.order"}),
        no_models=frozenset({"res.partner", "mail.mail"}),
        companies=frozenset({1, 3}),
        no_companies=frozenset({7}),
        signals=frozenset({"traces", "logs"}),
        ratio=0.1,
    )
    assert tuple(watched.expected) == ("odoo/crons", "odoo/jobs"), "what is not read is not reported on"


def test_a_source_can_be_left_out(tmp_path: Path) -> None:
    """Everything but what is excluded; what is excluded is not read though it is included, too."""
    watched = watch(loaded(tmp_path, cost={"exclude_sources": ["odoo/mails", "odoo/keys"]}), 200)
    assert set(watched.expected) == set(COLLECTIONS) - {"odoo/mails", "odoo/keys"}
    both = {"sources": ["odoo/jobs", "odoo/mails"], "exclude_sources": ["odoo/mails"]}
    assert tuple(watch(loaded(tmp_path, cost=both), 200).expected) == ("odoo/jobs",)


def test_the_sources_are_those_there_are() -> None:
    """A collection that can be read can be chosen."""
    assert set(cost.COLLECTIONS) == set(COLLECTIONS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sources": ["odoo/cron"]}, "databases[0].cost.sources: must be a list with some of odoo/logging"),
        ({"exclude_sources": ["mails"]}, "databases[0].cost.exclude_sources: must be a list with some of odoo/logging"),
        ({"signals": ["trace"]}, "databases[0].cost.signals: must be a list with some of traces, metrics, logs."),
        ({"sample_successes": 10}, "databases[0].cost.sample_successes: must be a number from 0 to 1."),
        ({"exclude_companies": ["acme"]}, "databases[0].cost.exclude_companies: must be a list of ids such as [1, 3]."),
        ({"calls_per_minute": -1}, "databases[0].cost.calls_per_minute: must be a whole number from 0 to 6000."),
        ({"sample_success": 1}, "databases[0].cost.sample_success: is not known; did you mean sample_successes?"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, given: dict[str, object], said: str) -> None:
    """Bad input names the key and what it must be; the other database runs."""
    (fault,) = faults(tmp_path, cost=given)
    assert fault.startswith(said)
