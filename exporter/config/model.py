"""The settings: each field says its kind, its meaning, its default; docs/configuration.md is generated from them."""

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from exporter.config import kinds as k
from exporter.config.action import Action
from exporter.config.cost import Cost
from exporter.config.integration import Expected, Hook, N8n, UniqueKey
from exporter.config.kinds import setting
from exporter.config.quiet import QUIET, Quiet
from exporter.config.secret import Secret

STORE_FILE = "odoo-otel.sqlite"
Door = Literal["auto", "json2", "jsonrpc"]


Logging = Literal["auto", "wait", "no"]
Hosting = Literal["self", "odoo.sh", "online"]


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
    api_key_expires: datetime | None = field(
        default=None,
        metadata=setting(
            k.DAY,
            "When that key ends, where Odoo does not say it: shown as a metric, and alerted two weeks before.",
            "ODOO_OTEL_API_KEY_EXPIRES",
        ),
    )
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
            k.whole(0, 3650),
            "How far back the first start reads, with a progress bar (in a log: lines); 0 reads nothing old.",
            "ODOO_OTEL_HISTORY_DAYS",
        ),
    )
    history_spans: bool = field(
        default=True,
        metadata=setting(k.TRUTH, "Whether what happened before the first start becomes spans, too."),
    )
    limits: tuple[Action, ...] = field(
        default=(),
        metadata=k.part(
            Action, "What is declared of single scheduled actions, by the label `cron`.", by_name=True, names=k.LABEL
        ),
    )
    quiet: tuple[Quiet, ...] = field(
        default=(),
        metadata=setting(
            QUIET,
            "When nothing is opened; what is declared and still broken at the end is opened then. Weekly, on the clock "
            "of the zone.",
        ),
    )
    approvals: tuple[str, ...] = field(
        default=("purchase.order",),
        metadata=setting(
            k.MODELS,
            "Documents whose tracked `state` is read: purchase.order, hr.expense (up to Odoo 18 its reports, "
            "hr.expense.sheet), hr.leave, or one of your own; tier "
            "reviews are read of every model.",
        ),
    )
    episodes: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            k.MODELS,
            "Documents each of whose episodes is a trace of its own, linked to the one before: for backends without "
            "room for spans of weeks ago. Of the others everything is one trace.",
        ),
    )
    odoo_log: bool = field(
        default=False,
        metadata=setting(
            k.TRUTH,
            "Whether Odoo's server log reaches us (docs/logs.md): runs of actions then wait 30 s for its exact words.",
            "ODOO_OTEL_ODOO_LOG",
        ),
    )
    missing_after: float = field(
        default=120.0,
        metadata=setting(
            k.seconds(1, 86_400),
            "Seconds after which a webhook that an automation rule should have sent, what n8n runs for it, and the "
            "change it makes, count as missing.",
        ),
    )
    ir_logging: Logging = field(
        default="auto",
        metadata=setting(
            k.choice("auto", "wait", "no"),
            "Whether ir.logging is read (docs/logs.md): `auto` takes what is there, with `wait` runs wait 30 s for it.",
            "ODOO_OTEL_IR_LOGGING",
        ),
    )
    hosting: Hosting = field(
        default="self",
        metadata=setting(
            k.choice("self", "odoo.sh", "online"),
            "Where Odoo runs. On Odoo.sh and Odoo Online no action counts as late within 10 minutes.",
            "ODOO_OTEL_HOSTING",
        ),
    )
    hooks: tuple[Hook, ...] = field(
        default=(), metadata=k.part(Hook, "Who may post webhooks about this database.", by_name=True)
    )
    expect: tuple[Expected, ...] = field(
        default=(), metadata=k.part(Expected, "What has to follow what, and within which time.", by_name=True)
    )
    unique: tuple[UniqueKey, ...] = field(
        default=(),
        metadata=k.part(
            UniqueKey, "Keys that no two records share (docs/webhooks.md), by model.", by_name=True, names=k.MODEL
        ),
    )
    cost: Cost = field(
        default=Cost(), metadata=k.part(Cost, "What is read and told where everything would cost too much.")
    )
    n8n: N8n | None = field(default=None, metadata=k.part(N8n, "The n8n that runs what this database sets off."))


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
            "Port on which webhooks, Odoo's log and what the detectors found are taken; 0 takes a free one.",
            "ODOO_OTEL_INTAKE_PORT",
        ),
    )
    intake_host: str = field(
        default="127.0.0.1",
        metadata=setting(
            k.TEXT,
            "Address of that port; another than the loopback only with TLS (`web_config_file`), or behind a proxy that "
            "has it.",
            "ODOO_OTEL_INTAKE_HOST",
        ),
    )
    web_config_file: Path | None = field(
        default=None,
        metadata=setting(
            k.FILE,
            "TLS and users of both listeners, in the form of the Prometheus exporter-toolkit; also "
            "`--web.config.file`. Users are asked for on the pages alone: the intake has tokens and signatures.",
            "ODOO_OTEL_WEB_CONFIG_FILE",
        ),
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = field(
        default=(),
        metadata=setting(
            k.NETWORKS,
            "Proxies before that port whose `X-Forwarded-For` or `Forwarded` is believed: who was refused is told by "
            "the address that they saw, not by theirs. Name those alone that set or extend that header themselves.",
            "ODOO_OTEL_TRUSTED_PROXIES",
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
    retention_days: int = field(
        default=90,
        metadata=setting(
            k.whole(1, 3650),
            "How long runs, their numbers and the facts they were told from are kept; never shorter than "
            "`history_days`. Keys stay 30 days longer, so that nothing comes twice.",
        ),
    )
    store_budget_mib: int = field(
        default=2048,
        metadata=setting(
            k.whole(1, 10_000_000),
            "MiB the store may use; beyond it the oldest history goes first, what was not sent goes last, counted.",
        ),
    )
    free_space_mib: int = field(
        default=512,
        metadata=setting(
            k.whole(0, 10_000_000),
            "MiB of the disk that must be free, at most a tenth of it, or nothing new is taken; 0: none need be.",
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
