"""Where an execution stands: in the trace it was called with, of the record it names, or of the execution above it."""

from dataclasses import dataclass

from exporter.domain import ids, links
from exporter.domain.bodies import ExecutionSeen, Standing
from exporter.domain.runs import RunLink
from exporter.fold.joining import joined
from exporter.fold.subjects import Flow

MODEL, KEY = "n8n.execution", "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """As of a Run; `is_certain` when no later fact can move it."""

    traceparent: str = ""
    joins: RunLink | None = None
    links: tuple[RunLink, ...] = ()
    is_certain: bool = False


def record_of(execution: str, epoch: str) -> str:
    """The record id of an execution: n8n's own; after n8n began again with its ids, with how often it did."""
    return execution if epoch == "0" else f"{epoch}:{execution}"


def node_role(step: str) -> str:
    """The role of a node run (`Child/0`)."""
    return f"node/{step}"


def place_of(body: ExecutionSeen, epoch: str, flow: Flow) -> Place:
    """With native spans n8n's own root; else inside its caller; else by traceparent; else by the record it names.

    Where the record it names stands in another trace, that is a link.
    """
    record = joined(linked(body), flow)
    found = tuple(link for link in (_retried(body, epoch, flow), record) if link is not None)
    if body.traceparent and (body.native or body.outermost is None):
        return Place(traceparent=body.traceparent, links=found, is_certain=True)
    if body.outermost is not None:
        above = _above(body, body.outermost, epoch, flow)
        return Place(traceparent=above, links=found, is_certain=_is_certain(body.outermost, flow))
    others = tuple(link for link in found if link != record)
    return Place(joins=record, links=others, is_certain=record is not None)


def linked(body: ExecutionSeen) -> tuple[str, ...]:
    """The link keys that lead to the record it is linked to, where it does not stand in its trace.

    A name has to be waited for: that is done where nothing else joins the two, as n8n made the trace itself.
    """
    if body.native or body.sampled_out or not (body.traceparent or body.outermost):
        return body.correlation
    return tuple(link for link in body.correlation if links.direct(link))


def _above(body: ExecutionSeen, top: Standing, epoch: str, flow: Flow) -> str:
    """The span above: the node run that called it, where that is known, else the root of the execution it belongs to.

    Its ids are ours; in which trace they stand is decided by the execution at the beginning of the chain. Where n8n
    gave the roots their ids (`sampled_out`), what no node run called hangs on that of the whole chain.
    """
    if body.sampled_out and not body.parent_step and top.traceparent:
        return top.traceparent
    role = node_role(body.parent_step) if body.parent_step else ids.ROOT
    return _header(_trace(top, epoch, flow), body.parent, (epoch, role), flow)


def _is_certain(of: Standing, flow: Flow) -> bool:
    return bool(of.traceparent) or joined(of.correlation, flow) is not None


def _retried(body: ExecutionSeen, epoch: str, flow: Flow) -> RunLink | None:
    if not body.retry_of:
        return None
    of = body.retried or Standing(execution=body.retry_of)
    native = of.traceparent if body.native or body.sampled_out else ""
    return RunLink(
        reason="retry",
        model=MODEL,
        record_id=record_of(body.retry_of, epoch),
        key=KEY,
        trace_key=KEY,
        traceparent=native or _header(_trace(of, epoch, flow), body.retry_of, (epoch, ids.ROOT), flow),
    )


def _trace(of: Standing, epoch: str, flow: Flow) -> bytes:
    if found := ids.traceparent(of.traceparent):
        return found[0]
    joins = joined(of.correlation, flow)
    if joins is not None:
        return ids.trace_id(flow.tenant, joins.model, joins.record_id, joins.trace_key)
    return ids.trace_id(flow.tenant, MODEL, record_of(of.execution, epoch), KEY)


def _header(trace: bytes, execution: str, part: tuple[str, str], flow: Flow) -> str:
    epoch, role = part
    span = ids.span_id(flow.tenant, (MODEL, record_of(execution, epoch), KEY), role)
    return f"00-{trace.hex()}-{span.hex()}-01"
