"""The settings: each field says its kind, its meaning, its default; docs/configuration.md is generated from them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from exporter.config import kinds as k
from exporter.config.kinds import setting
from exporter.config.secret import Secret

STORE_FILE = "odoo-otel.sqlite"
Door = Literal["auto", "json2", "jsonrpc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One Odoo database."""

    url: str = field(metadata=setting(k.URL, "Where Odoo answers.", "ODOO_URL"))
    database: str = field(
        metadata=setting(k.NAMED, "Odoo's own name of the database; the label `odoo_database`.", "ODOO_DB")
    )
    user: str = field(
        metadata=setting(k.TEXT, "Login of the user that reads; give it as few rights as you can.", "ODOO_USER")
    )
    api_key: Secret = field(metadata=setting(k.SECRET, "An API key of that user.", "ODOO_API_KEY"))
    name: str = field(
        default="",
        metadata=setting(
            k.NAMED,
            "What everything stored is kept under: never change it. Left out, it is `database`.",
            "ODOO_OTEL_NAME",
        ),
    )
    environment: str = field(
        default="production",
        metadata=setting(
            k.TEXT, "`deployment.environment.name`; part of every id, so that copies differ.", "ODOO_OTEL_ENVIRONMENT"
        ),
    )
    door: Door = field(
        default="auto",
        metadata=setting(
            k.choice("auto", "json2", "jsonrpc"),
            "How Odoo is asked: JSON-2 exists from Odoo 19, JSON-RPC before and still; `auto` chooses.",
            "ODOO_OTEL_DOOR",
        ),
    )
    poll_seconds: float = field(
        default=15.0,
        metadata=setting(k.seconds(1, 3600), "Between two polls of one source.", "ODOO_OTEL_POLL_SECONDS"),
    )
    history_days: int = field(
        default=30,
        metadata=setting(
            k.whole(0, 3650), "How far back the first start reads; 0 reads nothing old.", "ODOO_OTEL_HISTORY_DAYS"
        ),
    )
    history_spans: bool = field(
        default=True,
        metadata=setting(k.TRUTH, "Whether what happened before the first start becomes spans, too."),
    )
    limits: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = field(
        default=(),
        metadata=setting(
            k.LIMITS,
            "Limits of single scheduled actions, by the label `cron`; left out: late 120, missed 3600, stuck 3600.",
        ),
    )
    approvals: tuple[str, ...] = field(
        default=("purchase.order",),
        metadata=setting(k.MODELS, "Documents whose tracked states are read; tier reviews are read of every model."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A database that is configured wrongly: it is reported and left out while the others run."""

    name: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole program."""

    state_dir: Path = field(
        default=Path("state"),
        metadata=setting(k.FOLDER, "Where the store lives; made when it is missing.", "ODOO_OTEL_STATE"),
    )
    listen_host: str = field(
        default="127.0.0.1",
        metadata=setting(k.TEXT, "Address /metrics answers on (`ODOO_OTEL_LISTEN=host:port`).", "ODOO_OTEL_LISTEN"),
    )
    listen_port: int = field(
        default=9464,
        metadata=setting(k.whole(0, 65535), "Port /metrics answers on; 0 takes a free one.", "ODOO_OTEL_LISTEN"),
    )
    intake_port: int = field(
        default=9465,
        metadata=setting(
            k.whole(0, 65535),
            "Port of 127.0.0.1 on which the detectors hand in what they found; 0 takes a free one.",
            "ODOO_OTEL_INTAKE_PORT",
        ),
    )
    detectors: bool = field(
        default=True,
        metadata=setting(
            k.TRUTH,
            "Whether the detectors are started beside us; without them only declared limits are watched.",
            "ODOO_OTEL_DETECTORS",
        ),
    )
    label_cap: int = field(
        default=200,
        metadata=setting(k.whole(1, 100_000), "Values a metric label may take; later ones count as `#other#`."),
    )
    outbox_budget_rows: int = field(
        default=1_000_000,
        metadata=setting(
            k.whole(1000, 100_000_000),
            "Spans and logs kept for sending while no endpoint is set; beyond it the oldest leave, counted.",
        ),
    )
    log_level: str = field(
        default="info",
        metadata=setting(
            k.choice("debug", "info", "warning", "error"),
            "What is logged to stderr, one JSON object a line.",
            "ODOO_OTEL_LOG_LEVEL",
        ),
    )
    databases: tuple[Database, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def store_path(self) -> Path:
        """The file of the store."""
        return self.state_dir / STORE_FILE
