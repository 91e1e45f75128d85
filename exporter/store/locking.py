"""One process writes a store: a second one would corrupt what the first promised."""

import fcntl
import os
from pathlib import Path

from exporter.errors import StoreError


class FileLock:
    """A lock on `<path>.lock`, held until released or until the process dies (the kernel lets go of it)."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises StoreError when another one, of this process too, holds it."""
        self._file = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreError(
                f"{path} is already open for writing by process {holder}: stop it, or choose another file."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; the file stays, so that nobody locks one that was deleted. Does nothing the second time."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
