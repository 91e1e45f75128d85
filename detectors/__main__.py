"""`odoo-otel detect`, also `python -m detectors`: Findings from what the exporter stored, until SIGTERM."""

import signal
from pathlib import Path
from threading import Event as Flag

import click


@click.command()
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ODOO_OTEL_STATE",
    default=Path("state"),
    show_default=True,
    help="The exporter's state folder: its store, and the digests of tokens for its intake.",
)
@click.option(
    "--intake",
    envvar="ODOO_OTEL_INTAKE",
    default="http://127.0.0.1:9465",
    show_default=True,
    help="Where the exporter takes Events.",
)
@click.option("--every", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Seconds a round.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
def detect(state: Path, *, intake: str, every: float, log_level: str) -> None:
    """Learn what runs usually take, and say which one is out of line.

    Runs beside `odoo-otel run`: reads its store, posts Findings to its intake, waits where either is missing.
    """
    # The imports of numpy and of the store cost more than `odoo-otel --help` should take.
    from detectors import logs  # noqa: PLC0415
    from detectors.reporting import Intake  # noqa: PLC0415
    from detectors.service import Detecting  # noqa: PLC0415
    from exporter.clock import SystemClock  # noqa: PLC0415
    from exporter.config import STORE_FILE  # noqa: PLC0415
    from exporter.tokens import DETECTORS, Tokens  # noqa: PLC0415

    logs.configure(log_level)
    stopping = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    clock, tokens = SystemClock(), Tokens(state)
    out = Intake(url=intake, token=lambda: tokens.make(DETECTORS, clock.now(), own=True))
    Detecting(store=state / STORE_FILE, intake=out, clock=clock, stopping=stopping, every=every).run()


if __name__ == "__main__":
    detect()
