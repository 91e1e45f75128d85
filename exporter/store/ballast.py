"""Room on the disk: how much is free, and a file that holds some of it for the hour when there is none."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Bytes of the disk under a folder: what this user may still write, and all there are."""

    free: int
    size: int


def disk_of(folder: Path) -> Disk:
    """The disk under a folder. Raises StoreError when it cannot be asked."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise StoreError(f"the disk of {folder} cannot be asked for its room ({error.strerror}): check it.") from error
    return Disk(free=found.f_bavail * found.f_frsize, size=found.f_blocks * found.f_frsize)


class Ballast:
    """A file of so many bytes that are really taken: a full disk is relieved by dropping it.

    Without room even what frees room cannot be committed (facts/reliability.md finding 7).
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    @property
    def held(self) -> int:
        """Bytes it holds now."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def hold(self) -> bool:
        """Take the room; False when there is none (or a limit on this process forbids it)."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
            finally:
                os.close(file)
        except OSError as error:
            self.drop()
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                return False
            raise StoreError(f"{self._path} cannot be made ({error.strerror}): check the folder.") from error
        return True

    def drop(self) -> None:
        """Let go of it."""
        self._path.unlink(missing_ok=True)
