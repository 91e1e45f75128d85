"""THE table of voices: how each kind of Run is spoken of, the name of its root span first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.domain.runs import Attributes, Run
from exporter.domain.told import SpanKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How one kind of Run is spoken of."""

    scope: str
    root: Callable[[Run], str]
    kind: SpanKind
    attributes: Attributes


VOICES: Mapping[str, Voice] = {
    "cron": Voice(
        scope="odoo/crons",
        root=lambda run: f"cron {run.title}",
        kind="server",
        attributes=(("faas.trigger", "timer"),),
    ),
    "job": Voice(
        scope="odoo/jobs",
        root=lambda run: f"process {run.workflow}",
        kind="consumer",
        attributes=(("messaging.system", "odoo_queue_job"), ("messaging.operation.type", "process")),
    ),
    "record": Voice(scope="odoo/approvals", root=lambda run: f"workflow {run.workflow}", kind="server", attributes=()),
    "delivery": Voice(scope="hooks", root=lambda run: f"POST /hooks/{run.workflow}", kind="server", attributes=()),
    "call": Voice(
        scope="odoo/log",
        root=lambda _: "webhook call",
        kind="client",
        attributes=(),
    ),
    "execution": Voice(scope="n8n/executions", root=lambda run: f"n8n {run.workflow}", kind="server", attributes=()),
    "inbound": Voice(scope="odoo/log", root=lambda _: "webhook received by Odoo", kind="server", attributes=()),
    "mail": Voice(scope="odoo/mails", root=lambda _: "send mail", kind="client", attributes=()),
    "send": Voice(scope="odoo/automations", root=lambda _: "expected webhook", kind="producer", attributes=()),
    "double": Voice(
        scope="odoo/approvals", root=lambda run: f"duplicate {run.workflow}", kind="internal", attributes=()
    ),
    "expectation": Voice(
        scope="odoo/expectations", root=lambda run: f"expect {run.workflow}", kind="internal", attributes=()
    ),
    "finding": Voice(
        scope="detectors/findings",
        root=lambda run: f"finding {dict(run.attributes)['odoo.finding.detector']}",
        kind="internal",
        attributes=(),
    ),
}
