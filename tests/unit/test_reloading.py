"""What a configuration that was read again changes, and what it leaves as it was."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.config import Config, Database, Hook, N8n, Secret, Skipped
from exporter.domain.times import micros
from exporter.errors import ConfigError
from exporter.reloading import Reloading, compare

BEGAN = datetime(2026, 11, 22, 10, tzinfo=UTC)


def database(name: str, **others: object) -> Database:
    """A database of that name."""
    given = {"url": f"https://{name}.example", "database": name, "user": "watch", "api_key": Secret("key")} | others
    return Database(name=name, **given)  # type: ignore[arg-type]


def hook(name: str) -> Hook:
    """A sender that proves himself with a bearer token."""
    return Hook(name=name, scheme="bearer", secrets=(Secret("s" * 32),), mapping="stripe")


def config(*databases: Database, **others: object) -> Config:
    """A configuration of these."""
    return Config(databases=databases, **others)  # type: ignore[arg-type]


def reloading(read: Callable[[], Config], was: Config) -> Reloading:
    """A minute later."""
    return Reloading(config=was, read=read, now=lambda: BEGAN + timedelta(minutes=1), since=BEGAN)


def test_only_what_changed_is_touched() -> None:
    """A database that is new or configured otherwise is fresh, one no longer named is gone, the others are neither."""
    old = config(database("same"), database("other"), database("gone"))
    new = config(database("same"), database("other", poll_seconds=30.0), database("new"))
    change = compare(old, new)
    assert ([one.name for one in change.fresh], change.gone, change.faults) == (["other", "new"], {"gone"}, ())
    assert change.config == new


def test_a_secret_that_was_rotated_is_a_change() -> None:
    """Another key in the file that a reference names makes its database fresh."""
    change = compare(config(database("a")), config(database("a", api_key=Secret("rotated"))))
    assert [one.api_key for one in change.fresh] == [Secret("rotated")]


def test_an_entry_that_repeats_a_name_is_not_watched_beside_it() -> None:
    """The second of one name is skipped; the first one takes the place of what ran, once."""
    new = config(database("a", poll_seconds=5.0), skipped=(Skipped(name="a", faults=("name: is taken.",)),))
    change = compare(config(database("a")), new)
    assert [one.poll_seconds for one in change.config.databases] == [5.0]


def test_a_database_with_faults_is_watched_as_before() -> None:
    """What is wrong about one database leaves it as it was, and the others change; every fault is said."""
    old = config(database("a"), database("b"))
    new = config(
        database("b", poll_seconds=5.0),
        skipped=(Skipped(name="a", faults=("url: is missing.",)), Skipped(name="c", faults=("user: is missing.",))),
    )
    change = compare(old, new)
    assert ([one.name for one in change.fresh], change.gone) == (["b"], frozenset())
    assert {one.name for one in change.config.databases} == {"a", "b"}
    assert change.faults == ("a: it is watched as before: url: is missing.", "c: it is skipped: user: is missing.")


@pytest.mark.parametrize(("name", "value"), [("listen_port", 1), ("state_dir", Path("x")), ("label_cap", 3)])
def test_what_needs_a_restart_says_so(name: str, value: object) -> None:
    """A setting that is used once, at the start, keeps its value and is named."""
    old = config(database("a"))
    change = compare(old, replace(old, **{name: value}))  # type: ignore[arg-type]
    assert change.faults == (f"{name}: takes effect at the next start; restart the exporter.",)
    assert change.config == old


@pytest.mark.parametrize(("name", "value"), [("log_level", "debug"), ("retention_days", 3)])
def test_what_can_be_changed_is_changed(name: str, value: object) -> None:
    """The level of the log and how long history is kept take effect at once."""
    old = config(database("a"))
    change = compare(old, replace(old, **{name: value}))  # type: ignore[arg-type]
    assert (change.faults, getattr(change.config, name)) == ((), value)


def test_hooks_are_those_of_every_database() -> None:
    """Senders of new, changed and unchanged databases may post, those of one that left may not."""
    old = config(database("a", hooks=(hook("one"),)), database("gone", hooks=(hook("two"),)))
    change = compare(old, config(database("a", hooks=(hook("one"),)), database("new", hooks=(hook("three"),))))
    assert {name: one.tenant for name, one in change.hooks.items()} == {"one": "a", "three": "new"}


def test_a_file_that_cannot_be_used_changes_nothing() -> None:
    """The configuration stays, the gauge says that the last reload failed, and since when the old one holds."""

    def broken() -> Config:
        raise ConfigError(["databases: must be a list with at least one database."])

    was = config(database("a"))
    found = reloading(broken, was)
    assert found.again() is None
    assert found.config is was
    assert found.gauges() == {
        "odoo_otel_config_last_reload_successful": 0,
        "odoo_otel_config_last_reload_success_timestamp_seconds": micros(BEGAN),
    }


def test_two_hooks_of_one_name_change_nothing() -> None:
    """Hooks that cannot be told apart are a fault of the whole."""
    both = config(database("a", hooks=(hook("one"),)), database("b", hooks=(hook("one"),)))
    assert reloading(lambda: both, config(database("a"))).again() is None


def test_a_file_that_was_mended_is_taken() -> None:
    """After a faulty reload the next good one sets the gauge and its time."""
    was = config(database("a"))
    answers = iter([replace(was, listen_port=1), was])
    found = reloading(lambda: next(answers), was)
    found.again()
    assert found.gauges()["odoo_otel_config_last_reload_successful"] == 0
    found.again()
    assert [*found.gauges().values()] == [1, micros(BEGAN + timedelta(minutes=1))]


def test_of_a_key_that_is_refused_only_the_key_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """Another key in the file is tried without a signal; what else was edited waits for one (feature 64)."""
    n8n = N8n(url="http://n8n.example", api_key=Secret("old"))
    was = config(database("a", n8n=n8n), database("b"), database("c"))
    edited = database("a", api_key=Secret("new"), n8n=N8n(url="http://else.example", api_key=Secret("new")), user="x")
    reload = reloading(lambda: config(edited, database("b", api_key=Secret("new"))), was)
    (fresh,) = reload.keys({"a", "c"})
    wanted = database("a", api_key=Secret("new"), n8n=N8n(url="http://n8n.example", api_key=Secret("new")))
    assert fresh == wanted
    assert reload.config == config(wanted, database("b"), database("c"))
    assert reload.keys({"a", "c"}) == ()
    assert "new" not in [record.getMessage() for record in caplog.records]


def test_while_the_file_cannot_be_read_the_old_key_stays(caplog: pytest.LogCaptureFixture) -> None:
    """A file that is being written is looked at again; the fault is said once, not every five seconds."""

    def broken() -> Config:
        raise ConfigError(["the file key cannot be read"])

    reload = reloading(broken, config(database("a")))
    assert [reload.keys({"a"}) for _ in range(3)] == [(), (), ()]
    assert len(caplog.records) == 1
