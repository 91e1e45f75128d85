"""The file of `--web.config.file`, in the form of the Prometheus exporter-toolkit (docs/web-configuration.md there).

What is not served here is refused with a sentence, never left out in silence: whoever wrote it counts on it.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from exporter.errors import ConfigError

ClientAuth = Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]
CLIENT_AUTH: tuple[str, ...] = get_args(ClientAuth)
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
HEADERS = ("Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options")
_BOUNDS = ("min_version", "max_version")
_TLS = ("cert_file", "key_file", "client_auth_type", "client_ca_file", *_BOUNDS)
_HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a listener speaks TLS."""

    certificate: Path
    key: Path
    client_auth: ClientAuth = "NoClientCert"
    clients: Path | None = None
    lowest: str = "TLS12"
    highest: str = "TLS13"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """What the file says. `users`: name -> bcrypt hash; `headers` are added to every answer."""

    tls: Tls | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def load_web_config(path: Path) -> WebConfig:
    """Read the file; relative paths in it are looked up beside it.

    Raises:
        ConfigError: it cannot be read, or something in it cannot be served; all faults are listed.
    """
    try:
        found: object = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})."]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: is not YAML."]) from error
    if not isinstance(found, dict):
        raise ConfigError([f"{path}: must have keys such as tls_server_config and basic_auth_users."])
    faults = [f"{path}: {fault}" for fault in _faults(found, path.parent)]
    if faults:
        raise ConfigError(faults)
    return WebConfig(
        tls=_tls(found["tls_server_config"], path.parent) if found.get("tls_server_config") else None,
        users=dict(found.get("basic_auth_users") or {}),
        headers=dict((found.get("http_server_config") or {}).get("headers") or {}),
    )


def _tls(given: Mapping[str, str], folder: Path) -> Tls:
    clients = given.get("client_ca_file")
    return Tls(
        certificate=folder / given["cert_file"],
        key=folder / given["key_file"],
        client_auth=given.get("client_auth_type") or "NoClientCert",  # type: ignore[arg-type] # it was checked
        clients=folder / clients if clients else None,
        lowest=given.get("min_version") or "TLS12",
        highest=given.get("max_version") or "TLS13",
    )


def _faults(found: Mapping[str, object], folder: Path) -> Iterator[str]:
    parts = ("tls_server_config", "http_server_config", "basic_auth_users")
    for name in found:
        if name not in parts:
            yield f"{name}: is not served here; leave it out."
    for name in parts:
        part = found.get(name)
        if part is not None and not isinstance(part, dict):
            yield f"{name}: must have keys of its own."
        elif part:
            yield from (f"{name}: {fault}" for fault in _FAULTS[name](part, folder))


def _tls_faults(given: Mapping[str, object], folder: Path) -> Iterator[str]:
    for name in given:
        if name not in _TLS:
            yield f"{name}: is not served here; leave it out."
    yield from _file_faults(given, folder)
    chosen = given.get("client_auth_type") or "NoClientCert"
    if chosen not in CLIENT_AUTH:
        yield f"client_auth_type: must be one of {', '.join(CLIENT_AUTH)}."
    elif (chosen == "NoClientCert") is bool(given.get("client_ca_file")):
        yield "client_ca_file: belongs to a client_auth_type that verifies; set both or neither."
    lowest, highest = (given.get(name) or default for name, default in zip(_BOUNDS, VERSIONS, strict=True))
    if not all(isinstance(one, str) and one in VERSIONS for one in (lowest, highest)):
        yield "min_version and max_version: must be TLS12 or TLS13."
    elif (lowest, highest) == ("TLS13", "TLS12"):
        yield "min_version: is above max_version."


def _file_faults(given: Mapping[str, object], folder: Path) -> Iterator[str]:
    for name in ("cert_file", "key_file", "client_ca_file"):
        value = given.get(name)
        if value is None and name != "client_ca_file":
            yield f"{name}: is missing."
        elif value is not None and not (isinstance(value, str) and (folder / value).is_file()):
            yield f"{name}: must be the path of a PEM file."


def _http_faults(given: Mapping[str, object], _: Path) -> Iterator[str]:
    for name in given:
        if name != "headers" and not (name == "http2" and given[name] is False):
            yield f"{name}: is not served here (HTTP/1.1 is); leave it out."
    headers = given.get("headers") or {}
    if not isinstance(headers, dict):
        yield "headers: must have keys of its own."
        return
    for name, value in headers.items():
        if name not in HEADERS:
            yield f"headers.{name}: must be one of {', '.join(HEADERS)}."
        elif not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            yield f"headers.{name}: must be ASCII text on one line."


def _user_faults(given: Mapping[Any, object], _: Path) -> Iterator[str]:
    for name, hashed in given.items():
        if not isinstance(name, str) or not name or ":" in name:
            yield f"{name}: a name must be text without a colon (a number in quotes)."
        if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
            yield f"{name}: must be a bcrypt hash, as `htpasswd -nBC 10 NAME` prints it."


_FAULTS = {"tls_server_config": _tls_faults, "http_server_config": _http_faults, "basic_auth_users": _user_faults}
