"""One process from its start to its end: the service runs until a signal or a fault, and the exit code says which."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from threading import Event as Flag

from exporter import logs
from exporter.config import Config
from exporter.config.derived import secrets
from exporter.databases import watch
from exporter.errors import StoreBroken
from exporter.screen import screen_on
from exporter.service import Service

log = logging.getLogger(__name__)
EX_SOFTWARE, EX_BROKEN = 1, 70
WATCH = 0.25  # seconds between two looks at the loops


def run(config: Config, read: Callable[[], Config]) -> int:
    """Run until SIGTERM or SIGINT; the exit code: 0 clean, 70 when the store is broken, 1 when a loop ended.

    `read` reads the configuration again, at every SIGHUP.
    """
    screen = screen_on(sys.stderr, os.environ)
    logs.configure(config.log_level, secrets(config), screen or sys.stderr)
    for skipped in config.skipped:
        log.error("%s is skipped: %s", skipped.name, " ".join(skipped.faults))
    service = Service(
        config, [watch(one, config.label_cap) for one in config.databases], os.environ, read, screen=screen
    )
    return until_told(service)


def until_told(service: Service) -> int:
    """Start, watch, read the configuration again at SIGHUP, and stop at another signal or a fault."""
    stopping, changed = Flag(), Flag()
    for number, flag in ((signal.SIGTERM, stopping), (signal.SIGINT, stopping), (signal.SIGHUP, changed)):
        signal.signal(number, lambda *_, flag=flag: flag.set())
    service.start()
    while not stopping.wait(WATCH) and service.fault is None:
        if changed.is_set():
            changed.clear()
            service.reload()
        service.renew()
        service.fleet.tend()
    fault = service.fault
    if isinstance(fault, StoreBroken):
        log.critical("the store is broken, nothing is acknowledged any more: %s", fault)
        service.web.leave()
        os._exit(EX_BROKEN)  # nothing may be flushed or retried after a failed fsync (reliability finding 9)
    service.stop()
    return EX_SOFTWARE if fault else 0
