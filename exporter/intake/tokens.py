"""The token of the detectors: made once, kept in the state folder, never logged."""

import hmac
import logging
import os
import re
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from exporter.config import Secret
from exporter.errors import ConfigError

log = logging.getLogger(__name__)
TOKEN_FILE = "detectors.token"  # noqa: S105 - the name of the file
LOGS_TOKEN_FILE = "logs.token"  # noqa: S105 - the same, for who sends Odoo's log
OPERATOR_TOKEN_FILE = "operator.token"  # noqa: S105 - the same, for who decides what was set aside
SIZE = 32  # random bytes
_TOKEN = re.compile(rf"[0-9a-f]{{{2 * SIZE}}}")
_OTHERS = 0o077


def token(folder: Path, name: str = TOKEN_FILE) -> Secret:
    """A token of a state folder; made, readable by its owner only, when there is none.

    Raises:
        ConfigError: the file cannot be read or written, or holds something else.
    """
    path = folder / name
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & _OTHERS:
            log.warning("%s can be read by others than its owner: `chmod 600` it.", path)
        found = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError([f"{path}: cannot be used ({error.strerror}): make it readable for us."]) from error
    except UnicodeDecodeError:
        found = ""
    if not _TOKEN.fullmatch(found):
        raise ConfigError([f"{path}: holds no token: delete it, and a new one is made."])
    return Secret(found)


def _make(path: Path) -> None:
    """Written beside, synced and renamed: a crash leaves either no token or a whole one."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(token_hex(SIZE) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def digest(secret: Secret) -> bytes:
    """What is kept of a token in memory to compare with."""
    return sha256(secret.reveal().encode()).digest()


def is_bearer(authorization: str, expected: bytes) -> bool:
    """Whether an Authorization header carries the token of the digest; takes the same time whatever it carries."""
    scheme, _, presented = authorization.partition(" ")
    same = hmac.compare_digest(sha256(presented.strip().encode("utf-8", "surrogatepass")).digest(), expected)
    return same and scheme.lower() == "bearer"
