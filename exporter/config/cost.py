"""What is read and told of one database where everything would cost too much."""

from dataclasses import dataclass, field

from exporter.config import kinds as k
from exporter.config.kinds import setting

COLLECTIONS = (
    "odoo/logging",
    "odoo/crons",
    "odoo/jobs",
    "odoo/approvals",
    "odoo/automations",
    "odoo/mails",
    "odoo/keys",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The choice of one database: first what is read at all, then what of it is told."""

    sources: tuple[str, ...] = field(
        default=(),
        metadata=setting(k.some(*COLLECTIONS), "What is read of Odoo; left out, all of it."),
    )
    exclude_sources: tuple[str, ...] = field(
        default=(),
        metadata=setting(k.some(*COLLECTIONS), "What is not read of Odoo."),
    )
    include_models: tuple[str, ...] = field(
        default=(), metadata=setting(k.MODELS, "Only Runs of these models are told; left out, of all.")
    )
    exclude_models: tuple[str, ...] = field(
        default=(), metadata=setting(k.MODELS, "Runs of these models are never told, counted or alerted on.")
    )
    include_companies: tuple[int, ...] = field(
        default=(),
        metadata=setting(
            k.NUMBERS, "Only Runs of companies with these ids are told, and those that belong to none; left out, all."
        ),
    )
    exclude_companies: tuple[int, ...] = field(
        default=(), metadata=setting(k.NUMBERS, "Runs of companies with these ids are never told.")
    )
    signals: tuple[str, ...] = field(
        default=("traces", "metrics", "logs"),
        metadata=setting(
            k.some("traces", "metrics", "logs"),
            "What leaves; without metrics no alert of this database can fire, what we say of ourselves stays.",
        ),
    )
    sample_successes: float = field(
        default=1.0,
        metadata=setting(
            k.SHARE,
            "The share of successful Runs whose spans leave, by whole trace; failures always do, metrics and logs too.",
        ),
    )
    calls_per_minute: int = field(
        default=0,
        metadata=setting(
            k.whole(0, 6000),
            "So many calls a minute are made at most, evenly; 0 as many as needed. Fewer are slower, never wrong.",
        ),
    )

    def collections(self) -> tuple[str, ...]:
        """What is read of Odoo."""
        wanted = self.sources or COLLECTIONS
        return tuple(name for name in COLLECTIONS if name in wanted and name not in self.exclude_sources)
