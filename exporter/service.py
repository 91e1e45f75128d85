"""The only module that knows everyone: build from Config, start, watch, drain, stop."""

import logging
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from threading import Event as Flag
from time import monotonic

from exporter import logs
from exporter.clock import SystemClock
from exporter.config import STORE_FILE, Config
from exporter.databases import Watched, watch
from exporter.domain.tenants import Tenant
from exporter.errors import StoreBroken, StoreError
from exporter.fold.records import REVIEW
from exporter.fold.subjects import Flow
from exporter.fold.workflows import Workflow, parse
from exporter.intake.server import Intake
from exporter.loops.child import Child, spared
from exporter.loops.folding import Folding, TooManyRefused, spare_the_collector
from exporter.loops.lane import LaneOptions
from exporter.loops.repeating import Repeating
from exporter.loops.sending import Sending, SendingOptions
from exporter.loops.tenants import TenantPolling
from exporter.sinks.endpoints import endpoints
from exporter.sinks.otlp import OtlpSink
from exporter.store import open_reader, open_store
from exporter.store.encoded import Signal
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.snapshot import Shown, Snapshot
from exporter.web.state import State

log = logging.getLogger(__name__)
EX_SOFTWARE, EX_BROKEN = 1, 70
WATCH = 0.25  # seconds between two looks at the loops
DRAIN = 2.5  # seconds one kind of loop may take to end; all together stay under 10 (promise R20)
FOLD_IDLE = 1.0  # seconds until the fold looks again without being woken
DETECTORS = ("detectors",)  # the module; it is told where the store is and where to post
PACKAGE = "odoo-otel-exporter"


def workflows() -> dict[str, Workflow]:
    """The Workflows that are shipped, by model."""
    return parse(files("exporter.fold").joinpath("workflows.yaml").read_text(encoding="utf-8"))


