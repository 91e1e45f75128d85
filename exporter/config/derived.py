"""What follows from a whole configuration."""

from collections.abc import Iterator
from datetime import timedelta

from exporter.config.model import Config
from exporter.config.secret import Secret


def by_any_name(config: Config) -> dict[str, str]:
    """Odoo's name of a database, or ours -> tenant."""
    return {of: one.name for one in config.databases for of in (one.database, one.name)}


def retention(config: Config) -> timedelta:
    """How long history is kept."""
    return timedelta(days=max(config.retention_days, *(one.history_days for one in config.databases), 0))


def secrets(config: Config) -> Iterator[Secret]:
    """Everything that may stand in no log."""
    for one in config.databases:
        yield one.api_key
        yield from (secret for hook in one.hooks for secret in hook.secrets)
        if one.n8n:
            yield one.n8n.api_key
