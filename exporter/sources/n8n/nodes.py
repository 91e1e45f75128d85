"""The node runs of an execution in the order of time, and the waits between them, which n8n shows only in part.

n8n overwrites the entry of a node that parked when it goes on: then it starts with the resume, and the wait lies
between the end of the node before it and that start.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from exporter.domain.bodies import NodeRun
from exporter.domain.redact import plain
from exporter.domain.runs import WaitKind
from exporter.domain.times import EPOCH
from exporter.sources.n8n.errors import Said
from exporter.sources.n8n.rows import Detail, NodeEntry

SHORT = 120
WAIT = "n8n-nodes-base.wait"
PARKED = timedelta(seconds=60)  # a wait for less (65 s in n8n) is sat out in the node itself
_MILLIS = 1e11  # times below are seconds: a crashed node's start
_LATEST = 253_402_300_799_000
NODES = 2000  # node runs told of one execution: a loop over an export makes a hundred thousand, no trace holds them
Ends = Mapping[tuple[str, int], datetime]
SaidOf = Callable[[NodeEntry, str], tuple[Said, bool]]


class _Ran(Struct, frozen=True, kw_only=True):
    """One entry with its times."""

    name: str
    run: int
    entry: NodeEntry
    start: datetime
    end: datetime


def node_runs(detail: Detail, said_of: SaidOf) -> tuple[NodeRun, ...]:
    """Every run of a node, those a retry copied from the original left out, and every wait."""
    result = detail.data.result_data if detail.data else None
    entries = _entries(result.run_data if result else {})
    if detail.mode == "retry" and detail.started_at is not None:
        began = detail.started_at
        entries = [one for one in entries if one.start >= began]
    ends = {(one.name, one.run): one.end for one in entries}
    types = {node.name: node.type for node in (detail.workflow_data.nodes if detail.workflow_data else ())}
    over = detail.stopped_at if detail.status not in {"waiting", "running", "new"} else None
    return tuple(found for one in entries for found in _told(one, ends, (types.get(one.name, ""), over), said_of))


def within_bounds(nodes: tuple[NodeRun, ...]) -> tuple[NodeRun, ...]:
    """At most NODES of them: those that waited, failed or called another execution first, then the earliest."""
    if len(nodes) <= NODES:
        return nodes
    ranked = sorted(range(len(nodes)), key=lambda place: (not _is_remarkable(nodes[place]), place))
    return tuple(nodes[place] for place in sorted(ranked[:NODES]))


def _is_remarkable(node: NodeRun) -> bool:
    return bool(node.wait or node.error_type or node.continued or node.sub_execution)


def _entries(run_data: Mapping[str, Sequence[NodeEntry]]) -> list[_Ran]:
    plain_times = [
        _Ran(name=name, run=run, entry=entry, start=_at(entry.start_time), end=_end(entry))
        for name, runs in run_data.items()
        for run, entry in enumerate(runs)
    ]
    last = max((one.end for one in plain_times if one.entry.start_time >= _MILLIS), default=EPOCH)
    found = [_later(one, last) if one.entry.start_time < _MILLIS else one for one in plain_times]
    return sorted(found, key=lambda one: (one.start, one.entry.execution_index, one.name, one.run))


def _later(one: _Ran, last: datetime) -> _Ran:
    """A crashed node: its start is cut to the second, and nodes that had ended came before it."""
    start = min(max(one.start, last), one.start + timedelta(seconds=1))
    return _Ran(name=one.name, run=one.run, entry=one.entry, start=start, end=start)


def _at(stamp: float) -> datetime:
    return datetime.fromtimestamp(min(max(stamp if stamp >= _MILLIS else stamp * 1000, 0), _LATEST) / 1000, UTC)


def _end(entry: NodeEntry) -> datetime:
    return _at(entry.start_time) + timedelta(milliseconds=min(max(entry.execution_time or 0, 0), _MILLIS))


def _told(one: _Ran, ends: Ends, about: tuple[str, datetime | None], said_of: SaidOf) -> Iterator[NodeRun]:
    """The run itself, and before it the wait: of a parked one only the wait, open or cut off by the end."""
    kind, over = about
    if one.entry.execution_status == "waiting":
        yield _run(one, (one.end, over and max(over, one.end)), kind, wait=_kind(one.entry))
        return
    before = _before(one, ends)
    resumable = one.entry.metadata is not None and one.entry.metadata.is_resumable
    if before is not None and (resumable or (kind == WAIT and one.start - before >= PARKED)):
        yield _run(one, (before, one.start), kind, wait=_kind(one.entry))
    said, continued = said_of(one.entry, one.name)
    end = None if one.entry.execution_status == "running" else one.end
    yield _run(one, (one.start, end), kind, said=said, continued=continued)


def _before(one: _Ran, ends: Ends) -> datetime | None:
    """When the node before it was over; None at the first one."""
    source = next((of for of in one.entry.source or () if of is not None), None)
    if source is None:
        return None
    end = ends.get((source.previous_node, source.previous_node_run or 0))
    return min(end, one.start) if end else None


def _kind(entry: NodeEntry) -> WaitKind:
    """Who is waited for: somebody who has to call or to fill in a form, or a time."""
    return "human" if entry.metadata is not None and entry.metadata.is_resumable else "external"


def _run(
    one: _Ran,
    times: tuple[datetime, datetime | None],
    kind: str,
    *,
    wait: WaitKind | None = None,
    said: Said | None = None,
    continued: bool = False,
) -> NodeRun:
    sub = one.entry.metadata.sub_execution if one.entry.metadata and wait is None else None
    return NodeRun(
        name=plain(one.name, SHORT),
        type=plain(kind, SHORT),
        run=one.run,
        started_at=times[0],
        ended_at=times[1],
        status="waiting" if wait else plain(one.entry.execution_status, SHORT),
        http_status=said.status if said else None,
        error_type=said.type if said else "",
        error=said.message if said else "",
        continued=continued,
        sub_execution=str(sub.execution_id) if sub and sub.execution_id is not None else "",
        wait=wait,
    )
