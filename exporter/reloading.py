"""SIGHUP: the configuration is read again, and what changed of the databases takes place while the rest runs on.

A fault changes nothing of what it is about: what ran runs on as it was, and every fault is said.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from exporter.config import Config, Database
from exporter.domain.times import micros
from exporter.errors import ConfigError
from exporter.hooks import served
from exporter.intake.hooks import Served

log = logging.getLogger(__name__)
AT_ONCE = frozenset({"databases", "skipped", "log_level", "retention_days"})  # the other settings need a restart


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a new configuration changes.

    Attributes:
        config: what holds from now on.
        hooks: who may post from now on.
        fresh: databases that are new, or configured otherwise; `gone`: names of those that are watched no longer.
        faults: what of it cannot be done, and why.
    """

    config: Config
    hooks: Mapping[str, Served]
    fresh: tuple[Database, ...] = ()
    gone: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class Reloading:
    """The configuration that holds.

    Attributes:
        config: what holds.
        read: the configuration as it is written now; raises ConfigError.
        now: our own clock.
        since: when all of it was taken.
        good: whether the last time all was taken.
    """

    config: Config
    read: Callable[[], Config]
    now: Callable[[], datetime]
    since: datetime
    good: bool = True
    _unread: str = ""

    def again(self) -> Change | None:
        """Read it again and say what changes; None, where nothing of it can be used."""
        try:
            change = compare(self.config, self.read())
        except ConfigError as error:
            self._refuse(error)
            return None
        self.config, self.good = change.config, not change.faults
        if self.good:
            self.since = self.now()
        for fault in change.faults:
            log.error("the configuration was read again: %s", fault)
        names = ", ".join(one.name for one in change.fresh) or "no database"
        gone = ", ".join(sorted(change.gone)) or "none"
        log.info("the configuration was read again: %s changed, %s left", names, gone)
        return change

    def keys(self, names: Collection[str]) -> tuple[Database, ...]:
        """Those of the databases whose keys are other ones now, with these and everything else as it was.

        What else was changed waits for SIGHUP: whoever is in the middle of an edit did not ask for it.
        """
        try:
            written = {one.name: one for one in self.read().databases}
        except ConfigError as error:
            self._unreadable(" ".join(error.faults))
            return ()
        self._unread = ""
        old = {one.name: one for one in self.config.databases}
        both = ((old[name], written[name]) for name in names if name in old and name in written)
        fresh = {before.name: found for before, after in both if (found := _keyed(before, after)) != before}
        if fresh:
            log.info("another key is written for %s: it is tried", ", ".join(fresh))
            self.config = replace(self.config, databases=tuple((old | fresh).values()))
        return tuple(fresh.values())

    def _unreadable(self, faults: str) -> None:
        if faults != self._unread:
            log.warning("a key was refused, and whether another one is written cannot be read: %s", faults)
            self._unread = faults

    def _refuse(self, error: ConfigError) -> None:
        self.good = False
        log.error("the configuration was read again and is not taken: %s", " ".join(error.faults))

    def gauges(self) -> dict[str, int]:
        """What a scrape shows of it, by metric."""
        return {
            "odoo_otel_config_last_reload_successful": int(self.good),
            "odoo_otel_config_last_reload_success_timestamp_seconds": micros(self.since),
        }


def compare(old: Config, new: Config) -> Change:
    """What the new configuration changes of the old one; a database with faults stays as it was.

    Raises:
        ConfigError: its hooks cannot be served.
    """
    before = {one.name: one for one in old.databases}
    good = {one.name for one in new.databases}  # what is skipped because it bears one of these names is not kept
    kept = tuple(before[one.name] for one in new.skipped if one.name in before and one.name not in good)
    databases = (*new.databases, *kept)
    waiting = {name: getattr(old, name) for name in _settings() if name not in AT_ONCE}
    return Change(
        config=replace(new, databases=databases, **waiting),
        hooks=served(databases),
        fresh=tuple(one for one in new.databases if one != before.get(one.name)),
        gone=frozenset(before) - {one.name for one in databases},
        faults=(*_skipped(new, before), *_restarts(old, new)),
    )


def _keyed(old: Database, new: Database) -> Database:
    """The old one with the keys of the new one."""
    n8n = replace(old.n8n, api_key=new.n8n.api_key) if old.n8n and new.n8n else old.n8n
    return replace(old, api_key=new.api_key, n8n=n8n)


def _skipped(new: Config, before: Mapping[str, Database]) -> Iterator[str]:
    for one in new.skipped:
        then = "it is watched as before" if one.name in before else "it is skipped"
        yield f"{one.name}: {then}: {' '.join(one.faults)}"


def _restarts(old: Config, new: Config) -> Iterator[str]:
    for name in _settings():
        if name not in AT_ONCE and getattr(old, name) != getattr(new, name):
            yield f"{name}: takes effect at the next start; restart the exporter."


def _settings() -> list[str]:
    return [one.name for one in fields(Config)]
