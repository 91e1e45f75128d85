"""Who may post to the intake: of a token only its SHA-256 is kept, in one file of the state folder (decision 0016).

Whoever runs beside the service and may write into its state folder makes a token for itself, and nobody else ever sees
it. A token for somebody else (a sender of webhooks, a Collector) is shown once, when it is made.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Annotated

import msgspec

from exporter.config import Secret
from exporter.errors import ConfigError

log = logging.getLogger(__name__)
FILE = "tokens.json"
DETECTORS, LOGS, OPERATOR, HOOKS = "detectors", "logs", "operator", "hooks/"
"""What a token opens: `/v1/events`, `/v1/logs`, `/v1/refused`, and with a hook's name behind it that hook."""
OLD = {"detectors.token": DETECTORS, "logs.token": LOGS, "operator.token": OPERATOR}  # in plain text, until 0016
SIZE = 32  # random bytes: nobody guesses 2^256, so one round of SHA-256 hides them as well as a slow hash would
OWN = 32  # tokens that processes made for themselves, of one kind; the oldest leave
_OTHERS = 0o077


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a token: what it opens, its digest, when it was made; `own`: by a process for itself."""

    opens: str
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    made: datetime
    own: bool = False

    @property
    def name(self) -> str:
        """By what a person revokes it."""
        return self.sha256[:8]


_decode = msgspec.json.Decoder(list[Kept]).decode


@dataclass(slots=True)
class Tokens:
    """Those of a state folder; several threads may ask at once, and several processes may make and revoke them."""

    folder: Path
    _read: tuple[tuple[int, ...], Mapping[str, tuple[bytes, ...]]] = ((), {})
    _unread: str = ""

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE

    def digests(self, opens: str) -> Sequence[bytes]:
        """Of the tokens that open it now; the file is read again when it was changed. None where it is damaged.

        While it cannot be read (no right, no descriptor left) those stay good that were: Odoo sends no webhook twice.
        """
        try:
            stamp = _stamp(self.path)
            if stamp != self._read[0]:
                self._read = (stamp, self._table())
                self._unread = ""
        except OSError as error:
            said = f"{self.path} cannot be read ({error.strerror}): give us the right; tokens stay as they were."
            if said != self._unread:
                log.error("%s", said)  # noqa: TRY400 - the sentence says it all
            self._unread = said
        return self._read[1].get(opens, ())

    def kept(self) -> Sequence[Kept]:
        """All of them, the oldest first. Raises ConfigError."""
        try:
            return _decode(self.path.read_bytes())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigError([f"{self.path}: cannot be read ({error.strerror}): give us the right."]) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError([f"{self.path}: is damaged: delete it, and make new tokens."]) from error

    def make(self, opens: str, at: datetime, *, own: bool = False) -> Secret:
        """A new one beside those that are there: to be shown once, or used at once. Raises ConfigError."""
        secret = Secret(token_hex(SIZE))
        self.keep(opens, secret, at, own=own)
        return secret

    def keep(self, opens: str, secret: Secret, at: datetime, *, own: bool = False) -> None:
        """Let it open that from now on. Raises ConfigError."""
        fresh = Kept(opens=opens, sha256=sha256(secret.reveal().encode()).hexdigest(), made=at, own=own)
        self._change(lambda before: (*_spared(before, fresh), fresh))

    def revoke(self, name: str) -> Sequence[Kept]:
        """Those of that name, which open nothing any more. Raises ConfigError."""
        gone: list[Kept] = []

        def without(before: Sequence[Kept]) -> Sequence[Kept]:
            gone.extend(one for one in before if one.name == name)
            return [one for one in before if one.name != name]

        self._change(without)
        return gone

    def forget(self, secret: Secret) -> None:
        """It opens nothing any more. Raises ConfigError."""
        digest = sha256(secret.reveal().encode()).hexdigest()
        self._change(lambda before: [one for one in before if one.sha256 != digest])

    def migrate(self, at: datetime) -> None:
        """Keep what stands in plain text in an older state folder as digests, then remove it. Raises ConfigError."""
        if self.path.exists() and self.path.stat().st_mode & _OTHERS:
            log.warning("%s can be read by others than its owner: `chmod 600` it.", self.path)
        for file, opens in OLD.items():
            found = _plain(self.folder / file)
            if found is not None:
                self.keep(opens, found, at)  # durable before the other goes: a crash between repeats this
                (self.folder / file).unlink()
                log.info("%s is kept as a digest from now on, and its text is removed", file)
            (self.folder / file).with_suffix(".new").unlink(missing_ok=True)  # what a crash left behind once

    def _table(self) -> Mapping[str, tuple[bytes, ...]]:
        """Digests by what they open. Raises OSError."""
        try:
            found = _decode(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (msgspec.MsgspecError, UnicodeDecodeError):
            log.error("no token is good any more: %s is damaged: delete it, and make new tokens.", self.path)  # noqa: TRY400
            return {}
        return {kind: tuple(bytes.fromhex(one.sha256) for one in found if one.opens == kind) for kind in _kinds(found)}

    def _change(self, change: Callable[[Sequence[Kept]], Iterable[Kept]]) -> None:
        try:
            with _alone(self.folder):
                _write(self.path, msgspec.json.encode([*change(self.kept())]))
        except OSError as error:
            where = "say the state folder of the service, and run as its user"
            said = f"{self.path}: cannot be written ({error.strerror}): {where}."
            raise ConfigError([said]) from error


def _kinds(found: Iterable[Kept]) -> frozenset[str]:
    return frozenset(one.opens for one in found)


def _spared(before: Sequence[Kept], fresh: Kept) -> Iterator[Kept]:
    """Those that stay beside a new one: itself once, and of what processes made for themselves the newest."""
    own = [one for one in before if one.own and one.opens == fresh.opens]
    leave = {one.sha256 for one in own[: max(len(own) + 1 - OWN, 0)]} if fresh.own else set()
    return (one for one in before if one.sha256 not in {fresh.sha256, *leave})


def _plain(path: Path) -> Secret | None:
    """The token in an older file, if there is one. Raises ConfigError."""
    try:
        found = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be used ({error.strerror}): make it readable for us."]) from error
    except UnicodeDecodeError:
        found = ""
    if len(found) != 2 * SIZE or set(found) - set("0123456789abcdef"):
        raise ConfigError([f"{path}: holds no token: delete it."])
    return Secret(found)


def _stamp(path: Path) -> tuple[int, ...]:
    """What is another one when the file, or a right on it, is. Raises OSError."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time changes what is kept; the kernel lets go of it when a process dies."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _write(path: Path, raw: bytes) -> None:
    """Written beside, synced and renamed: a crash leaves the old or the new; it belongs to the owner of the folder."""
    beside, owner = path.with_suffix(".new"), path.parent.stat()
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with suppress(PermissionError):  # root makes one for the service's user; whoever else runs this is that user
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    held = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)
