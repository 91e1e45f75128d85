"""The parts of an execution: a Step for each run of a node, and one for each time it was parked.

With native spans only what those lack: the waits, and of nodes that failed why they did.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from exporter.domain.bodies import ExecutionSeen, NodeRun
from exporter.domain.causes import failure
from exporter.domain.runs import Attributes, Failure, Result, Step, known
from exporter.fold.execution_places import node_role

_RESULTS: dict[str, Result] = {
    "success": "success",
    "error": "failure",
    "crashed": "error",
    "canceled": "cancellation",
}


def steps(body: ExecutionSeen, end: datetime | None) -> tuple[Step, ...]:
    """By start; what had no end of its own ended with the execution."""
    around = {} if body.native else _around(body.nodes)
    found = [_wait(node, end) if node.wait else _node(node, body, end, around) for node in _told(body)]
    return tuple(sorted(found, key=lambda step: (step.started_at, step.role)))


def _told(body: ExecutionSeen) -> Iterator[NodeRun]:
    return (node for node in body.nodes if not body.native or node.wait or _failed(node))


def _failed(node: NodeRun) -> bool:
    return node.continued or bool(node.error_type)


def _wait(node: NodeRun, end: datetime | None) -> Step:
    return Step(
        role=f"wait/{node.name}/{node.run}",
        name=f"wait {node.name}",
        started_at=node.started_at,
        ended_at=_end(node, end),
        wait=node.wait,
        attributes=_attributes(node),
    )


def _node(node: NodeRun, body: ExecutionSeen, end: datetime | None, around: Mapping[str, str]) -> Step:
    role, name = _role(node), f"node {node.name}"
    if body.native:  # n8n has a span of that node: this one says what became of it
        role, name = f"outcome/{node.name}/{node.run}", f"outcome {node.name}"
    return Step(
        role=role,
        name=name,
        started_at=node.started_at,
        ended_at=_end(node, end),
        result="failure" if node.continued else _RESULTS.get(node.status),
        failure=_failure(node),
        attributes=_attributes(node),
        within=around.get(role, ""),
    )


def _end(node: NodeRun, end: datetime | None) -> datetime | None:
    ended = node.ended_at or end
    return max(ended, node.started_at) if ended else None


def _role(node: NodeRun) -> str:
    return node_role(f"{node.name}/{node.run}")


def _around(nodes: Sequence[NodeRun]) -> dict[str, str]:
    """By role, the node run within which it ran: the shortest that began before and ended after it (an agent's tools).

    Only those that go on where the next one begins are compared: nodes run one after another, nearly all of them.
    """
    found: dict[str, str] = {}
    running: list[tuple[datetime, NodeRun]] = []
    timed = [(of.started_at, of.ended_at, of) for of in nodes if of.wait is None and of.ended_at is not None]
    for start, end, node in sorted(timed, key=lambda one: one[0]):
        running = [(until, of) for until, of in running if until > start]
        around = [(until, of) for until, of in running if of.started_at < start and end < until]
        if around:
            _, nearest = min(around, key=lambda one: (one[0] - one[1].started_at, one[1].name))
            found[_role(node)] = _role(nearest)
        running.append((end, node))
    return found


def _failure(node: NodeRun) -> Failure | None:
    return failure(node.error_type, node.error, node.http_status) if _failed(node) else None


def _attributes(node: NodeRun) -> Attributes:
    found: dict[str, str | int | bool | None] = {
        "n8n.node.name": node.name,
        "n8n.node.type": node.type or None,
        "n8n.node.run": node.run,
        "n8n.node.continued": node.continued or None,
        "n8n.sub_execution.id": node.sub_execution or None,
        "http.response.status_code": node.http_status,
    }
    return known(found)
