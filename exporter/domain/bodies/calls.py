"""What Events carry that tell of calls between systems: webhooks, executions of n8n, lines of Odoo's log.

Only what is named here leaves a parser: never a payload, a header, a token or the address it came to.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from exporter.domain.runs import Attributes, FailureClass, Result, WaitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReceived:
    """An authentic request that reached our intake, and what its mapping took from it.

    `delivery` is the sender's id of it, else a digest of the body. Deliveries of one hook with the same `run` tell of
    one Run; without one each is its own. `kind` (`invoice.paid`) has few values. `result` is None while what it tells
    of goes on. `correlation` holds link keys (domain/links.py) of the records it names. `drift` names the fields that
    the mapping expects and the payload lacks (or has with another type). `attempt` counts from 1. `failure_class` is
    whose fault a failure is where the mapping says so; "": what failed says it.
    """

    hook: str
    delivery: str
    kind: str = ""
    run: str = ""
    status: str = ""
    result: Result | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int | None = None
    http_status: int | None = None
    error_type: str = ""
    error: str = ""
    correlation: tuple[str, ...] = ()
    traceparent: str = ""
    size: int = 0
    drift: tuple[str, ...] = ()
    attributes: Attributes = ()
    failure_class: FailureClass | Literal[""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """One run of one node inside an execution; `continued` says that it failed and the workflow went on.

    With `wait` it is no work but the time for which the execution was parked at the node: for a call or a form
    (`human`), or until a time (`external`). `ended_at` is None while it is parked.
    """

    name: str
    type: str = ""
    run: int = 0
    started_at: datetime
    ended_at: datetime | None = None
    status: str = ""
    http_status: int | None = None
    error_type: str = ""
    error: str = ""
    continued: bool = False
    sub_execution: str = ""
    wait: WaitKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where another execution stands: in the trace of `traceparent`, else of the record it names, else in its own."""

    execution: str
    traceparent: str = ""
    correlation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSeen:
    """One execution of an n8n workflow as its API showed it: `status` is n8n's own word.

    `native` says that n8n exports spans of its own: only what those lack is told. `sampled_out` says that it made them
    and exports none of them: all is told, its root under the id that n8n gave it. `traceparent` is the caller's, or in
    both cases n8n's own root. `nodes_left_out` counts node runs beyond those that are told. `correlation` holds link
    keys of the records it names. `parent` is the execution that called it (or failed, where this is its error workflow)
    at its node run `parent_step` (`Child/0`, "" where that is not known); `outermost` is the one at the beginning of
    that chain. `retried` is the one of `retry_of`.
    """

    execution: str
    workflow_id: str
    workflow: str
    status: str
    mode: str = ""
    started_at: datetime
    stopped_at: datetime | None = None
    wait_till: datetime | None = None
    retry_of: str = ""
    parent: str = ""
    traceparent: str = ""
    correlation: tuple[str, ...] = ()
    http_status: int | None = None
    error_type: str = ""
    error: str = ""
    native: bool = False
    sampled_out: bool = False
    nodes: tuple[NodeRun, ...] = ()
    nodes_left_out: int = 0
    parent_step: str = ""
    outermost: Standing | None = None
    retried: Standing | None = None


LineSays = Literal[
    "cron.started",
    "cron.ended",
    "cron.raised",
    "webhook.called",
    "webhook.succeeded",
    "webhook.failed",
    "webhook.cancelled",
    "automation.raised",
    "inbound.triggered",
    "inbound.failed",
    "inbound.answered",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWritten:
    """What one line of Odoo's log says, read from a file, a stream or ir.logging; the line itself is not kept.

    `cron` is the name in the line, `cron_id` its id (versions before 18 write none). `seconds`, `loops`, `done` and
    `remaining` are those of the line that ends a run. `error_type` and `error` (masked) are a traceback's last line.
    `host` is the host of a webhook's address, `rule` and `action` ids of an automation rule and a server action,
    `status` what a webhook of Odoo's own was answered with.
    """

    says: LineSays
    level: str = "INFO"
    pid: int = 0
    cron_id: int | None = None
    cron: str = ""
    result: Result | None = None
    seconds: float | None = None
    loops: int | None = None
    done: int | None = None
    remaining: int | None = None
    error_type: str = ""
    error: str = ""
    host: str = ""
    rule: int | None = None
    action: int | None = None
    status: int | None = None
