"""THE table of voices: how each kind of Run is spoken of; the README's table of traces is made from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.domain.runs import Attributes, Run
from exporter.domain.sources import CRONS, DOCUMENTS, EXECUTIONS, RULES
from exporter.domain.told import SpanKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How one kind of Run is spoken of.

    Attributes:
        root: the name of its root span.
        about: what it is, and where it stands; `parts`: what is inside it or linked to it.
        named: what a reader is shown in the place of the name that `root` puts in.
    """

    scope: str
    root: Callable[[Run], str]
    kind: SpanKind
    about: tuple[str, str]
    parts: str = ""
    named: str = "name"
    attributes: Attributes = ()


_IN_RECORD = "in the trace of the record"
VOICES: Mapping[str, Voice] = {
    "cron": Voice(
        scope=CRONS,
        root=lambda run: f"cron {run.title}",
        kind="server",
        about=("scheduled action", "one per run"),
        parts="the wait before it started, batches; a link to the previous failed run",
        attributes=(("faas.trigger", "timer"),),
    ),
    "job": Voice(
        scope="odoo/jobs",
        root=lambda run: f"process {run.workflow}",
        kind="consumer",
        about=("queue job", "one per job"),
        parts="pending, each attempt; links to the jobs it waited for",
        named="channel",
        attributes=(("messaging.system", "odoo_queue_job"), ("messaging.operation.type", "process")),
    ),
    "record": Voice(
        scope=DOCUMENTS,
        root=lambda run: f"workflow {run.workflow}",
        kind="server",
        about=("document under approval", "one per record"),
        parts="each state and each review: who waited for whom, and how long",
    ),
    "delivery": Voice(
        scope="hooks",
        root=lambda run: f"POST /hooks/{run.workflow}",
        kind="server",
        about=("webhook received", f"{_IN_RECORD} it names, or of its caller"),
        parts="what each delivery of a run told",
    ),
    "call": Voice(
        scope="odoo/log",
        root=lambda _: "webhook call",
        kind="client",
        about=("webhook that Odoo called, from its log", "one per call"),
    ),
    "execution": Voice(
        scope=EXECUTIONS,
        root=lambda run: f"n8n {run.workflow}",
        kind="server",
        about=("execution of n8n", "in the trace of its caller, or of the record it names"),
        parts="a span a node run, the time it was parked; a link to what it retries",
        named="workflow",
    ),
    "inbound": Voice(
        scope="odoo/log",
        root=lambda _: "webhook received by Odoo",
        kind="server",
        about=("webhook that Odoo received, from its log", "one per call"),
        parts="the rule that failed, and why",
    ),
    "mail": Voice(
        scope="odoo/mails",
        root=lambda _: "send mail",
        kind="client",
        about=("outgoing mail that failed", f"{_IN_RECORD} it was about"),
    ),
    "send": Voice(
        scope=RULES,
        root=lambda _: "expected webhook",
        kind="producer",
        about=("webhook that an automation rule should have sent", f"{_IN_RECORD} that changed"),
        parts="where it ended: complete, dropped, rolled back, not executed by n8n, record unchanged",
    ),
    "double": Voice(
        scope=DOCUMENTS,
        root=lambda run: f"duplicate {run.workflow}",
        kind="internal",
        about=("record that shares a key with an earlier one", "in its own trace"),
        parts="a link to the first",
        named="model",
    ),
    "expectation": Voice(
        scope="odoo/expectations",
        root=lambda run: f"expect {run.workflow}",
        kind="internal",
        about=("what has to follow something", f"{_IN_RECORD}, from the first to the second"),
    ),
    "finding": Voice(
        scope="detectors/findings",
        root=lambda run: f"finding {dict(run.attributes)['odoo.finding.detector']}",
        kind="internal",
        about=("Finding", "one of its own, from its opening to its end"),
        parts="links to the runs it was seen in",
        named="detector",
    ),
}
