"""What is declared of scheduled actions in the configuration: it arrives in the fold, and what is wrong is said."""

import re
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from exporter.config import Action, Database, load
from exporter.databases import watch
from exporter.fold.limits import Limits
from exporter.fold.quiet import quiet_until

ROOT = Path(__file__).parents[3]
BASE = {"url": "https://a.example", "database": "acme", "user": "bot", "api_key": "k"}
OTHER = {**BASE, "database": "other"}
QUIET = (
    "must be days, times and a zone that this machine knows, such as Sun 02:00-04:00 Europe/Berlin, or a list of them"
)


def loaded(tmp_path: Path, **given: object) -> Database:
    """The database of a file that says this of it."""
    (tmp_path / "file.yaml").write_text(yaml.safe_dump({"databases": [{**BASE, **given}]}))
    (database,) = load(tmp_path / "file.yaml", {}).databases
    return database


def faults(tmp_path: Path, **given: object) -> tuple[str, ...]:
    """What is wrong with it, said while another database runs."""
    (tmp_path / "file.yaml").write_text(yaml.safe_dump({"databases": [{**BASE, **given}, OTHER]}))
    (skipped,) = load(tmp_path / "file.yaml", {}).skipped
    return skipped.faults


def test_limits_of_an_action_arrive_in_the_fold(tmp_path: Path) -> None:
    """Each beside the defaults of what it leaves out; an id is a label, too (features 80, 81)."""
    given = {"base.a": {"failures": 3, "recoveries": 2, "late": 300}, 42: {"missed": "900", "stuck": 7200}}
    watched = watch(loaded(tmp_path, limits=given), 200)
    minutes = {"late": timedelta(minutes=5), "missed": timedelta(minutes=15), "stuck": timedelta(hours=2)}
    assert watched.limits["base.a"] == Limits(failures=3, recoveries=2, late=minutes["late"])
    assert watched.limits["42"] == Limits(missed=minutes["missed"], stuck=minutes["stuck"])
    assert watched.usual == Limits()


def test_where_actions_begin_late_by_themselves_they_may(tmp_path: Path) -> None:
    """Odoo.sh and Odoo Online promise no time: no limit is shorter than what is usual there (feature 81)."""
    given = {"base.a": {"late": 60, "missed": 90}, "base.b": {"late": 3600, "missed": 7200}}
    for hosting, late in (("self", 120), ("odoo.sh", 600), ("online", 600)):
        watched = watch(loaded(tmp_path, limits=given, hosting=hosting), 200)
        assert watched.usual == Limits(late=timedelta(seconds=late))
        assert watched.limits["base.b"] == Limits(late=timedelta(hours=1), missed=timedelta(hours=2))
        floors = {"late": 60, "missed": 90} if hosting == "self" else {"late": 600, "missed": 1200}
        assert watched.limits["base.a"] == Limits(**{name: timedelta(seconds=one) for name, one in floors.items()})


def test_which_logs_are_waited_for(tmp_path: Path) -> None:
    """ir.logging is read unless it is told not to be, and waited for only where it is told to."""
    for choice, read, waited in (("auto", True, set()), ("wait", True, {"odoo/logging"}), ("no", False, set())):
        watched = watch(loaded(tmp_path, ir_logging=choice), 200)
        assert ("odoo/logging" in watched.expected, watched.witnesses) == (read, waited)


def test_the_defaults_of_both_are_one() -> None:
    """What the page of the configuration says is what the fold does."""
    assert Limits() == Limits(
        late=timedelta(seconds=Action().late),
        missed=None if Action().missed is None else timedelta(0),
        stuck=timedelta(seconds=Action().stuck),
        failures=Action().failures,
        recoveries=Action().recoveries,
    )


def test_windows_of_a_database_are_those_of_every_action(tmp_path: Path) -> None:
    """An action's own come beside them (feature 83)."""
    given = {"quiet": "Sun 02:00-04:00 Europe/Berlin", "limits": {"base.a": {"quiet": ["daily 22:00-06:00 UTC"]}}}
    watched = watch(loaded(tmp_path, **given), 200)
    sunday, night = datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 3, 25, 23, tzinfo=UTC)
    assert quiet_until(watched.usual.quiet, sunday) == datetime(2026, 3, 29, 2, tzinfo=UTC)
    assert quiet_until(watched.usual.quiet, night) is None
    assert quiet_until(watched.limits["base.a"].quiet, night) == datetime(2026, 3, 26, 6, tzinfo=UTC)
    assert len(watched.limits["base.a"].quiet) == 2


