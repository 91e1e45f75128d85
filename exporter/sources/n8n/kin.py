"""What executions need to know of one another: who called whom, what a retry retries, what workflows are called."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from msgspec import Struct, structs

from exporter.domain.bodies import ExecutionSeen, Standing
from exporter.errors import BadRecord, SourceDown, SourceRefused
from exporter.sources.n8n.door import N8nDoor, TooMuch
from exporter.sources.n8n.parsing import ONGOING, detailed
from exporter.sources.n8n.rows import Detail

KNOWN = 2000  # executions remembered, for those they called and those that retry them
CHAIN = 16  # sub-workflows deep
NAMES_FOR = timedelta(minutes=10)
TRIES = 3  # after which an execution is told without what its nodes did, or without what its kin says


class Known(Struct, frozen=True, kw_only=True):
    """What others need to know of an execution; `calls` leads from one that it called to the node run that did.

    One that goes on may still name its record, and call others: it is asked again, once a poll. `tries` counts how
    often n8n did not answer.
    """

    parent: str = ""
    traceparent: str = ""
    correlation: tuple[str, ...] = ()
    calls: Mapping[str, str] = {}
    goes_on: bool = False
    tries: int = 0


@dataclass(slots=True, kw_only=True)
class Memory:
    """What may be forgotten between polls."""

    names: dict[str, str] = field(default_factory=dict)
    names_until: datetime | None = None
    known: dict[str, Known | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class N8nOptions:
    """How one n8n is read.

    Attributes:
        native: n8n exports spans of its own.
        reference: the key of the custom data that names the record.
        words: whether what failed may be read unredacted, for the words of its error.
        history_days: how far back the first poll goes.
    """

    native: bool = False
    reference: str = "odoo_ref"
    words: bool = True
    history_days: int = 30


@dataclass(slots=True, kw_only=True)
class Kin:
    """Asks n8n for what is not known, in one poll; `missing` says what it would not tell."""

    door: N8nDoor
    options: N8nOptions
    memory: Memory
    began_at: datetime
    missing: list[str] = field(default_factory=list)
    _asked: set[str] = field(default_factory=set)

    def name(self, workflow: str) -> str:
        """A workflow's name; asked for at most every ten minutes. Its id where it is not to be had."""
        memory = self.memory
        due = memory.names_until is None or memory.names_until <= self.began_at
        if workflow and workflow not in memory.names and due:
            memory.names_until = self.began_at + NAMES_FOR
            try:
                memory.names.update(self.door.workflows())
            except (SourceDown, BadRecord) as down:
                self.missing.append(f"The names of workflows cannot be read: {down}")
        return memory.names.get(workflow, workflow)

    def remember(self, body: ExecutionSeen) -> None:
        """Keep what others may ask of it."""
        calls = {node.sub_execution: f"{node.name}/{node.run}" for node in body.nodes if node.sub_execution}
        known = self.memory.known
        self._asked.add(body.execution)
        known[body.execution] = Known(
            parent=body.parent,
            traceparent=body.traceparent,
            correlation=body.correlation,
            calls=calls,
            goes_on=body.status in ONGOING,
        )
        if body.workflow:
            self.memory.names[body.workflow_id] = body.workflow
        while len(known) > KNOWN:
            del known[next(iter(known))]

    def placed(self, body: ExecutionSeen) -> ExecutionSeen:
        """The execution with where those stand that called it, and that it retries."""
        if body.parent:
            chain = list(self._callers(body.parent))
            step = known.calls.get(body.execution, "") if (known := self._known(body.parent)) else ""
            body = replace(body, parent_step=step, outermost=self._standing(chain[-1]))
        if body.retry_of:
            body = replace(body, retried=self._standing(body.retry_of))
        return body

    def _callers(self, parent: str) -> Iterator[str]:
        for _ in range(CHAIN):
            yield parent
            known = self._known(parent)
            if known is None or not known.parent:
                return
            parent = known.parent

    def _standing(self, execution: str) -> Standing:
        known = self._known(execution)
        if known is None:
            return Standing(execution=execution)
        return Standing(execution=execution, traceparent=known.traceparent, correlation=known.correlation)

    def _known(self, execution: str) -> Known | None:
        """What is known of an execution, which is read if it was not; None where it is gone.

        Raises SourceDown where n8n does not answer: who asks is tried again. After TRIES its data is not asked for any
        more, until its own poll has read it: one that is large and still runs would hold up all that it calls.
        """
        known = self.memory.known
        if self._is_to_ask(execution):
            before = known.get(execution) or Known(goes_on=True)
            is_given_up = before.tries == TRIES
            try:
                detail = self._read(execution, data=not is_given_up)
            except SourceRefused:
                raise
            except SourceDown as down:
                known[execution] = structs.replace(before, tries=before.tries + 1, goes_on=not is_given_up)
                raise SourceDown(f"Execution {execution}, which called it or which it retries: {down}") from None
            if detail is None:
                known[execution] = None
            elif is_given_up:
                context = before.traceparent or self._body(detail).traceparent
                known[execution] = structs.replace(before, traceparent=context, goes_on=False)
            else:
                self.remember(self._body(detail))
        return known.get(execution)

    def _body(self, detail: Detail) -> ExecutionSeen:
        return detailed(detail, self.began_at, reference=self.options.reference, native=self.options.native)

    def _is_to_ask(self, execution: str) -> bool:
        if execution not in self.memory.known:
            return True
        before = self.memory.known[execution]
        return before is not None and before.goes_on and execution not in self._asked

    def _read(self, execution: str, *, data: bool) -> Detail | None:
        """The execution; None also where it cannot be read: its own poll says so, not that of its kin."""
        try:
            return self.door.execution(int(execution), data=data) if execution.isdecimal() else None
        except (BadRecord, TooMuch):
            return None
