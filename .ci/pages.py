"""Write what is generated from code, pages of docs/ and tables of README.md; with --check say what would change."""

import dataclasses
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / ".ci")]

from readme import readme  # noqa: E402

from exporter.config import Action, Config, Cost, Database, Expected, Hook, N8n, UniqueKey  # noqa: E402 the checkout comes first on the path
from exporter.config.kinds import setting_of  # noqa: E402
from exporter.domain.contract import EVENTS, LOG_EVENTS, EventType  # noqa: E402
from exporter.domain.times import SECOND  # noqa: E402
from exporter.telemetry.instruments import INSTRUMENTS, Instrument  # noqa: E402

CONFIGURATION = """\
# Configuration

Generated from exporter/config/model.py; do not edit.

`odoo-otel run` reads the environment alone, for one database; `odoo-otel run --config FILE` reads a YAML file, for any
number of them, and of the environment only what the file asks for. `odoo-otel check` says what is wrong, all at once.

```yaml
listen_host: 0.0.0.0
databases:
  - url: https://odoo.example.com
    database: acme
    user: otel@example.com
    api_key: ${env:ACME_API_KEY}
  - name: acme-staging
    url: https://staging.example.com
    database: acme
    user: otel@example.com
    api_key: ${file:/run/secrets/staging_key}
    environment: staging
```

`${env:NAME}` and `${file:PATH}` may be a whole value or a part of one; `$${` is a literal `${`. A relative path is
looked up beside the file. A variable that is not set or a file that cannot be read is a fault.

A fault of the whole program stops it, with exit code 78. A database with faults is reported and skipped while the
others run, unless none is left. Unknown keys are faults.

SIGHUP (`kill -HUP`, `docker kill -s HUP`, `ExecReload`) reads the file and the files it refers to again, while
everything runs on: databases and senders of webhooks come, change and go, `log_level` and `retention_days` take
effect, other settings of the whole program are named and wait for a restart. What has faults stays as it was; each is
logged, and `odoo_otel_config_last_reload_successful` is 0 until all of it was taken.

Where traces and logs go is said by OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL
(`http/protobuf` or `grpc`), _HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY, _INSECURE
(gRPC), and their _TRACES_, _LOGS_ and _METRICS_ forms. Without an endpoint everything stays in the store.

What could not be used is said at the start: headers, files that are not PEM, a key of another certificate, an encrypted
one.

A span that the server refuses goes aside with the reason (`odoo-otel refused list`), counted as `rejected`; others go
on. While the server accepts nothing at all, at most 20 go aside; then it is tried once a minute until it does.

`OTEL_METRICS_EXPORTER=otlp` sends metrics there, too, every OTEL_METRIC_EXPORT_INTERVAL milliseconds (60000) and
cumulative: what one request did not bring the next one does. Scrape them or send them, not both into one Prometheus.
"""
LIMITS = """\
An action is named by its XML id, or by the id of its row where it has none.

```yaml
    quiet: Sun 02:00-04:00 Europe/Berlin
    limits:
      mail.ir_cron_mail_scheduler_action: {late: 300, missed: 900}
      acme.nightly_import: {failures: 2, recoveries: 2, stuck: 14400, quiet: [Sat-Sun 00:00-24:00 Europe/Berlin]}
```

A window is days (`Sun`, `Sat,Sun`, `Mon-Fri`, `daily`), begin and end, and a zone; an end that is not later than the
begin is one of the next day. On the days on which clocks are set it keeps to the clock: it lasts an hour more or less.
In it nothing is opened; what is open stays, and closes when it is over. What is declared and still broken at its end is
opened then. What detectors find of runs in it is not told at all: in maintenance the unusual is ordinary.

"""
EVENTS_PAGE = """\
# Events

Generated from exporter/domain/contract.py and bodies/; do not edit.

An Event is what one witness saw, never a conclusion drawn from several. Its name is `<system>.<thing>.<past verb>` and
a contract: another meaning is another name. Times are UTC; Odoo's RPC shows whole seconds. Fields with a default may
be absent.
"""


TOLD_PAGE = """\
## Log events

What is told as OpenTelemetry log records (`event.name`), each with the trace and the span it belongs to. The names
keep to the same standard. A failure carries `exception.type`, `exception.message` (masked), `odoo.failure.class`,
`.cause`, `.transient` and `.fingerprint`; a decision carries who decided what; a finding its sentence.

| name | says |
|---|---|
"""


def shown(value: object) -> str:
    """A default as it would stand in YAML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings(model: type[Any]) -> Iterator[str]:
    """A table of one dataclass's settings."""
    yield "| key | environment | default | must be | meaning |\n|---|---|---|---|---|"
    for field in dataclasses.fields(model):
        if found := setting_of(field):
            default = "required" if field.default is dataclasses.MISSING else f"`{shown(field.default)}`"
            default = "" if field.default in {"", None} or dataclasses.is_dataclass(field.default) else default
            default = "`{}`" if field.default == () and found.by_name else default
            env = f"`{found.env}`" if found.env else ""
            yield f"| `{field.name}` | {env} | {default} | {found.kind.says} | {found.says} |"


