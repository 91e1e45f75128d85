"""What is taken from n8n's answers: a field that is not named here is skipped while decoding and is never in memory.

So `resumeToken` (who has it can approve), `resumeUrl`, requests, parameters, stacks and the items themselves stay out.
Of items only a field `error` is looked at, and of that only the words that an error has (parsing.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

Instant = Annotated[datetime, Meta(tz=True)]  # without an offset nobody knows when it was


class Listed(Struct, frozen=True, kw_only=True, rename="camel"):
    """One execution of a list; `wait_till` is the year 3000 where no end of the wait is set."""

    id: str | int
    status: str
    mode: str = ""
    created_at: Instant | None = None
    started_at: Instant | None = None
    stopped_at: Instant | None = None
    wait_till: Instant | None = None
    workflow_id: str | int | None = None
    retry_of: str | int | None = None

    @property
    def number(self) -> int:
        """The id, by which n8n orders; ValueError where it is no number."""
        return int(self.id)


class Numbered(Struct, frozen=True):
    """All that is read of an execution that is not what n8n promises."""

    id: str | int


class Page(Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of executions, newest first; without `next_cursor` it is the last."""

    data: list[Raw]
    next_cursor: str | None = None


class Tracing(Struct, frozen=True):
    """`tracingContext`: the caller's, or with native spans n8n's own."""

    traceparent: str | None = None


class Redacted(Struct, frozen=True, rename="camel"):
    """What redaction leaves of an error."""

    type: str | None = None
    http_code: str | int | None = None


class ErrorWords(Struct, frozen=True, rename="camel"):
    """What is read of an error: never its request, node, stack or context; each may be of any type."""

    name: Raw = Raw(b"null")
    message: Raw = Raw(b"null")
    http_code: Raw = Raw(b"null")
    status: Raw = Raw(b"null")
    code: Raw = Raw(b"null")


class From(Struct, frozen=True, rename="camel"):
    """Which node run another one came from."""

    previous_node: str = ""
    previous_node_run: int | None = None


class OtherExecution(Struct, frozen=True, rename="camel"):
    """The id of another execution."""

    execution_id: str | int | None = None


class Metadata(Struct, frozen=True, rename="camel"):
    """`resume_url` is only ever asked whether it is there: it holds a signature that approves."""

    sub_execution: OtherExecution | None = None
    resume_url: Raw | UnsetType = UNSET

    @property
    def is_resumable(self) -> bool:
        """Whether somebody has to call to go on."""
        return self.resume_url is not UNSET


class Item(Struct, frozen=True):
    """One item that a node put out, still encoded."""

    json: Raw = Raw(b"null")


class Output(Struct, frozen=True):
    """What a node put out, by output."""

    main: Sequence[Sequence[Item] | None] = ()


class NodeEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """One run of a node; times in ms, but for a crashed node's start, which is in seconds (a fault of n8n's)."""

    start_time: float
    execution_time: float | None = None
    execution_index: int = 0
    execution_status: str = ""
    source: Sequence[From | None] | None = None
    metadata: Metadata | None = None
    error: ErrorWords | None = None
    redacted_error: Redacted | None = None
    data: Output | None = None


class ResultData(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the nodes did."""

    run_data: Mapping[str, Sequence[NodeEntry]] = {}
    error: ErrorWords | None = None
    redacted_error: Redacted | None = None


class ExecutionData(Struct, frozen=True, kw_only=True, rename="camel"):
    """The data of an execution."""

    result_data: ResultData | None = None
    parent_execution: OtherExecution | None = None


class NodeDefinition(Struct, frozen=True, kw_only=True, rename="camel"):
    """A node of a workflow: what it is, and whether the workflow goes on when it fails."""

    name: str = ""
    type: str = ""
    on_error: str = ""
    continue_on_fail: bool = False


class Settings(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was set of a workflow: the seconds it may run, none where that is not above 0."""

    execution_timeout: float | str | None = None


class WorkflowData(Struct, frozen=True, kw_only=True):
    """The workflow as it was when it was executed."""

    name: str = ""
    nodes: Sequence[NodeDefinition] = ()
    settings: Settings | None = None


class Detail(Listed, frozen=True, kw_only=True, rename="camel"):
    """One execution with its data."""

    tracing_context: Tracing | None = None
    custom_data: Mapping[str, Raw] | None = None
    data: ExecutionData | None = None
    workflow_data: WorkflowData | None = None


class Named(Struct, frozen=True):
    """A workflow of the list of workflows."""

    id: str | int
    name: str


class Workflows(Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of workflows."""

    data: list[Named] = field(default_factory=list)
    next_cursor: str | None = None
