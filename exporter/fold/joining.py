"""Which record a Run belongs to that only names it: by Odoo's own reference, or by a link that facts have made."""

from collections.abc import Iterable

from exporter.domain import links
from exporter.domain.runs import RunLink
from exporter.domain.sources import DOCUMENTS
from exporter.fold.subjects import Flow


def asked(correlation: Iterable[str]) -> tuple[str, ...]:
    """The link keys that have to be looked up."""
    return tuple(link for link in correlation if not links.direct(link))


def joined(correlation: Iterable[str], flow: Flow) -> RunLink | None:
    """The first document that the link keys lead to, as the Run whose trace is joined; None while none is known.

    A document's episodes share one trace, and the root of its first one has run key `1` (docs/ids.md). Where each is a
    trace of its own, the first one is joined: the only one that can be known from outside.
    """
    for link in correlation:
        model, record_id = links.reference(links.direct(link) or flow.links.get(link, ""))
        if model:
            workflow = flow.workflows.get(model)
            parted = workflow is not None and workflow.traces == "episodes"
            return RunLink(reason="record", model=model, record_id=record_id, key="1", trace_key="1" if parted else "")
    return None


def unresolved(correlation: Iterable[str], flow: Flow) -> bool:
    """Whether a link key was given, and none leads anywhere yet: the Source that makes links has to be read on."""
    wanted = tuple(correlation)
    return bool(wanted) and flow.hears(DOCUMENTS) and joined(wanted, flow) is None


def leads(correlation: Iterable[str], flow: Flow) -> frozenset[str]:
    """The Subjects that link keys lead to; one that leads nowhere yet stands for itself."""
    return frozenset(links.direct(link) or flow.links.get(link) or link for link in correlation)
