"""What Events of Odoo carry: one frozen class a kind, with the fields we ask Odoo for and no others.

Times are aware UTC; over RPC Odoo shows whole seconds (facts/odoo.md section 7), the Event says its precision.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class CronCounted:
    """One row of ir.cron as it was read; the only place where success and failure are told apart over RPC.

    Versions before 18 do not: `counts` says whether this one counts failures (and keeps rows of runs). `called` says
    what `lastcall` is of a run: when it began, or on 18 when it was over.
    """

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
    counts: bool = True
    called: Literal["began", "ended"] = "began"


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
class Twin:
    """One of several records that share a key."""

    record_id: int
    created: datetime
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDoubled:
    """Records of a model share a key that is declared unique and were made within `within` seconds of one another.

    `key` is a digest of it, `shared` its fields and their masked values. Without `records` it is shared no more.
    """

    model: str
    key: str
    shared: str
    within: float
    records: tuple[Twin, ...] = ()


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
class RuleCounted:
    """One automation rule as it was read: when it fires, and which webhooks (server action id, name) it then sends.

    `states` are the values of the tracked state that make it fire when a record gets there (`*`: all), from one of
    `from_states` (empty: from any) and none of `except_from`; `on_create` says that a new record does. `ours` are the
    webhooks that are addressed to our intake, `n8n` those to n8n. `unevaluable` says why it cannot be judged from
    outside whether a record makes it fire; "" if it can.
    """

    rule_id: int
    name: str
    model: str
    trigger: str
    active: bool = True
    states: tuple[str, ...] = ()
    on_create: bool = False
    from_states: tuple[str, ...] = ()
    except_from: tuple[str, ...] = ()
    webhooks: tuple[tuple[int, str], ...] = ()
    ours: tuple[int, ...] = ()
    n8n: tuple[int, ...] = ()
    unevaluable: str = ""
    last_run: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailChanged:
    """One outgoing mail.mail without its text and its addresses: a person who was, or was not, told."""

    mail_id: int
    state: str
    failure_type: str = ""
    failure: str = ""
    model: str | None = None
    record_id: int | None = None
    date: datetime | None = None
    create_date: datetime | None = None
    recipients: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCounted:
    """The API keys of the user that reads, without anything of them: how many, and when the first of them ends.

    None never ends, as before Odoo 18. Where they cannot be read, `keys` is 0 and the end is what the operator said.
    """

    keys: int = 0
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SightChanged:
    """A spot of Odoo that cannot be seen, or can again: a model without a right, a state that is not tracked, no log.

    `why` is what makes, or made, it blind: `no_access | no_rows | tracking_off | log_off`; `no_rows` where none of a
    model shows any more and several did.
    """

    spot: str
    why: str
    blind: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseChanged:
    """The database behind a name is not what it was when it answered before.

    `what`: `upgraded` (another version), `moved` (another address), `replaced` (another uuid behind the same address;
    ids go on with the old one), `restored` (`was`: up to when what it did is gone, `now`: when that was seen),
    `neutralized`, `live` (no longer neutralized); `was` and `now` are the two values.
    """

    what: str
    was: str
    now: str
