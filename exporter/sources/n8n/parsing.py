"""From what n8n's API shows of an execution to what is said of it: pure, and nothing that rows.py does not name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from exporter.domain import links
from exporter.domain.bodies import ExecutionSeen
from exporter.domain.ids import is_sampled, traceparent
from exporter.domain.redact import plain
from exporter.sources.n8n.errors import NOTHING, Said, of_item, of_redacted, of_words
from exporter.sources.n8n.nodes import node_runs, within_bounds
from exporter.sources.n8n.rows import Detail, ErrorWords, Listed, NodeDefinition, NodeEntry, Redacted

FINAL = frozenset({"success", "error", "canceled", "crashed", "unknown"})
ONGOING = frozenset({"new", "running", "waiting"})
SHORT = 120  # characters of a name
_BY_OUTPUT = "continueErrorOutput"
_GOES_ON = frozenset({"continueRegularOutput", _BY_OUTPUT})
TIMED_OUT = Said("TimeoutExecutionCancelledError")
_SAYS_ALL = ("Crashed", "Cancelled", "Canceled")  # classes of errors that need no words


def listed(row: Listed, name: str, began: datetime) -> ExecutionSeen:
    """An execution as a list shows it, without its nodes."""
    return ExecutionSeen(
        execution=str(row.id),
        workflow_id=_text(row.workflow_id),
        workflow=plain(name, SHORT),
        status=row.status,
        mode=row.mode,
        started_at=_utc(row.started_at) or _utc(row.created_at) or began,
        stopped_at=_utc(row.stopped_at),
        wait_till=_utc(row.wait_till),
        retry_of=_text(row.retry_of),
    )


def detailed(detail: Detail, began: datetime, *, reference: str, native: bool) -> ExecutionSeen:
    """An execution with its nodes, from the redacted answer or the whole one (`wants_words`)."""
    name = detail.workflow_data.name if detail.workflow_data else ""
    shown, said = listed(detail, name, began), _error(detail)
    context = _context(detail)
    ignored = frozenset(_went_on(detail))
    by_output = frozenset(node.name for node in _nodes(detail) if node.on_error == _BY_OUTPUT)
    nodes = node_runs(detail, lambda entry, name: _said(entry, ignored=name in ignored, by_output=name in by_output))
    told = within_bounds(nodes)
    return replace(
        shown,
        parent=parent_of(detail),
        traceparent=context,
        correlation=_correlation(detail, reference),
        http_status=said.status,
        error_type=said.type,
        error=said.message,
        native=native and is_sampled(context),
        sampled_out=native and bool(context) and not is_sampled(context),
        nodes=told,
        nodes_left_out=len(nodes) - len(told),
    )


def parent_of(detail: Detail) -> str:
    """The execution that called this one, or that failed where this is its error workflow."""
    parent = detail.data.parent_execution if detail.data else None
    return _text(parent.execution_id) if parent else ""


def wants_words(detail: Detail) -> bool:
    """Whether only the unredacted answer says why something failed, or whether anything did.

    So it is asked for errors that bring no HTTP or socket code (their class says little), and where a node ran after
    whose failure the workflow goes on: that shows in its items alone. Of all others nothing is ever read unredacted.
    """
    return any(_is_mute(error) for error in _redacted(detail)) or any(_went_on(detail))


def _redacted(detail: Detail) -> Iterator[Redacted]:
    result = detail.data.result_data if detail.data else None
    if result is None:
        return
    entries = (entry for runs in result.run_data.values() for entry in runs)
    yield from (one for one in (result.redacted_error, *(e.redacted_error for e in entries)) if one is not None)


def _is_mute(error: Redacted) -> bool:
    return not error.http_code and not any(word in (error.type or "") for word in _SAYS_ALL)


def _went_on(detail: Detail) -> Iterator[str]:
    """Names of nodes that ran, put something out, and let the workflow go on if they fail."""
    nodes, result = detail.workflow_data, detail.data.result_data if detail.data else None
    if nodes is None or result is None:
        return
    for node in nodes.nodes:
        goes_on = node.continue_on_fail or node.on_error in _GOES_ON
        if goes_on and any(entry.data is not None for entry in result.run_data.get(node.name, ())):
            yield node.name


def _said(entry: NodeEntry, *, ignored: bool, by_output: bool) -> tuple[Said, bool]:
    """What a node run says of its failure, and whether the workflow went on."""
    said = _words(entry.error, entry.redacted_error)
    if said.type or entry.execution_status != "success" or not ignored:
        return said, False
    main = entry.data.main if entry.data else ()
    errors = (of_item(item) for output in main for item in output or ())
    found = next((error for error in errors if error is not None), None)
    if found is not None:
        return found, True
    return (Said("_OTHER"), True) if by_output and len(main) > 1 and main[-1] else (NOTHING, False)


def _nodes(detail: Detail) -> Sequence[NodeDefinition]:
    return detail.workflow_data.nodes if detail.workflow_data else ()


def _error(detail: Detail) -> Said:
    result = detail.data.result_data if detail.data else None
    said = _words(result.error, result.redacted_error) if result else NOTHING
    return TIMED_OUT if said is NOTHING and _is_timed_out(detail) else said


def _is_timed_out(detail: Detail) -> bool:
    """Whether n8n stopped it because it took longer than its workflow may: 2.41 says "canceled" and no more.

    Whoever stops one by hand leaves a ManualExecutionCancelledError. A limit of the whole n8n (EXECUTIONS_TIMEOUT) does
    not show: what that stops stays a cancellation.
    """
    settings = detail.workflow_data.settings if detail.workflow_data else None
    limit = settings.execution_timeout if settings else None
    if detail.status != "canceled" or not isinstance(limit, int | float) or limit <= 0:
        return False
    began, ended = detail.started_at, detail.stopped_at
    return began is not None and ended is not None and (ended - began).total_seconds() >= limit


def _words(error: ErrorWords | None, redacted: Redacted | None) -> Said:
    if error is not None:
        return of_words(error)
    return of_redacted(redacted) if redacted is not None else NOTHING


def _context(detail: Detail) -> str:
    found = detail.tracing_context.traceparent if detail.tracing_context else None
    return found if found and traceparent(found) else ""


def _correlation(detail: Detail, reference: str) -> tuple[str, ...]:
    """The link key of the record that the execution's custom data names."""
    raw = (detail.custom_data or {}).get(reference)
    if raw is None:
        return ()
    value = msgspec.json.decode(raw)
    link = links.key(str(value)) if isinstance(value, str | int) else ""
    return (link,) if link else ()


def _utc(at: datetime | None) -> datetime | None:
    """n8n writes `Z`; who stands before it may not. None for what is no time in UTC."""
    try:
        return at and at.astimezone(UTC)
    except OverflowError:
        return None


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)