@pytest.mark.parametrize(
    ("written", "days", "begin", "end"),
    [
        ("Sun 02:00-04:00 UTC", {6}, 2.0, 4.0),
        ("sat,SUN  00:00-24:00   UTC", {5, 6}, 0.0, 24.0),
        ("Mon-Fri 22:30-02:00 UTC", {0, 1, 2, 3, 4}, 22.5, 2.0),
        ("Fri-Mon,Wed 12:00-13:00 UTC", {4, 5, 6, 0, 2}, 12.0, 13.0),
        ("daily 12:00-13:00 UTC", set(range(7)), 12.0, 13.0),
    ],
)
def test_a_window_is_read_as_meant(tmp_path: Path, written: str, days: set[int], begin: float, end: float) -> None:
    """Days alone, as a list, as a range over the end of the week (feature 83)."""
    (found,) = loaded(tmp_path, quiet=written).quiet
    assert (found.days, found.begin, found.end) == (days, timedelta(hours=begin), timedelta(hours=end))


@pytest.mark.parametrize(
    "written",
    [
        "Sun 02:00-04:00",
        "02:00-04:00 UTC",
        "Son 02:00-04:00 UTC",
        "Sun- 02:00-04:00 UTC",
        "Sun 02:00-02:00 UTC",
        "Sun 24:00-02:00 UTC",
        "Sun 02:60-04:00 UTC",
        "Sun 02:00-24:01 UTC",
        "Sun 2-4 UTC",
        "Sun 02:00-04:00 Europe/Nowhere",
        "Sun 02:00-04:00 Europe",
        "Sun 02:00-04:00 ../../etc/hostname",
        "Sun 02:00-04:00 /etc/localtime",
        120,
        {"sun": 1},
        ["Sun 02:00-04:00 UTC", "x"],
        True,
    ],
)
def test_a_window_that_is_none_is_one_sentence(tmp_path: Path, written: object) -> None:
    """Whatever is wrong with it, and wherever it stands."""
    assert faults(tmp_path, quiet=written) == (f"databases[0].quiet: {QUIET}.",)
    of_action = faults(tmp_path, limits={"base.a": {"quiet": written}})
    assert of_action == (f"databases[0].limits.base.a.quiet: {QUIET}.",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"failures": 0}, "failures: must be a whole number from 1 to 1000."),
        ({"failures": 1.5}, "failures: must be a whole number from 1 to 1000."),
        ({"recoveries": "two"}, "recoveries: must be a whole number from 1 to 1000."),
        ({"recoveries": True}, "recoveries: must be a whole number from 1 to 1000."),
        ({"late": 0}, "late: must be a number of seconds from 1 to 31622400."),
        ({"stuck": 1e300}, "stuck: must be a number of seconds from 1 to 31622400."),
        ({"missed": ".nan"}, "missed: must be a number of seconds from 1 to 31622400."),
        ({"missed": 60}, "missed: must be more than late (120 seconds): it is late before it is missed."),
        ({"late": 10, "missed": 10}, "missed: must be more than late (10 seconds): it is late before it is missed."),
        ({"failure": 3}, "failure: is not known; did you mean failures?"),
    ],
)
def test_a_wrong_limit_is_one_sentence(tmp_path: Path, given: object, said: str) -> None:
    """With the action, the key and what to write; the other databases run (features 80, 81)."""
    assert faults(tmp_path, limits={"base.a": given}) == (f"databases[0].limits.base.a.{said}",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("none", ": must be names, each with keys of its own, see below."),
        (["base.a"], ": must be names, each with keys of its own, see below."),
        ({"base.a": 120}, ".base.a: must stand under a name of letters, digits, dots, dashes and underscores, with"),
        ({"base.a": None}, ".base.a: must stand under a name of letters, digits, dots, dashes and underscores, with"),
        ({"base a": {"late": 1}}, ".base a: must stand under a name of letters, digits, dots, dashes and underscores"),
    ],
)
def test_limits_that_are_none_are_one_sentence(tmp_path: Path, given: object, said: str) -> None:
    """They are named by action."""
    (fault,) = faults(tmp_path, limits=given)
    assert fault.startswith(f"databases[0].limits{said}")


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    """Of the database and of every action."""
    given = {"base.a": {"late": -1, "failures": "x"}, "base.b": {"quiet": 3}}
    found = faults(tmp_path, poll_seconds=0, limits=given)
    assert [fault.split(":")[0].removeprefix("databases[0].") for fault in found] == [
        "poll_seconds",
        "limits.base.a.late",
        "limits.base.a.failures",
        "limits.base.b.quiet",
    ]


def test_the_example_of_the_page_is_taken(tmp_path: Path) -> None:
    """What docs/configuration.md shows of limits and windows can be copied."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    example = yaml.safe_load(textwrap.dedent(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[-1]))
    found = loaded(tmp_path, **example)
    assert {one.name for one in found.limits} == set(example["limits"])
    assert len(found.quiet) == 1
