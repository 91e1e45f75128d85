"""Write the pages of docs/ that are generated from code: `python .ci/pages.py`; tests/unit/test_docs.py compares."""

import dataclasses
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exporter.config import Config, Database  # noqa: E402 the checkout comes first on the path
from exporter.config.kinds import setting_of  # noqa: E402
from exporter.domain.events import EVENTS, EventType  # noqa: E402
from exporter.telemetry.instruments import metrics_docs  # noqa: E402

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

Where traces and logs go is said by OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT,
_COMPRESSION, _CERTIFICATE, and their _TRACES_, _LOGS_ and _METRICS_ forms, over HTTP. Without an endpoint everything
stays in the store.
"""
EVENTS_PAGE = """\
# Events

Generated from exporter/domain/events.py and bodies.py; do not edit.

An Event is what one witness saw, never a conclusion drawn from several. Its name is `<system>.<thing>.<past verb>` and
a contract: another meaning is another name. Times are UTC; Odoo's RPC shows whole seconds. Fields with a default may
be absent.
"""


def shown(value: object) -> str:
    """A default as it would stand in YAML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings(model: type[Config | Database]) -> Iterator[str]:
    """A table of one dataclass's settings."""
    yield "| key | environment | default | must be | meaning |\n|---|---|---|---|---|"
    for field in dataclasses.fields(model):
        if found := setting_of(field):
            default = "required" if field.default is dataclasses.MISSING else f"`{shown(field.default)}`"
            default = "" if field.default == "" else default
            env = f"`{found.env}`" if found.env else ""
            yield f"| `{field.name}` | {env} | {default} | {found.kind.says} | {found.says} |"


def configuration() -> str:
    """docs/configuration.md."""
    whole, each = ("\n".join(settings(model)) for model in (Config, Database))
    return f"{CONFIGURATION}\n## The whole program\n\n{whole}\n\n## Each database\n\n{each}\n"


def type_name(annotation: object) -> str:
    """A type as a reader of JSON knows it."""
    if isinstance(annotation, types.UnionType):
        return " or ".join(type_name(part) for part in typing.get_args(annotation) if part is not type(None))
    if typing.get_origin(annotation) is tuple:
        return f"list of {type_name(typing.get_args(annotation)[0])}"
    names: Mapping[object, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "time")


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
    return "\n".join((EVENTS_PAGE, *map(event, EVENTS.values())))


PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "events.md": events,
    "metrics.md": metrics_docs,
}


def main() -> int:
    """Write every page that is not as the code says."""
    for name, page in PAGES.items():
        path = ROOT / "docs" / name
        if not path.exists() or path.read_text(encoding="utf-8") != page():
            path.write_text(page(), encoding="utf-8")
            print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
