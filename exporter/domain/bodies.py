"""What each kind of Event carries: one frozen class a kind, with the fields we ask Odoo for and no others.

Times are aware UTC; over RPC Odoo shows whole seconds (facts/odoo.md section 7), the Event says its precision.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CronCounted:
    """One row of ir.cron as it was read; the only place where success and failure are told apart over RPC."""

    cron_id: int
    name: str
    xmlid: str | None = None
    model: str | None = None
    active: bool = True
    interval_number: int = 1
    interval_type: str = "days"
    timezone: str | None = None
    priority: int = 5
    lastcall: datetime | None = None
    nextcall: datetime | None = None
    failure_count: int = 0
    first_failure_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CronProgress:
    """One row of ir.cron.progress: one loop iteration of a run; timed_out_counter > 0 while it is not over."""

    progress_id: int
    cron_id: int
    done: int
    remaining: int
    timed_out_counter: int
    create_date: datetime
    write_date: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger:
    """One row of ir.cron.trigger: the action is wanted at `call_at`; Odoo deletes the row when the run starts."""

    trigger_id: int
    cron_id: int
    call_at: datetime
    create_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """One row of queue.job in one state; arguments, records and results are never asked for (personal data)."""

    job_id: int
    uuid: str
    state: str
    name: str = ""
    model: str | None = None
    method: str | None = None
    channel: str | None = None
    function: str | None = None
    priority: int = 10
    retry: int = 0
    max_retries: int = 0
    date_created: datetime | None = None
    eta: datetime | None = None
    date_enqueued: datetime | None = None
    date_started: datetime | None = None
    date_done: datetime | None = None
    date_cancelled: datetime | None = None
    exec_time: float | None = None
    exc_name: str | None = None
    exc_message: str | None = None
    graph_uuid: str | None = None
    identity_key: str | None = None
    depends_on: tuple[str, ...] = ()
    company: int | None = None
    user: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePosted:
    """One mail.message without its text: who, when and of which kind; the end of a failed job is known from it."""

    message_id: int
    model: str
    record_id: int
    date: datetime
    author: int | None = None
    subtype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewChanged:
    """One row of tier.review: one tier of an approval, waiting, pending or decided."""

    review_id: int
    model: str
    record_id: int
    status: str
    tier: str
    definition_id: int | None = None
    sequence: int = 0
    in_sequence: bool = False
    requested_by: int | None = None
    done_by: int | None = None
    reviewers: tuple[int, ...] = ()
    create_date: datetime | None = None
    reviewed_date: datetime | None = None
    company: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChanged:
    """One mail.tracking.value: a tracked field of a record went from old to new.

    `old` and `new` are keys where the translated labels could be mapped back, else the labels as Odoo stored them.
    """

    tracking_id: int
    message_id: int
    model: str
    record_id: int
    field: str
    old: str | None
    new: str | None
    author: int | None = None
    subtype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChanged:
    """One row of a business document as it was read: what its Workflow is about."""

    model: str
    record_id: int
    state: str | None = None
    name: str | None = None
    amount: float | None = None
    currency: str | None = None
    company: int | None = None
    partner: int | None = None
    owner: int | None = None
    create_date: datetime | None = None
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordVanished:
    """A row we knew as open is no longer there: Odoo deletes restarted reviews, for instance.

    `subject_model` and `subject_id` name the document it belonged to, when it is a part of one.
    """

    model: str
    record_id: int
    subject_model: str | None = None
    subject_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRead:
    """How far a Source has been read: everything that happened up to `until` was handed out before this Event."""

    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSeen:
    """A detector claims that something is out of line, for the first time or with more examples.

    Attributes:
        detector: which one (`outlier.duration`); `subject`: the workflow label it speaks of (`base.autovacuum_job`).
        example: id of the first Run it was seen in (`cron/7#41`); `examples`: further ones.
        name: readable name of what it is about; `model` and `record_id` lead to it in Odoo.
        sentence: what is wrong, for a person, with band, ratio and what it was learned from.
        p: how rarely this happens when nothing is wrong; None for declared limits.
        observed, low, high: the value and the band it should lie in, in seconds.
        ratio: observed over the median; `learned_from`: how many Runs the band was learned from.
    """

    detector: str
    subject: str
    severity: str
    example: str
    since: datetime
    sentence: str
    name: str = ""
    model: str = ""
    record_id: str = ""
    examples: tuple[str, ...] = ()
    p: float | None = None
    observed: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    learned_from: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingClosed:
    """A detector says that its claim no longer holds, and why."""

    detector: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorsBeat:
    """The detectors ran: how many series they looked at, how many of them they could judge, and how long it took."""

    series: int
    judged: int
    seconds: float


Body = (
    CronCounted
    | CronProgress
    | CronTrigger
    | JobChanged
    | MessagePosted
    | ReviewChanged
    | FieldChanged
    | RecordChanged
    | RecordVanished
    | SourceRead
    | FindingSeen
    | FindingClosed
    | DetectorsBeat
)
