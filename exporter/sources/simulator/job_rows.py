"""Rows of queue.job as they are stored in each state: what a state does not hold is empty (facts/odoo.md section 5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from exporter.domain.bodies import JobChanged, MessagePosted
from exporter.domain.times import SECOND, from_micros, micros
from exporter.sources.simulator.cast import Function
from exporter.sources.simulator.facts import Fact, micro, second

COMMIT = micro(0.02)
_COMPANIES = (1, 2)
_ODOOBOT = 2  # a partner
_CREATORS = (11, 12, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version: its state, when it was committed (`shown`), and the dates it holds, in microseconds."""

    state: str
    shown: int
    retry: int = 0
    eta: int | None = None
    enqueued: int | None = None
    started: int | None = None
    done: int | None = None
    cancelled: int | None = None
    error: Function | None = None


class JobLike(Protocol):
    """What of a job its rows say."""

    @property
    def id(self) -> int:
        """queue.job's id."""

    @property
    def uuid(self) -> str:
        """queue.job's uuid."""

    @property
    def function(self) -> Function:
        """What it does."""

    @property
    def created(self) -> int:
        """When it was created."""

    @property
    def graph(self) -> str | None:
        """graph_uuid."""

    @property
    def parents(self) -> Sequence["JobLike"]:
        """The jobs it depends on."""

    @property
    def rows(self) -> Sequence[Row]:
        """Its versions in order of time."""


def versions(job: JobLike) -> Iterator[Fact]:
    """The versions of a job's row; each is gone when the next one is committed."""
    rows = job.rows
    for place, row in enumerate(rows):
        gone = rows[place + 1].shown if place + 1 < len(rows) else None
        yield Fact(
            shown=row.shown,
            gone=gone,
            name="odoo.job.changed",
            key=f"job/{job.id}/{place}",
            at=_at(job, row),
            body=_body(job, row),
        )


def _at(job: JobLike, row: Row) -> int | None:
    """What the row says of when it came into its state; the end of a failed one is in its message."""
    dated = {
        "done": row.done,
        "cancelled": row.cancelled,
        "started": row.started,
        "failed": row.started,
        "enqueued": row.enqueued,
        "wait_dependencies": job.created,
        "pending": job.created if row.shown == job.rows[0].shown else None,
    }.get(row.state)
    return None if dated is None else micros(second(dated))


def _dated(at: int | None) -> datetime | None:
    return None if at is None else second(at)


def _body(job: JobLike, row: Row) -> JobChanged:
    function = job.function
    worked = row.done is not None and row.started is not None
    return JobChanged(
        job_id=job.id,
        uuid=job.uuid,
        state=row.state,
        name=function.title,
        model=function.model,
        method=function.method,
        channel=function.channel,
        function=f"<{function.model}>.{function.method}",
        retry=row.retry,
        max_retries=5,
        date_created=second(job.created),
        eta=_dated(row.eta),
        date_enqueued=_dated(row.enqueued),
        date_started=_dated(row.started),
        date_done=_dated(row.done),
        date_cancelled=_dated(row.cancelled),
        exec_time=((row.done or 0) - (row.started or 0)) / SECOND if worked else 0.0,
        exc_name=row.error.error if row.error else None,
        exc_message=row.error.message if row.error else None,
        graph_uuid=job.graph,
        depends_on=tuple(parent.uuid for parent in job.parents),
        company=_COMPANIES[job.id % 5 == 0],
        user=_CREATORS[job.id % 3],
    )


def failed_message(number: int, job_id: int, shown: int) -> Fact:
    """The message that a failed job posts: the only place where its end is written."""
    date = from_micros(shown - shown % SECOND)
    return Fact(
        shown=shown,
        name="odoo.message.posted",
        key=f"message/{number}",
        at=micros(date),
        body=MessagePosted(
            message_id=number,
            model="queue.job",
            record_id=job_id,
            date=date,
            author=_ODOOBOT,
            subtype="queue_job.mt_job_failed",
        ),
    )
