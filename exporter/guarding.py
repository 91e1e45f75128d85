"""Who may talk to our listeners, as `--web.config.file` says: certificates, and users with passwords.

Passwords are compared by bcrypt, which takes a tenth of a second; what was found of a pair is remembered by a digest,
as the exporter-toolkit does. An unknown name costs the same as a known one.
"""

import base64
import logging
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import bcrypt

from exporter.config.web_config import VERSIONS, Tls, WebConfig, load_web_config
from exporter.errors import ConfigError

log = logging.getLogger(__name__)
NOBODY = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"  # the exporter-toolkit's own fake hash
REMEMBERED = 100  # pairs of name and password
MODES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
App = Callable[..., Iterable[bytes]]


@dataclass(slots=True)
class Guard:
    """What the file says now. Without a file nobody is asked for anything.

    Attributes:
        context: for the listeners; None: they speak plain HTTP.
    """

    path: Path | None = None
    context: ssl.SSLContext | None = None
    _config: WebConfig = field(default_factory=WebConfig)
    _authority: bytes = b""
    _known: OrderedDict[bytes, bool] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Read the file. Raises ConfigError."""
        if self.path is not None:
            self._config = load_web_config(self.path)
        if self._config.tls:
            self._authority = _authority(self._config.tls)
            self.context = _context(self._config.tls)

    def renew(self) -> None:
        """Read the file and its certificates again, for connections to come; what has faults stays as it was."""
        if self.path is None:
            return
        try:
            fresh = self._fresh(self.path)
        except ConfigError as error:
            for fault in error.faults:
                log.error("the web configuration stays as it was: %s", fault)  # noqa: TRY400 - the fault says it all
            return
        with self._lock:
            self._config = fresh
            self._known.clear()

    def _fresh(self, path: Path) -> WebConfig:
        fresh = load_web_config(path)
        if (fresh.tls is None) is not (self.context is None):
            raise ConfigError([f"{path}: TLS is switched on or off at the next start; restart the exporter."])
        if fresh.tls and self.context:
            if _authority(fresh.tls) != self._authority:  # OpenSSL can add one to a context, and take none away
                raise ConfigError([f"{path}: another client_ca_file holds at the next start; restart the exporter."])
            _load(self.context, fresh.tls)
        return fresh

    @property
    def headers(self) -> Mapping[str, str]:
        """What is added to every answer."""
        return self._config.headers

    def is_welcome(self, authorization: str) -> bool:
        """Whether an Authorization header names a user and his password; True where nobody is asked."""
        users = self._config.users
        if not users:
            return True
        name, password = _pair(authorization)
        hashed = users.get(name, NOBODY)
        key = sha256(b"\0".join(part.encode() for part in (name, hashed, password))).digest()
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = _matches(password, hashed) and name in users
            with self._lock:
                self._known[key] = known
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return known


def guarded(app: App, guard: Guard) -> App:
    """The application behind its users, with the headers on every answer."""

    def answer(environ: Mapping[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *more: object) -> object:
            ours = guard.headers
            kept = [pair for pair in headers if pair[0].lower() not in {name.lower() for name in ours}]
            return start(status, [*kept, *ours.items()], *more)

        if guard.is_welcome(environ.get("HTTP_AUTHORIZATION", "")):
            return app(environ, begin)
        body = b"Unauthorized\n"
        says = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        begin("401 Unauthorized", [*says, ("WWW-Authenticate", 'Basic realm="odoo-otel"')])
        return [body]

    return answer


def _pair(authorization: str) -> tuple[str, str]:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, not UTF-8
        return "", ""
    return name, password


def _matches(password: str, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:  # longer than bcrypt looks at, or a cost that it does not know
        return False


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, tls)
    if tls.clients:
        try:
            context.load_verify_locations(tls.clients)
        except OSError as error:
            raise ConfigError([f"{tls.clients}: cannot be used ({_why(error)}): give certificates as PEM."]) from error
    return context


def _authority(tls: Tls) -> bytes:
    """The certificates by which clients are verified. Raises ConfigError."""
    try:
        return tls.clients.read_bytes() if tls.clients else b""
    except OSError as error:
        raise ConfigError(
            [f"{tls.clients}: cannot be read ({error.strerror}): give the exporter the right."]
        ) from error


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    """Put a certificate and its key into a context; where they are no good: ConfigError, nothing is changed."""
    try:
        for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            each.load_cert_chain(tls.certificate, tls.key, password="")  # or OpenSSL asks at the terminal
    except OSError as error:
        said = f"cannot be used ({_why(error)}): give a matching pair, key unencrypted."
        raise ConfigError([f"{tls.certificate}, {tls.key}: {said}"]) from error
    context.verify_mode = MODES[tls.client_auth]
    context.minimum_version, context.maximum_version = VERSIONS[tls.lowest], VERSIONS[tls.highest]


def _why(error: OSError) -> object:
    return getattr(error, "reason", None) or error.strerror or error
