"""Scheduled actions: ir.cron.progress, ir.cron.trigger, then ir.cron (facts/odoo.md section 2).

The order matters: Odoo commits a run's progress row before ir.cron's result, so an ir.cron row read last is never
older than the progress rows of the same poll. The scheduler writes ir.cron with raw SQL and leaves write_date alone: it
is read in full every time. Before Odoo 18 ir.cron is all there is, and it does not say how a run ended.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from exporter.domain.bodies import CronCounted, CronTrigger, RecordVanished
from exporter.domain.events import encode_body
from exporter.domain.redact import mask
from exporter.sources.odoo.door import Domain, Row
from exporter.sources.odoo.known import forget_absent, new_version, parsed
from exporter.sources.odoo.naming import xmlids, zones
from exporter.sources.odoo.progress import PROGRESS, read_progress
from exporter.sources.odoo.reading import Reading, from_second, second
from exporter.sources.odoo.rows import (
    instant,
    integer,
    link,
    required_instant,
    required_link,
    required_text,
    row_id,
    text,
    yes,
)
from exporter.sources.odoo.versions import NO_RESULTS

CRON, TRIGGER = "ir.cron", "ir.cron.trigger"
CRON_FIELDS = (
    "cron_name",
    "model_name",
    "active",
    "user_id",
    "interval_number",
    "interval_type",
    "priority",
    "lastcall",
    "nextcall",
)
FAILURE_FIELDS = ("failure_count", "first_failure_date")
TRIGGER_FIELDS = ("cron_id", "call_at", "create_date")
KNOWN = "1"  # the mark of a trigger that an earlier version told
# Without this Odoo leaves out inactive rows: an action that was switched off would look deleted.
ALSO_INACTIVE: Domain = (["active", "in", [True, False]],)


def read_crons(reading: Reading) -> None:
    """One poll of `odoo/crons`; without ir.cron there is nothing to say, so its being Missing fails the poll."""
    stamps = [reading.began_at]
    shows = reading.options.shows
    if shows.progress:
        reading.part(PROGRESS, lambda: stamps.extend(read_progress(reading)))
    else:
        reading.lacks(NO_RESULTS)
    if shows.triggers:
        reading.part(TRIGGER, lambda: _read_triggers(reading))
    reading.part(CRON, lambda: _read_counts(reading, max(stamps)), vital=True)


def _read_triggers(reading: Reading) -> None:
    """Every row each time: a row is new once, and Odoo deletes it when the run starts."""
    triggers = reading.parsed(TRIGGER, reading.pages(TRIGGER, (), TRIGGER_FIELDS), _trigger)
    present = {f"trigger/{trigger.trigger_id}" for trigger in triggers}
    for trigger in triggers:
        key, call_at = f"trigger/{trigger.trigger_id}", str(second(trigger.call_at))
        if reading.marks.get(key) not in {call_at, KNOWN}:  # behind a restore its id comes again, with another time
            # The scheduler's own triggers (a run stopped half-way) have no create_date; call_at is that run's start.
            at = trigger.create_date or trigger.call_at
            reading.emit("odoo.trigger.set", f"{key}/{call_at}", at, trigger)
            reading.note(key, call_at)
    for key in [key for key in reading.marks if key.startswith("trigger/") and key not in present]:
        reading.note(key, None)


def _read_counts(reading: Reading, at: datetime) -> None:
    wanted = (*CRON_FIELDS, *FAILURE_FIELDS) if reading.options.shows.progress else CRON_FIELDS
    rows = list(reading.pages(CRON, ALSO_INACTIVE, wanted))
    names = xmlids(reading, CRON, {row_id(row) for row in rows})
    users = reading.parsed(CRON, rows, lambda row: (row_id(row), link(row, "user_id")))
    tz = zones(reading, {user for _, user in users if user})
    zone_of = {one: tz.get(user) for one, user in users if user}
    called = reading.options.shows.called

    def parsed(row: Row) -> CronCounted:
        return _cron(row, names[row_id(row)], zone_of.get(row_id(row)), called)

    for cron in reading.parsed(CRON, rows, parsed):
        _went_back(reading, cron)
        version = new_version(reading, "cron", cron.cron_id, encode_body(cron), about=_called(cron))
        if version is not None:
            seen_at = max(at, cron.lastcall or at)
            reading.emit("odoo.cron.counted", f"cron/{cron.cron_id}/{version}", seen_at, cron)
    for one, _ in list(forget_absent(reading, "cron", {row_id(row) for row in rows})):
        gone = RecordVanished(model=CRON, record_id=one)
        reading.emit("odoo.record.vanished", f"cron/{one}/vanished", at, gone)
        reading.note(f"cron/{one}", None)
        reading.note(f"xmlid/{CRON}/{one}", None)


def _called(cron: CronCounted) -> str:
    return str(second(cron.lastcall)) if cron.lastcall else ""


def _went_back(reading: Reading, cron: CronCounted) -> None:
    """`lastcall` never does, but in a database that was restored, or under a clock that was set back."""
    called = called_at(reading.marks, cron.cron_id).get(cron.cron_id)
    if called is not None and (cron.lastcall is None or cron.lastcall < called) and called < reading.began_at:
        reading.restored(called)


def called_at(marks: Mapping[str, str], *wanted: int) -> dict[int, datetime]:
    """When the actions were called last, as they were read; all of them where none is named."""
    keys = [f"cron/{one}" for one in wanted] or [key for key in marks if key.startswith("cron/")]
    known = {key: version for key in keys if (version := parsed(marks.get(key))) is not None and version.about}
    return {int(key.removeprefix("cron/")): from_second(version.about) for key, version in known.items()}


def _trigger(row: Row) -> CronTrigger:
    return CronTrigger(
        trigger_id=row_id(row),
        cron_id=required_link(row, "cron_id"),
        call_at=required_instant(row, "call_at"),
        create_date=instant(row, "create_date"),
    )


def _cron(row: Row, xmlid: str | None, zone: str | None, called: Literal["began", "ended"]) -> CronCounted:
    return CronCounted(
        cron_id=row_id(row),
        name=mask(required_text(row, "cron_name")),  # an administrator may write whom it concerns
        xmlid=xmlid,
        model=text(row, "model_name"),
        active=yes(row, "active"),
        interval_number=integer(row, "interval_number"),
        interval_type=required_text(row, "interval_type"),
        timezone=zone,
        priority=integer(row, "priority"),
        lastcall=instant(row, "lastcall"),
        nextcall=instant(row, "nextcall"),
        failure_count=integer(row, "failure_count"),
        first_failure_date=instant(row, "first_failure_date"),
        counts="failure_count" in row,
        called=called,
    )
