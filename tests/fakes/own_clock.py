"""`python -m tests.fakes.own_clock FILE COMMAND...`: odoo-otel with a wall clock that is off by what FILE says."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path


def main() -> None:
    """Run the command; without the file the clock is right."""
    from exporter.cli import main as command  # noqa: PLC0415 - with the arguments that are its own
    from exporter.clock import SystemClock  # noqa: PLC0415

    file = Path(sys.argv.pop(1))

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text(encoding="ascii")) if file.exists() else 0)

    SystemClock.now = now  # type: ignore[method-assign]
    command()


if __name__ == "__main__":
    main()
