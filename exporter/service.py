"""The only module that knows everyone: build from Config, start, watch, drain, stop."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from socket import gethostname
from time import monotonic

from exporter import logs
from exporter.backfill import showing
from exporter.clock import SystemClock
from exporter.config import STORE_FILE, Config
from exporter.config.derived import by_any_name, retention, secrets
from exporter.databases import Watched, watch
from exporter.errors import StoreError
from exporter.fleet import Fleet
from exporter.guarding import Guard, guarded
from exporter.hooks import served
from exporter.intake.server import Intake
from exporter.loops.child import Child, spared
from exporter.loops.folding import spare_the_collector
from exporter.loops.housekeeping import LOOK, MIB, Housekeeping, HousekeepingOptions
from exporter.loops.lane import LaneOptions
from exporter.loops.repeating import Repeating
from exporter.loops.reporting import Reporting
from exporter.loops.sending import Sending, SendingOptions
from exporter.metering import Metering
from exporter.reloading import Reloading
from exporter.screen import Screen
from exporter.sinks.endpoints import endpoints, metric_interval
from exporter.sinks.opening import open_sink
from exporter.store import open_reader, open_store
from exporter.store.ballast import Ballast, disk_of
from exporter.store.encoded import Signal
from exporter.telemetry.otlp import own_resource
from exporter.tokens import Tokens
from exporter.web.app import create_app
from exporter.web.server import WebServer
from exporter.web.snapshot import Snapshot
from exporter.web.state import State

log = logging.getLogger(__name__)
HARD = 1.25  # times its budget beyond which the store takes nothing at all
BALLAST_FILE, BALLAST = "ballast", 32 * MIB
RENEW = 5.0  # seconds between two looks for another key, while one is refused
DRAIN = 2.5  # seconds one kind of loop may take to end; all together stay under 10 (promise R20)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
DETECTORS = ("detectors",)  # the module; it is told where the store is and where to post
PACKAGE = "odoo-otel-exporter"


class Service:
    """Everything that runs in one process. `start`, then `fault` is watched, then `stop`."""

    def __init__(
        self,
        config: Config,
        watched: Sequence[Watched],
        environ: Mapping[str, str],
        read: Callable[[], Config] | None = None,
        *,
        screen: Screen | None = None,
    ) -> None:
        """Open the store and listen; the detectors are started with everything else.

        `read` is how the configuration is read again at SIGHUP; without it nothing can change. `screen`: the terminal
        that shows how far the past is read, where there is one.

        Raises:
            ConfigError: an address is taken, an OTEL_* variable or an old token cannot be used.
            StoreError: another process has the store, or a newer program made it.
        """
        sent, self.guard = endpoints(environ), Guard(config.web_config_file)
        config.state_dir.mkdir(parents=True, exist_ok=True)
        path = config.state_dir / STORE_FILE
        self.store = open_store(path, max_bytes=int(HARD * config.store_budget_mib * MIB))
        self.reader = open_reader(path)
        self._config, self._clock = config, SystemClock()
        Tokens(config.state_dir).migrate(self._clock.now())
        self._sink = open_sink(sent, self._clock) if sent else None
        lane = LaneOptions(budget=config.outbox_budget_rows)
        options = SendingOptions(signals=("traces", "logs"), sent=frozenset(sent), lane=lane)
        self.sending = Sending(self.store, self._sink, self._clock, options)
        self._reports: Reporting | None = None
        self.fleet = Fleet(store=self.store, clock=self._clock, told=self.sending.wake)
        self.fleet.watch(watched)
        self.backfill = showing(self.reader, self.fleet.expected, self._clock, screen)
        self._keeping = self._housekeeping()
        self.housekeeping = Repeating("housekeeping", self._keeping.step, self._clock, LOOK)
        self.intake = Intake(
            self.store,
            (config.state_dir, (config.intake_host, config.intake_port)),
            now=self.fleet.now,
            appended=self.fleet.folding.wake,
            served=served(config.databases),
            tenants=by_any_name(config),
            tls=self.guard.context,
            trusted=config.trusted_proxies,
        )
        now = self._clock.now
        self.reloading = Reloading(config=config, read=read or (lambda: config), now=now, since=now())
        self._renewed = monotonic()
        self.detectors = self._detectors(environ) if config.detectors else None
        snapshot = Snapshot(
            reader=self.reader,
            tenants=self.fleet.shown,
            errors=self._errors,
            now=self._clock.now,
            version=version(PACKAGE),
            refused=self.intake.receiving.refused,
            hooks=self.intake.hooks.counted,
            lines=self.intake.lines.counted,
            kept=lambda: self._keeping.gauges() | self.reloading.gauges(),
        )
        self.reporting = self._reporting(snapshot, metric_interval(environ)) if "metrics" in sent else None
        pages = guarded(create_app(snapshot.render, self.state), self.guard)
        self.web = WebServer(pages, config.listen_host, config.listen_port, tls=self.guard.context)

    def start(self) -> None:
        """Begin to poll, fold, send and answer."""
        spare_the_collector()
        if self._config.intake_host not in LOOPBACK and self.guard.context is None:
            log.warning("webhooks come to %s without TLS: see `web_config_file`", self._config.intake_host)
        self.intake.start()
        self.web.start()  # who sees it listen may post, too
        self.sending.start()
        self.housekeeping.start()
        self.fleet.start()
        self.backfill.start()
        if self.reporting is not None:
            self.reporting.start()
        if self.detectors is not None:
            self.detectors.start()

    def reload(self) -> None:
        """Read the configuration again; databases come, go and change while the rest runs on."""
        self.guard.renew()
        change = self.reloading.again()
        if change is None:
            return
        config = change.config
        logs.again(config.log_level, {*secrets(self._config), *secrets(config)})  # what still goes on has the old ones
        self.intake.serve(change.hooks, by_any_name(config))
        self._keeping.options = replace(self._keeping.options, retention=retention(config))
        self.fleet.change([watch(one, config.label_cap) for one in change.fresh], change.gone)
        self._config = config

    def renew(self) -> None:
        """Where a key is refused, look from time to time whether another one is written by now, and take that."""
        names = self.fleet.refused
        if not names or monotonic() - self._renewed < RENEW:
            return
        self._renewed = monotonic()
        fresh = self.reloading.keys(names)
        if fresh:
            config = self.reloading.config
            logs.again(config.log_level, {*secrets(self._config), *secrets(config)})
            self.fleet.change([watch(one, config.label_cap) for one in fresh], ())
            self._config = config

    @property
    def fault(self) -> BaseException | None:
        """What ended a loop, if something did."""
        faults = [*(loop.fault for loop in self._loops), self.sending.fault]
        return next((fault for fault in (*faults, self.intake.fault) if fault), None)

    def stop(self) -> None:
        """Stop polling and detecting, fold what is there, send what a server takes at once, close the store."""
        if self.detectors is not None:
            self.detectors.halt()
        for loop in self._loops:
            if loop not in {self.fleet.folding, self.reporting}:
                loop.halt()
        until = monotonic() + DRAIN
        for loop in self.fleet.polling:
            loop.join(max(until - monotonic(), 0.0))
        if self.detectors is not None:
            self.detectors.stop(max(until - monotonic(), 0.0))
        self.intake.stop(0.5)
        self.fleet.folding.halt()
        self.fleet.folding.join(DRAIN)
        until = monotonic() + DRAIN
        self.sending.drain(DRAIN / 2)
        self.sending.stop(until - monotonic())
        if self.reporting is not None:
            self.reporting.halt()
            self.reporting.join(1.0)
        self.web.stop(1.0)
        self.backfill.join(1.0)
        if self._sink is not None:
            self._sink.close()
        self.reader.close()
        self.store.close()

    def state(self) -> State:
        """How everything is doing, for the pages."""
        lanes = {lane.signal: lane for lane in self.sending.state()}
        try:
            waiting = {name: items for name, items, _ in self.reader.outbox()}
            reports = [(name, *report) for name in self.fleet.names for report in self.reader.reports(name)]
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
        if self._reports is not None:
            said = f"{self._reports.reason} {self._reports.detail}".strip()
            state["signals"].append(
                {"signal": "metrics", "condition": "retrying" if said else "sending", "reason": said, "waiting": 0}
            )
        return state

    def _state(self, store: str) -> State:
        loops = {loop.name: loop.alive() for loop in self._loops}
        return State(
            version=version(PACKAGE),
            store=store,
            loops={**loops, "sending": self.sending.alive()},
            sources=[],
            signals=[],
        )

    @property
    def _loops(self) -> list[Repeating]:
        return [*self.fleet.loops, self.housekeeping, self.backfill, *([self.reporting] if self.reporting else [])]

    def _reporting(self, snapshot: Snapshot, seconds: float) -> Repeating:
        assert self._sink is not None  # noqa: S101 - metrics are sent only where there is one
        now, host = self._clock.now, gethostname()
        metering = Metering(
            groups=snapshot.groups,
            reader=self.reader,
            hosts=self.fleet.hosts,
            now=now,
            started=now(),
            own=own_resource(version(PACKAGE), host),
        )
        self._reports = Reporting(take=metering.rows, sink=self._sink)
        return Repeating("reporting", self._reports.step, self._clock, seconds, last=self._reports.last)

    def _housekeeping(self) -> Housekeeping:
        config, folder = self._config, self._config.state_dir
        return Housekeeping(
            upkeep=self.store.upkeep,
            ballast=Ballast(folder / BALLAST_FILE, BALLAST),
            disk=lambda: disk_of(folder),
            now=lambda: dict.fromkeys(self.reader.tenants(), self._clock.now()) | self.fleet.now(),
            clock=self._clock,
            options=HousekeepingOptions(
                retention=retention(config),
                budget=config.store_budget_mib * MIB,
                watermark=config.free_space_mib * MIB,
            ),
        )

    def _detectors(self, environ: Mapping[str, str]) -> Child:
        places = ("--state", str(self._config.state_dir), "--intake", self.intake.url)
        return Child(name="detectors", command=(*DETECTORS, *places), clock=self._clock, environ=spared(environ))

    def _errors(self) -> dict[tuple[Signal, str], int]:
        lanes = {(lane.signal, reason): n for lane in self.sending.state() for reason, n in lane.errors.items()}
        metrics = dict(self._reports.errors) if self._reports else {}  # at once: a thread of its own counts there
        return lanes | {("metrics", reason): n for reason, n in metrics.items()}
