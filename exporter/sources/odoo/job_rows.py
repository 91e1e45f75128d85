"""A row of queue.job -> JobChanged. args, kwargs, records, result and exc_info are never asked for (personal data)."""

from exporter.domain.bodies import JobChanged
from exporter.domain.redact import mask
from exporter.errors import BadRecord
from exporter.sources.odoo.door import Row
from exporter.sources.odoo.rows import instant, integer, link, required_text, row_id, seconds, text

MODEL = "queue.job"
FINAL = frozenset({"done", "cancelled", "failed"})
FIELDS = (
    "uuid",
    "state",
    "name",
    "model_name",
    "method_name",
    "channel",
    "channel_method_name",
    "priority",
    "retry",
    "max_retries",
    "date_created",
    "eta",
    "date_enqueued",
    "date_started",
    "date_done",
    "date_cancelled",
    "exec_time",
    "exc_name",
    "exc_message",
    "graph_uuid",
    "identity_key",
    "dependencies",
    "company_id",
    "user_id",
)


def job_of(row: Row) -> JobChanged:
    """Parse one row; BadRecord when a value is not what its field promises."""
    return JobChanged(
        job_id=row_id(row),
        uuid=required_text(row, "uuid"),
        state=required_text(row, "state"),
        name=_masked(row, "name") or "",
        model=text(row, "model_name"),
        method=text(row, "method_name"),
        channel=text(row, "channel"),
        function=text(row, "channel_method_name"),
        priority=integer(row, "priority"),
        retry=integer(row, "retry"),
        max_retries=integer(row, "max_retries"),
        date_created=instant(row, "date_created"),
        eta=instant(row, "eta"),
        date_enqueued=instant(row, "date_enqueued"),
        date_started=instant(row, "date_started"),
        date_done=instant(row, "date_done"),
        date_cancelled=instant(row, "date_cancelled"),
        exec_time=seconds(row, "exec_time"),
        exc_name=text(row, "exc_name"),
        exc_message=_masked(row, "exc_message"),
        graph_uuid=text(row, "graph_uuid"),
        identity_key=text(row, "identity_key"),
        depends_on=_depends_on(row),
        company=link(row, "company_id"),
        user=link(row, "user_id"),
    )


def _masked(row: Row, field: str) -> str | None:
    """Free text: masked before it is clipped, so that half a secret is not left over."""
    value = row.get(field, False)
    if value is False or value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRecord(f"{field} of row {row.get('id')!r:.20} is {type(value).__name__}, not a text.")
    return mask(value)


def _depends_on(row: Row) -> tuple[str, ...]:
    """UUIDs of the jobs this one waits for, sorted: {"depends_on": [...], "reverse_depends_on": [...]}, or empty."""
    found = row.get("dependencies", False)
    if not found:
        return ()
    uuids = found.get("depends_on", []) if isinstance(found, dict) else None
    if isinstance(uuids, list) and all(isinstance(one, str) for one in uuids):
        return tuple(sorted(str(one) for one in uuids))
    raise BadRecord(f"dependencies of row {row.get('id')!r:.20} are not lists of job uuids.")
