"""A disk that can be cut from its power and that can fail, under the driver and the settings that ship.

It is the default VFS of apsw while it is installed: `open_store` does not know of it. What is written is passed on to
the real file, and remembered until it is synced: `after_power_cut` makes the files as they might be found, with any of
the writes that were not synced missing and the last one of them torn.
"""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

NAME = "faulty-disk"
REAL = apsw.vfs_names()[0]
SECTOR = 512
Change = tuple[int, bytes | None]
"""(offset, what was written there), or (size, None) for a file that was cut short."""
Fault = Callable[[str, str], int | None]
"""(what is done, which file) -> the extended code of the error it ends with, None if it goes well."""


@dataclass
class Kept:
    """One file: what is safe, and what was changed since."""

    safe: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)

    def synced(self) -> None:
        """Everything is safe now."""
        for change in self.changes:
            _apply(self.safe, change)
        self.changes.clear()

    def survived(self, chance: random.Random) -> bytes:
        """What is found after the power went: some of the changes, in order; the last of those is torn."""
        found = bytearray(self.safe)
        kept = [change for change in self.changes if chance.random() < 0.5]
        for change in kept[:-1]:
            _apply(found, change)
        for offset, data in kept[-1:]:
            torn = data if data is None else data[: chance.randrange(len(data) // SECTOR + 1) * SECTOR]
            _apply(found, (offset, torn))
        return bytes(found)


def _apply(content: bytearray, change: Change) -> None:
    place, data = change
    if data is None:
        del content[place:]
        return
    if len(content) < place:
        content.extend(bytes(place - len(content)))
    content[place : place + len(data)] = data


class Disk(apsw.VFS):
    """The VFS; install it with `installed`.

    Attributes:
        watch: called before each read, write, truncate and sync: (what is done, which file).
        fault: what goes wrong.
    """

    def __init__(self) -> None:
        self.files: dict[str, Kept] = {}
        self.watch: Callable[[str, str], object] = _nothing
        self.fault: Fault = _nothing
        super().__init__(NAME, REAL)

    def excepthook(self, *_: object) -> None:
        """The errors are wanted."""

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802 - apsw's name
        """A file on it."""
        return File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - apsw's name and signature
        """A file that is gone."""
        self.files.pop(filename, None)
        super().xDelete(filename, syncdir)

    def after_power_cut(self, folder: Path, chance: random.Random) -> None:
        """Write the files as they might be found after the power went at this moment."""
        for name, kept in self.files.items():
            if not name.endswith("-shm"):
                (folder / Path(name).name).write_bytes(kept.survived(chance))


class File(apsw.VFSFile):
    """One open file."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__(REAL, name, flags)
        if self._name not in disk.files:
            disk.files[self._name] = Kept(safe=bytearray(Path(self._name).read_bytes()))

    def excepthook(self, *_: object) -> None:
        """The errors are wanted."""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        """Written, but not safe yet."""
        self._about("write")
        self._kept.changes.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Cut short, but not safely yet."""
        self._about("truncate")
        self._kept.changes.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Safe; the real disk is not waited for."""
        del flags
        self._about("sync")
        self._kept.synced()

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - apsw's name
        """Read."""
        self._about("read")
        return super().xRead(amount, offset)

    @property
    def _kept(self) -> Kept:
        return self._disk.files.setdefault(self._name, Kept())

    def _about(self, what: str) -> None:
        self._disk.watch(what, self._name)
        code = self._disk.fault(what, self._name)
        if code is not None:
            full = code == apsw.SQLITE_FULL
            error = apsw.FullError("the disk is full") if full else apsw.IOError("the disk is broken")
            error.extendedresult = code  # type: ignore[misc] - apsw reads it from there
            raise error


def _nothing(*_: str) -> None:
    return None


@contextmanager
def installed() -> Iterator[Disk]:
    """The disk on which every store opened meanwhile lies."""
    disk = Disk()
    apsw.set_default_vfs(NAME)
    try:
        yield disk
    finally:
        apsw.set_default_vfs(REAL)
        disk.unregister()


def main() -> None:
    """`python -m tests.fakes.disk FLAG COMMAND...`: odoo-otel on a disk that fails at every sync once FLAG is there."""
    from exporter.cli import main as command  # noqa: PLC0415 - the driver must be ours first

    flag = Path(sys.argv.pop(1))
    with installed() as disk:
        disk.fault = lambda what, _name: apsw.SQLITE_IOERR_FSYNC if what == "sync" and flag.exists() else None
        command()


if __name__ == "__main__":
    main()