class Service:
    """Everything that runs in one process. `start`, then `fault` is watched, then `stop`."""

    def __init__(self, config: Config, watched: Sequence[Watched], environ: Mapping[str, str]) -> None:
        """Open the store and listen; the detectors are started with everything else.

        Raises:
            ConfigError: an address is taken, or an OTEL_* variable cannot be used.
            StoreError: another process has the store, or a newer program made it.
        """
        sent = endpoints(environ)
        config.state_dir.mkdir(parents=True, exist_ok=True)
        path = config.state_dir / STORE_FILE
        self.store = open_store(path)
        self.reader = open_reader(path)
        self._config, self._clock = config, SystemClock()
        self._workflows = workflows()
        self._tenants: dict[str, Tenant] = {}
        self._foldings: dict[str, Folding] = {}
        self._sink = OtlpSink(sent, self._clock) if sent else None
        signals: tuple[Signal, ...] = ("traces", "logs")
        self.sending = Sending(
            self.store,
            self._sink,
            self._clock,
            SendingOptions(signals=signals, sent=frozenset(sent), lane=LaneOptions(budget=config.outbox_budget_rows)),
        )
        self._watched = {one.name: one for one in watched}
        self.folding = Repeating("folding", self._fold, self._clock, FOLD_IDLE)
        self.polling = [self._poller(one) for one in watched]
        self.intake = Intake(self.store, (config.state_dir, config.intake_port), now=self._now, appended=self._appended)
        self.detectors = self._detectors(environ) if config.detectors else None
        snapshot = Snapshot(
            reader=self.reader,
            tenants=self._shown,
            errors=self._errors,
            now=self._clock.now,
            version=version(PACKAGE),
            refused=self.intake.receiving.refused,
        )
        self.web = WebServer(create_app(snapshot.render, self.state), config.listen_host, config.listen_port)

    def start(self) -> None:
        """Begin to poll, fold, send and answer."""
        spare_the_collector()
        self.intake.start()
        self.web.start()  # who sees it listen may post, too
        self.sending.start()
        self.folding.start()
        for loop in self.polling:
            loop.start()
        if self.detectors is not None:
            self.detectors.start()

    @property
    def fault(self) -> BaseException | None:
        """What ended a loop, if something did."""
        faults = [*(loop.fault for loop in (*self.polling, self.folding)), self.sending.fault]
        return next((fault for fault in (*faults, self.intake.receiving.fault) if fault), None)

    def stop(self) -> None:
        """Stop polling and detecting, fold what is there, finish the requests in flight, close the store."""
        if self.detectors is not None:
            self.detectors.halt()
        for loop in self.polling:
            loop.halt()
        until = monotonic() + DRAIN
        for loop in self.polling:
            loop.join(max(until - monotonic(), 0.0))
        if self.detectors is not None:
            self.detectors.stop(max(until - monotonic(), 0.0))
        self.intake.stop(0.5)
        self.folding.halt()
        self.folding.join(DRAIN)
        self.sending.stop(DRAIN)
        self.web.stop(1.0)
        if self._sink is not None:
            self._sink.close()
        self.reader.close()
        self.store.close()

    def state(self) -> State:
        """How everything is doing, for the pages."""
        lanes = {lane.signal: lane for lane in self.sending.state()}
        try:
            waiting = {name: items for name, items, _ in self.reader.outbox()}
            reports = [(name, *report) for name in self._watched for report in self.reader.reports(name)]
        except StoreError as error:
            return self._state(str(error))
        state = self._state("")
        state["sources"] = [
            {
                "tenant": name,
                "source": report.source,
                "ok": report.ok,
                "last_success": success.isoformat() if success else "",
                "error": report.error or "; ".join(report.missing),
            }
            for name, report, success in reports
        ]
        state["signals"] = [
            {
                "signal": name,
                "condition": lane.condition,
                "reason": lane.detail or lane.reason,
                "waiting": waiting.get(name, 0),
            }
            for name, lane in lanes.items()
        ]
        return state

    def _state(self, store: str) -> State:
        loops = {loop.name: loop.alive() for loop in (*self.polling, self.folding)}
        return State(
            version=version(PACKAGE),
            store=store,
            loops={**loops, "sending": self.sending.alive()},
            sources=[],
            signals=[],
        )

    def _poller(self, one: Watched) -> Repeating:
        polling = TenantPolling(
            name=one.name,
            connect=one.connect,
            known=self._known,
            appended=self._appended,
            inbox=self.store,
            ledger=self.store,
            clock=one.clock,
            expected=one.expected,
        )
        return Repeating(f"polling-{one.name}", polling.step, self._clock, one.poll_seconds)

    def _detectors(self, environ: Mapping[str, str]) -> Child:
        places = ("--state", str(self._config.state_dir), "--intake", self.intake.url)
        return Child(name="detectors", command=(*DETECTORS, *places), clock=self._clock, environ=spared(environ))

    def _now(self) -> dict[str, datetime]:
        return {name: one.clock.now() for name, one in self._watched.items()}

    def _appended(self) -> None:
        self.folding.wake()

    def _known(self, tenant: Tenant) -> None:
        """A database answered for the first time: from now on its Events are folded under its name and ids."""
        one = self._watched[tenant.name]
        flow = Flow(tenant=tenant, workflows=self._workflows, limits=dict(one.limits))
        self._foldings[tenant.name] = Folding(ledger=self.store, flow=flow, clock=one.clock, options=one.folding)
        self._tenants[tenant.name] = tenant
        log.info("%s is Odoo %s, uuid %s", tenant.name, tenant.version or "(simulated)", tenant.uuid)

    def _fold(self) -> bool:
        """One batch of every tenant; a tenant whose facts the fold refuses stands still, the others go on."""
        more = False
        for name, folding in list(self._foldings.items()):
            try:
                more = folding.step() or more
            except TooManyRefused as error:
                log.critical("%s is not folded any more: %s", name, error)
                del self._foldings[name]
        self.sending.wake()
        return more

    def _errors(self) -> dict[tuple[Signal, str], int]:
        return {(lane.signal, reason): n for lane in self.sending.state() for reason, n in lane.errors.items()}

    def _shown(self) -> list[Shown]:
        decisions = {state for flow in self._workflows.values() for state, who in flow.waits.items() if who == "human"}
        return [
            Shown(
                name=name,
                poll_seconds=one.poll_seconds,
                version=known.version if (known := self._tenants.get(name)) else "",
                environment=known.environment if known else "",
                decisions=frozenset(decisions | {REVIEW}),
            )
            for name, one in self._watched.items()
        ]


def run(config: Config) -> int:
    """Run until SIGTERM or SIGINT; the exit code: 0 clean, 70 when the store is broken, 1 when a loop ended."""
    logs.configure(config.log_level, [database.api_key for database in config.databases])
    for skipped in config.skipped:
        log.error("%s is skipped: %s", skipped.name, " ".join(skipped.faults))
    service = Service(config, [watch(one, config.label_cap) for one in config.databases], os.environ)
    return until_told(service)


def until_told(service: Service) -> int:
    """Start, watch, and stop at a signal or a fault."""
    stopping = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    service.start()
    while not stopping.wait(WATCH) and service.fault is None:
        pass
    fault = service.fault
    if isinstance(fault, StoreBroken):
        log.critical("the store is broken, nothing is acknowledged any more: %s", fault)
        os._exit(EX_BROKEN)  # nothing may be flushed or retried after a failed fsync (reliability finding 9)
    service.stop()
    return EX_SOFTWARE if fault else 0
