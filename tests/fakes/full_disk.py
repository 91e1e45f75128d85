"""`python -m tests.fakes.full_disk FILE COMMAND...`: odoo-otel on a disk of which FILE says how many MiB are free."""

import os
import sys
from pathlib import Path

SIZE = 100 * 2**30  # bytes of the whole disk
MIB = 2**20


def main() -> None:
    """Nothing of the program is replaced: what the operating system says of the disk is."""
    from exporter.cli import main as command  # noqa: PLC0415 - argv is cut first

    says = Path(sys.argv.pop(1))

    def statvfs(_path: object) -> os.statvfs_result:
        free = int(says.read_text(encoding="ascii")) * MIB
        return os.statvfs_result((1, 1, SIZE, free, free, 1, 1, 1, 0, 255))

    os.statvfs = statvfs  # type: ignore[assignment]
    command()


if __name__ == "__main__":
    main()
