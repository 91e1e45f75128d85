"""The configured senders of webhooks as the intake serves them: each bound to what its payload means."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial

from exporter.config import Database, Happens, Hook, N8n
from exporter.domain.bodies import WebhookReceived
from exporter.domain.posted import Posted
from exporter.errors import ConfigError
from exporter.fold.happening import Expectation, Happening
from exporter.fold.subjects import Integration
from exporter.intake.hooks import Parse, Served
from exporter.sources.mapped import load_mapping, parse
from exporter.sources.odoo import webhook

# Senders that are no mapping: a line each.
PARSERS: Mapping[str, Callable[[Posted], tuple[WebhookReceived, ...]]] = {"odoo": webhook.parse}


def parser(hook: Hook) -> Parse:
    """What a hook's payload means. Raises ConfigError when its mapping cannot be used."""
    wanted = hook.mapping or hook.name
    return PARSERS.get(wanted) or partial(parse, load_mapping(wanted))


def served(databases: Iterable[Database]) -> dict[str, Served]:
    """Every hook of every database, by name.

    Raises:
        ConfigError: two hooks of one name, or a mapping with faults; all are listed.
    """
    found: dict[str, Served] = {}
    faults: list[str] = []
    for database in databases:
        for hook in database.hooks:
            where = f"{database.name}, hook {hook.name}"
            if hook.name in found:
                faults.append(
                    f"{where}: {found[hook.name].tenant} has a hook of that name; their addresses would be one."
                )
                continue
            try:
                means = parser(hook)
            except ConfigError as error:
                faults += [f"{where}: {fault}" for fault in error.faults]
                continue
            found[hook.name] = Served(
                tenant=database.name, name=hook.name, scheme=hook.scheme, secrets=hook.secrets, parse=means
            )
    if faults:
        raise ConfigError(faults)
    return found


def integrations(database: Database) -> dict[str, Integration]:
    """What the operator said of each sender, for the fold."""
    return {
        hook.name: Integration(
            criticality=hook.criticality,
            tolerance=_tolerance(hook.latency_tolerance),
            native=is_native(hook),
        )
        for hook in database.hooks
    }


def engine(n8n: N8n | None) -> Integration:
    """What the operator said of n8n, for the fold."""
    if n8n is None:
        return Integration()
    return Integration(criticality=n8n.criticality, tolerance=_tolerance(n8n.latency_tolerance))


def expectations(database: Database) -> tuple[Expectation, ...]:
    """What has to follow what, for the fold."""
    return tuple(
        Expectation(
            name=one.name,
            after=_happening(one.after),
            then=_happening(one.then),
            within=timedelta(seconds=one.within),
            criticality=one.criticality,
            by_record=one.same_record,
        )
        for one in database.expect
    )


def _happening(one: Happens) -> Happening:
    return Happening(what=one.what, name=one.name, value=one.value)


def _tolerance(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def is_native(hook: Hook) -> bool:
    """Whether Odoo itself posts there."""
    return (hook.mapping or hook.name) == "odoo"
