"""One real n8n beside the fake Odoo, and the service that reads both; its workflows were run once."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab
from tests.stack.installs.n8n import N8N
from tests.stack.servers.n8n import DRIVE, READ, N8n
from tests.stack.servers.process import free_port
from tests.stack_n8n.stub import Stub

ROOT = Path(__file__).parents[2]
WORKFLOWS = Path(__file__).parent / "workflows"
TOKEN = "c4n4ry-token-0123456789abcdef"
HOOK = re.search(r"^```js\n(.*?)^```", (ROOT / "docs/n8n.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def pytest_sessionstart() -> None:
    """Say in one sentence what is missing, instead of failing in every test."""
    if not N8N.done:
        pytest.exit("n8n is not installed; run `python tests/stack/install.py n8n` first", returncode=2)


@dataclass(kw_only=True)
class Lab:
    """n8n, the fake Odoo, the exporter, the Collector; `drive` is a key that may run things, `read` ours."""

    n8n: N8n
    odoo: LiveOdoo
    exporter: Exporter
    collector: FakeCollector
    drive: str
    read: str

    def last(self, workflow: str, status: str = "") -> dict[str, Any]:
        """The newest execution of a workflow."""
        asked = f"/executions?workflowId={workflow}" + (f"&status={status}" if status else "")
        until(lambda: self.n8n.api(self.read, asked)["data"], 30, f"an execution of {workflow}")
        found: dict[str, Any] = self.n8n.api(self.read, asked)["data"][0]
        return found

    def ends(self, execution: str, status: str) -> None:
        """Wait until an execution is in a state."""
        until(lambda: self.n8n.api(self.read, f"/executions/{execution}")["status"] == status, 60, f"{status} of it")

    def token(self, execution: str) -> str:
        """What resumes a parked execution, as n8n shows it to whoever may read it, redacted too."""
        asked = f"/executions/{execution}?includeData=true&redactExecutionData=true"
        return str(self.n8n.api(self.read, asked)["data"]["resumeToken"])

    def spans(self) -> list[Span]:
        """Every span that arrived, once."""
        return [*{span.span_id: span for span in self.collector.spans()}.values()]

    def root(self, execution: str) -> Span:
        """The span of an execution, when it has arrived."""
        until(lambda: self._roots(execution), 20, f"execution {execution} told")
        (found,) = self._roots(execution)
        return found

    def below(self, root: Span) -> dict[str, Span]:
        """Its children by name."""
        return {span.name: span for span in self.spans() if span.parent_span_id == root.span_id}

    def _roots(self, execution: str) -> list[Span]:
        return [
            span
            for span in self.spans()
            if span.name.startswith("n8n ")
            and not span.name.endswith(" started")
            and words(span).get("n8n.execution.id") == execution
        ]


def words(span: Span | Span.Link) -> Mapping[str, object]:
    """The attributes of a span, or of a link."""
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Everything at work, every workflow published; the error workflow and the hook file of docs/n8n.md nudge."""
    with _lab(tmp_path_factory.mktemp("n8n")) as found:
        yield found


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The same with an n8n that sends spans of its own to the same Collector."""
    with _lab(tmp_path_factory.mktemp("native"), native=True) as found:
        yield found


@pytest.fixture(scope="session")
def unsampled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The same with an n8n that traces, and by its sampling rate sends nothing."""
    with _lab(tmp_path_factory.mktemp("unsampled"), native=True, N8N_OTEL_TRACES_SAMPLE_RATE="0") as found:
        yield found


@pytest.fixture(scope="session")
def reconciled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The same with a rule in Odoo that tells both of us of every confirmed purchase."""
    with _lab(tmp_path_factory.mktemp("reconciled"), ruled=True) as found:
        yield found


def _rule(odoo: LiveOdoo, *addresses: str) -> None:
    """An automation rule that posts every confirmed purchase to these addresses."""
    rule = odoo.insert("base.automation", filter_domain="[('state', '=', 'purchase')]", trigger_field_ids=(1,))
    for number, url in enumerate(addresses):
        odoo.insert("ir.actions.server", name=f"Tell {number}", base_automation_id=rule, webhook_url=url)


@contextmanager
def _lab(folder: Path, *, native: bool = False, ruled: bool = False, **more: str) -> Iterator[Lab]:
    intake = free_port()
    hook = f"http://127.0.0.1:{intake}/hooks/n8n/{TOKEN}"
    with ExitStack() as stack:
        collector = stack.enter_context(FakeCollector())
        n8n = _n8n(folder, stack, (hook, collector.url if native else ""), more)
        drive, read = n8n.key("drive", DRIVE), n8n.key("read", READ)
        for file in sorted(WORKFLOWS.glob("*.json")):  # the child before its parent
            n8n.api(drive, f"/workflows/{file.stem}/activate", {})
        odoo = live_lab(running=True)
        odoo.write("purchase.order", live.order(odoo), name="P00099")
        if ruled:
            _rule(odoo, f"http://127.0.0.1:{intake}/hooks/odoo/{TOKEN}", f"{n8n.url}/webhook/order")
        server = stack.enter_context(LiveServer(odoo))
        entry = server.entry(
            "acme",
            poll_seconds=1 if ruled else 20,
            missing_after=15,
            hooks={name: {"scheme": "token", "secrets": "${env:HOOK_TOKEN}"} for name in ("n8n", "odoo")},
            n8n={"url": n8n.url, "api_key": read, "native_otel": native},
        )
        stack.enter_context(_variable("HOOK_TOKEN", TOKEN))
        exporter = Exporter(folder, [entry], endpoint=collector.url, settings={"intake_port": intake})
        stack.enter_context(exporter)
        until(lambda: exporter.value("odoo_source_success", source="n8n/executions") == 1, 20, "the first poll of n8n")
        time.sleep(1.1)  # what ends within the second of the first start is history, Odoo's clock has no more
        yield Lab(n8n=n8n, odoo=odoo, exporter=exporter, collector=collector, drive=drive, read=read)


def _n8n(folder: Path, stack: ExitStack, urls: tuple[str, str], more: Mapping[str, str]) -> N8n:
    """An n8n at work that nudges one address, and sends its spans to the other if there is one."""
    hook, collector = urls
    assert HOOK is not None
    (folder / "hook.js").write_text(HOOK[1])
    stub = stack.enter_context(Stub())
    settings = {"EXTERNAL_HOOK_FILES": str(folder / "hook.js"), "ODOO_OTEL_HOOK": hook, **more}
    if collector:
        settings |= {"N8N_OTEL_ENABLED": "true", "N8N_OTEL_EXPORTER_OTLP_ENDPOINT": collector}
        settings |= {"OTEL_BSP_SCHEDULE_DELAY": "200"}
    n8n = N8n(folder / "n8n", settings)
    here = f"http://127.0.0.1:{stub.port}"
    n8n.take(WORKFLOWS, {"http://127.0.0.1:15999/hook/errorworkflow": hook, "http://127.0.0.1:15999": here})
    stack.enter_context(n8n)
    n8n.login()
    return n8n


def _variable(name: str, value: str) -> ExitStack:
    patch = pytest.MonkeyPatch()
    patch.setenv(name, value)
    stack = ExitStack()
    stack.callback(patch.undo)
    return stack
