"""What a request of append or commit writes: rows are encoded in the caller's thread, the writer's only executes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import TypeVar

import apsw
import msgspec

from exporter.domain.contract import EVENTS
from exporter.domain.events import Event, encode_body
from exporter.domain.times import SECOND, micros
from exporter.errors import Fenced
from exporter.store import statements as st
from exporter.store.connecting import Row
from exporter.store.entries import Appended, Commit, OwedRead, PollReport, SubjectRow
from exporter.store.statements import Statement, execute

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]
_second = itemgetter(1)
_encode_json = msgspec.json.Encoder().encode


def _event_rows(tenant: str, events: Iterable[Event]) -> list[Row]:
    return [
        (
            tenant,
            event.source,
            event.key,
            event.name,
            EVENTS[event.name].version,
            micros(event.at),
            micros(event.seen),
            event.precision,
            encode_body(event.body),
        )
        for event in events
    ]


def _report_rows(tenant: str, report: PollReport | None) -> list[Row]:
    if report is None:
        return []
    began = micros(report.began_at)
    took = round(report.seconds * SECOND)
    last = began if report.ok else None
    until = None if report.read_until is None else micros(report.read_until)
    kept = (last, until, report.refused, _encode_json(report.missing).decode())
    return [(tenant, report.source, began, took, int(report.ok), report.events, report.error, *kept)]


def appending(
    tenant: str,
    events: Sequence[Event],
    marks: Mapping[tuple[str, str], str | None],
    report: PollReport | None,
    *,
    paid: Sequence[OwedRead] = (),
) -> Work[Appended]:
    """What makes Events, marks, the report and what it pays durable; tells how many Events were new."""
    rows = _event_rows(tenant, events)
    kept: list[Row] = [(tenant, *at, mark) for at, mark in marks.items() if mark is not None]
    dropped: list[Row] = [(tenant, *at) for at, mark in marks.items() if mark is None]
    reports = _report_rows(tenant, report)
    settled: list[Row] = [(tenant, one.source, one.key, one.seq) for one in paid]

    def work(connection: apsw.Connection) -> Appended:
        before = connection.total_changes()
        execute(connection, st.EVENT, rows)
        new = connection.total_changes() - before
        execute(connection, st.COUNT, [(tenant, "events", new)])
        execute(connection, st.MARK, kept)
        execute(connection, st.UNMARK, dropped)
        execute(connection, st.REPORT, reports)
        execute(connection, st.PAY, settled)
        return Appended(appended=new, repeated=len(rows) - new)

    return work


def _subject_rows(commit: Commit) -> list[Row]:
    return [
        (commit.tenant, row.key, row.kind, row.state, *_open(row), commit.offset)
        for row in sorted(commit.subjects, key=lambda row: row.key)  # sorted keys touch fewer pages
    ]


def _open(row: SubjectRow) -> Row:
    """Gauges ask for a workflow, retention for a beginning: what is not counted has the second alone."""
    if row.open is None:
        return (None, None, None)
    return (row.open.workflow if row.shown else None, row.open.state, micros(row.open.since))


def _run_rows(commit: Commit) -> list[Row]:
    return [
        (
            commit.tenant,
            run.id,
            run.kind,
            run.workflow,
            run.subject,
            run.trace_id,
            micros(run.started_at),
            None if run.ended_at is None else micros(run.ended_at),
            run.result,
            run.origin,
            run.body,
        )
        for run in commit.runs
    ]


def _total_rows(commit: Commit) -> list[Row]:
    return [(commit.tenant, row.name, _encode_json(row.labels).decode(), row.state) for row in commit.totals]


def _observation_rows(commit: Commit) -> list[Row]:
    rows: list[Row] = [(commit.tenant, row.series, micros(row.at), row.run, row.value) for row in commit.observations]
    return sorted(rows, key=_second)


def context_id(tenant: str, context: bytes) -> int:
    """The id of an encoded resource and scope: 64 bits of a digest, so that nobody has to look it up."""
    return int.from_bytes(blake2b(tenant.encode() + b"\0" + context, digest_size=8).digest(), "big", signed=True)


def _outbox_rows(commit: Commit, contexts: Mapping[bytes, int]) -> list[Row]:
    return [(commit.tenant, row.signal, contexts[row.context], micros(row.at), row.body) for row in commit.outbox]


def _quarantine_rows(commit: Commit) -> list[Row]:
    """Each once: the statement sees what was there before it, not its other rows."""
    return [*dict.fromkeys((commit.tenant, row.origin, row.key, row.reason, row.head) for row in commit.quarantine)]


def _put_rows(commit: Commit) -> list[Row]:
    signals = [row.signal for row in commit.outbox]
    return [(signal, "put", signals.count(signal)) for signal in sorted(set(signals))]


def _plan(commit: Commit) -> list[tuple[Statement, list[Row]]]:
    """Every statement of a Commit with its rows, but for runs and the offset."""
    tenant = commit.tenant
    contexts = {context: context_id(tenant, context) for context in {row.context for row in commit.outbox}}
    counted = {"observations": len(commit.observations), "quarantined": len(commit.quarantine)}
    return [
        (st.FORGET, [(tenant, key) for key in commit.forgotten]),
        (st.SUBJECT, _subject_rows(commit)),
        (st.LINK, [(tenant, key, subject) for key, subject in (commit.links or {}).items()]),
        (st.RELEASE, [(tenant, key) for key in commit.released]),
        (st.PARK, [(tenant, key, seq) for key, seq in commit.parked]),
        (st.CLEAR, [(tenant, subject, name) for subject, name in commit.cleared]),
        (st.TIMER, [(tenant, row.subject, row.name, micros(row.due), row.source) for row in commit.timers]),
        (st.TOTAL, _total_rows(commit)),
        (st.OBSERVATION, _observation_rows(commit)),
        (st.CONTEXT, [(number, tenant, context) for context, number in contexts.items()]),
        (st.OUTBOX, _outbox_rows(commit, contexts)),
        (st.SENT, _put_rows(commit)),
        (st.OWED, [(tenant, row.source, row.key, commit.offset) for row in commit.owed]),
        (st.QUARANTINE, _quarantine_rows(commit)),
        (st.COUNT, [(tenant, name, number) for name, number in counted.items() if number]),
    ]


def committing(commit: Commit) -> Work[None]:
    """What writes a Commit whole; raises Fenced when its consumer's offset is not the expected one."""
    plan = _plan(commit)
    runs = _run_rows(commit)

    def work(connection: apsw.Connection) -> None:
        _fence(connection, commit)
        for statement, rows in plan:
            execute(connection, statement, rows)
        before = _last_run(connection)
        execute(connection, st.RUN, runs)
        execute(connection, st.COUNT, [(commit.tenant, "runs", _last_run(connection) - before)])

    return work


def _fence(connection: apsw.Connection, commit: Commit) -> None:
    """Move the offset, if it is where the Commit believes it to be."""
    consumer = (commit.tenant, commit.consumer)
    found = connection.execute("SELECT seq FROM offsets WHERE tenant = ? AND consumer = ?", consumer).get or 0
    if found != commit.expected_offset:
        raise Fenced(
            f"{commit.consumer} of {commit.tenant} is at {found}, not at {commit.expected_offset}: "
            "another one moved it; read its state again."
        )
    execute(connection, st.OFFSET, [(*consumer, commit.offset)])


def _last_run(connection: apsw.Connection) -> int:
    """The newest rowid: an upsert that changes a row takes none, so the difference is the number of new rows."""
    return int(connection.execute("SELECT coalesce(max(rowid), 0) FROM runs").get)
