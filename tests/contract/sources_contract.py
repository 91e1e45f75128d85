"""What every Door promises, whatever stands behind it: the fakes here, the real Odoo in tests/stack.

The functions take a Door whose user may read ir.cron and the message subtypes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from exporter.errors import BadRecord, SourceError
from exporter.sources.odoo.door import Door, NotInstalled
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.registry import odoo_sources
from exporter.sources.polling import Poll

WRITES = ("write", "create", "unlink", "method_direct_trigger", "action_archive", "message_post", "_trigger", "copy")


def rows_are_plain(door: Door) -> None:
    """Rows come in order of id, with bare ids, text dates and False for empty."""
    rows = door.search_read(
        "ir.cron", [["active", "in", [True, False]]], ["cron_name", "user_id", "lastcall"], limit=50
    )
    assert rows
    assert [row["id"] for row in rows] == sorted(int(str(row["id"])) for row in rows)
    for row in rows:
        assert isinstance(row["cron_name"], str)
        assert isinstance(row["user_id"], int)
        assert row["lastcall"] is False or datetime.strptime(str(row["lastcall"]), "%Y-%m-%d %H:%M:%S").astimezone(UTC)


def limit_and_order_hold(door: Door) -> None:
    """`limit` cuts and `order` turns."""
    newest = door.search_read("ir.cron", [["active", "in", [True, False]]], ["priority"], order="id desc", limit=1)
    every = door.search_read("ir.cron", [["active", "in", [True, False]]], ["priority"])
    assert [row["id"] for row in newest] == [max(int(str(row["id"])) for row in every)]


def record_methods_work(door: Door) -> None:
    """`read` and `get_metadata` take ids; an id that is gone is left out."""
    one = door.search_read("ir.cron", [["active", "in", [True, False]]], ["priority"], limit=1)[0]["id"]
    read = door.call("ir.cron", "read", ids=[one], fields=["priority"], load=None)
    assert isinstance(read, list)
    assert len(read) == 1
    metadata = door.call("ir.cron", "get_metadata", ids=[one])
    assert isinstance(metadata, list)
    assert isinstance(metadata[0], Mapping)
    assert "xmlid" in metadata[0]


def fields_are_told(door: Door) -> None:
    """fields_get leaves out what the model does not have."""
    known = door.call("ir.cron", "fields_get", allfields=["priority", "no_such_field"], attributes=["type"])
    assert isinstance(known, Mapping)
    assert set(known) == {"priority"}


def writing_is_refused(door: Door) -> None:
    """Every writing call is refused before it is sent."""
    for method in WRITES:
        with pytest.raises(BadRecord, match="never writes"):
            door.call("ir.cron", method, ids=[1])


def missing_models_are_named(door: Door) -> None:
    """A model that does not exist is Missing, not an outage."""
    with pytest.raises(NotInstalled, match=r"no\.such\.model does not exist"):
        door.search_read("no.such.model", [], ["name"])


def wrong_fields_are_errors(door: Door) -> None:
    """An unknown field is an error with Odoo's words, without its traceback."""
    with pytest.raises(SourceError) as told:
        door.search_read("ir.cron", [], ["no_such_field"])
    assert "no_such_field" in str(told.value)
    assert "Traceback" not in str(told.value)


def the_clock_is_the_servers(door: Door, now: datetime) -> None:
    """server_time is not ahead of the server and not far behind; version is a pair."""
    behind = (now - door.server_time()).total_seconds()
    assert -0.5 <= behind < 5
    assert door.version() >= (14, 0)


def every_source_polls(door: Door) -> dict[str, list[Poll]]:
    """Each collection reads to its end, refuses no row, repeats nothing, and costs at most 12 calls when idle."""
    polls: dict[str, list[Poll]] = {}
    for source in odoo_sources(door, OdooOptions()):
        marks: dict[str, str] = {}
        polls[source.name] = []
        while not polls[source.name] or polls[source.name][-1].more:
            polls[source.name].append(source.poll(dict(marks)))
            changes = polls[source.name][-1].mark_changes
            marks = {key: mark for key, mark in (marks | dict(changes)).items() if mark is not None}
        keys = [event.key for poll in polls[source.name] for event in poll.events]
        assert len(keys) == len(set(keys))
        assert not [row for poll in polls[source.name] for row in poll.refused]
    return polls


CHECKS = (
    rows_are_plain,
    limit_and_order_hold,
    record_methods_work,
    fields_are_told,
    writing_is_refused,
    missing_models_are_named,
    wrong_fields_are_errors,
)