def configuration() -> str:
    """docs/configuration.md."""
    tables = {
        "The whole program": Config,
        "Each database": Database,
        "Each of a database's `limits`": Action,
        "Each of a database's `hooks`": Hook,
        "A database's `n8n`": N8n,
        "Each of a database's `expect`": Expected,
        "Each of a database's `unique`": UniqueKey,
        "A database's `cost`": Cost,
    }
    texts = {Action: LIMITS}
    return CONFIGURATION + "".join(
        f"\n## {title}\n\n{texts.get(of, '')}" + "\n".join(settings(of)) + "\n" for title, of in tables.items()
    )


PLAIN: Mapping[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    datetime: "time",
}


def type_name(annotation: object) -> str:
    """A type as a reader of JSON knows it."""
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        parts = (type_name(part) for part in typing.get_args(annotation) if part is not type(None))
        return " or ".join(filter(None, parts))
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(filter(None, typing.get_args(annotation)))
    if typing.get_origin(annotation) is tuple:
        inside = typing.get_args(annotation)
        return f"list of {type_name(inside[0])}" if inside[-1] is Ellipsis else " and ".join(map(type_name, inside))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return ", ".join(annotation.__struct_fields__)
    if dataclasses.is_dataclass(annotation):
        return ", ".join(field.name for field in dataclasses.fields(annotation))
    return PLAIN[annotation]


def event(kind: EventType) -> str:
    """One kind of Event: what it says and the fields of its body."""
    hints = typing.get_type_hints(kind.body)
    explained = re.sub(r"\s*\n\s*", " ", (kind.body.__doc__ or "").strip())
    fields = "\n".join(
        f"| `{field.name}` | {type_name(hints[field.name])} | "
        f"{'yes' if field.default is dataclasses.MISSING else 'no'} |"
        for field in dataclasses.fields(kind.body)
    )
    head = f"## {kind.name}\n\n{kind.meaning} Seen by `{kind.source}`, version {kind.version}."
    return f"{head} {explained}\n\n| field | type | always |\n|---|---|---|\n{fields}\n"


def events() -> str:
    """docs/events.md."""
    told = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in sorted(LOG_EVENTS.items()))
    return "\n".join((EVENTS_PAGE, *map(event, EVENTS.values()), TOLD_PAGE + told + "\n"))


METRICS = """\
# Metrics

Generated from exporter/telemetry/instruments.py; do not edit. Every metric also carries `odoo_database`, except those
of the process. Names, labels and buckets are stable unless the line says otherwise. A label keeps the first values it
meets (200 by default); what comes later is counted under `#other#` and in `odoo_otel_series_overflow_total`.
Histograms carry exemplars (`trace_id`, `span_id`) when the scrape asks for OpenMetrics.

| Prometheus | OTLP | kind | unit | labels | meaning |
|---|---|---|---|---|---|"""


def metrics() -> str:
    """docs/metrics.md: the table of instruments."""
    lines = [METRICS, *(_metric_line(found) for found in INSTRUMENTS.values())]
    return "\n".join(lines) + "\n"


def _metric_line(found: Instrument) -> str:
    labels = ", ".join(_metric_label(found, label) for label in found.labels)
    notes = [found.help, *(["Of the process."] if found.scope == "process" else [])]
    notes += [f"Buckets: {_metric_bounds(found.bounds)} s."] if found.bounds else []
    notes += [f"({found.stability})"] if found.stability != "stable" else []
    return f"| `{found.name}` | `{found.otlp}` | {found.kind} | {found.unit} | {labels} | {' '.join(notes)} |"


def _metric_label(found: Instrument, label: str) -> str:
    return f"`{label}`" + (f" ({', '.join(found.known[label])}, ...)" if label in found.known else "")


def _metric_bounds(bounds: tuple[int, ...]) -> str:
    return ", ".join(f"{bound / SECOND:.10g}" for bound in bounds)


PAGES: Mapping[str, Callable[[], str]] = {
    "README.md": readme,
    "docs/configuration.md": configuration,
    "docs/events.md": events,
    "docs/metrics.md": metrics,
}


def main(arguments: Sequence[str]) -> int:
    """Write every page that is not as the code says; with --check only name it, and fail."""
    drifted = {name: page() for name, page in PAGES.items() if _there(name) != page()}
    for name, text in drifted.items():
        if "--check" in arguments:
            print(f"{name} is not what the code says: make docs")
        else:
            (ROOT / name).write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return int("--check" in arguments and bool(drifted))


def _there(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
