"""What a setting may be: how a raw value of the environment or of YAML is read, and the words that say so."""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass
from datetime import UTC, date, datetime, time
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exporter.config.secret import Secret

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
MODEL = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
FIELD = re.compile(r"[a-z_][a-z0-9_]{0,62}")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")  # XML ids are long
TRUTHS: Mapping[object, bool] = {True: True, "true": True, "yes": True, False: False, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of value: `read` raises ValueError or TypeError for others, `says` completes "must be ..."."""

    says: str
    read: Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the dataclass field of a setting carries: its kind, its meaning, the environment variable that gives it.

    `part` is the dataclass of a setting that has settings of its own; `by_name` says that there are several of them,
    each under a name which is its field `name` and looks like `names`.
    """

    kind: Kind
    says: str
    env: str | None = None
    part: type[Any] | None = None
    by_name: bool = False
    names: re.Pattern[str] = NAME


def setting(kind: Kind, says: str, env: str | None = None) -> Mapping[str, Setting]:
    """The metadata of a dataclass field that is a setting."""
    return {"setting": Setting(kind=kind, says=says, env=env)}


def part(model: type[Any], says: str, *, by_name: bool = False, names: re.Pattern[str] = NAME) -> Mapping[str, Setting]:
    """The metadata of a dataclass field that holds settings of its own, or several by name."""
    kind = BY_NAME if by_name else KEYS
    return {"setting": Setting(kind=kind, says=says, part=model, by_name=by_name, names=names)}


def setting_of(of: "Field[Any]") -> Setting | None:
    """The Setting of a dataclass field, if it is one."""
    return of.metadata.get("setting")


def _mapping(raw: object) -> object:
    if not isinstance(raw, dict):
        raise TypeError
    return raw


def require(holds: object) -> None:
    """Raise ValueError unless it holds."""
    if not holds:
        raise ValueError


def text_of(raw: object) -> str:
    """Text on one line, without space around it; raises ValueError, TypeError."""
    text = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    if not isinstance(text, str):
        raise TypeError
    require(text.strip() and not CONTROL.search(text))
    return text.strip()


def _named(pattern: re.Pattern[str]) -> Callable[[object], str]:
    def read(raw: object) -> str:
        text = text_of(raw)
        require(pattern.fullmatch(text))
        return text

    return read


def _url(raw: object) -> str:
    text = text_of(raw).rstrip("/")
    parts = urlsplit(text)
    require(parts.scheme in {"http", "https"} and parts.hostname)
    require("@" not in parts.netloc and not (parts.path or parts.query or parts.fragment or " " in text))
    require(parts.port is None or parts.port > 0)
    return text


def _models(raw: object) -> tuple[str, ...]:
    return tuple(_named(MODEL)(model) for model in _listed(raw))


def _listed(raw: object) -> list[object]:
    """What a list, or text with commas, holds."""
    found = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(found, list | tuple):
        raise TypeError
    return [one for one in found if one != ""]


def _fields(raw: object) -> tuple[str, ...]:
    found = tuple(_named(FIELD)(field) for field in _listed(raw))
    require(found and len(set(found)) == len(found))
    return found


def _networks(raw: object) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text_of(one)) for one in _listed(raw))


def _numbers(raw: object) -> tuple[int, ...]:
    found = tuple(int(text_of(one)) for one in _listed(raw))
    require(all(number > 0 for number in found))
    return found


def _share(raw: object) -> float:
    number = float(text_of(raw))
    require(0 <= number <= 1)
    return number


def _secrets(raw: object) -> tuple[Secret, ...]:
    found = raw if isinstance(raw, list | tuple) else [raw]
    require(found)
    return tuple(Secret(text_of(one)) for one in found)


def _truth(raw: object) -> bool:
    return TRUTHS[raw.lower() if isinstance(raw, str) else raw]


def _day(raw: object) -> datetime:
    """A day or a time, as aware UTC; YAML has read it already where it is not quoted."""
    at = raw if isinstance(raw, date) else datetime.fromisoformat(text_of(raw))
    moment = at if isinstance(at, datetime) else datetime.combine(at, time.min)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def whole(low: int, high: int) -> Kind:
    """A whole number in a range."""

    def read(raw: object) -> int:
        number = int(text_of(raw))
        require(low <= number <= high)
        return number

    return Kind(says=f"a whole number from {low} to {high}", read=read)


def seconds(low: float, high: float) -> Kind:
    """A number of seconds in a range."""

    def read(raw: object) -> float:
        number = float(text_of(raw))
        require(isfinite(number) and low <= number <= high)
        return number

    return Kind(says=f"a number of seconds from {low:g} to {high:.10g}", read=read)


def choice(*choices: str) -> Kind:
    """One of some words, in any case."""

    def read(raw: object) -> str:
        text = text_of(raw).lower()
        require(text in choices)
        return text

    return Kind(says="one of " + ", ".join(choices), read=read)


def some(*choices: str) -> Kind:
    """Some of some words, in any case, or none."""

    def read(raw: object) -> tuple[str, ...]:
        found = tuple(text_of(one).lower() for one in _listed(raw))
        require(set(found) <= set(choices))
        return found

    return Kind(says="a list with some of " + ", ".join(choices), read=read)


DAY = Kind(says="a day such as 2026-12-31, or a time such as 2026-12-31T12:00:00Z; without a zone it is UTC", read=_day)
TEXT = Kind(says="text on one line", read=text_of)
SECRET = Kind(says="text on one line, best given as ${env:NAME} or ${file:PATH}", read=lambda raw: Secret(text_of(raw)))
NAMED = Kind(says="up to 63 letters, digits, dots, dashes and underscores", read=_named(NAME))
URL = Kind(says="an address such as https://odoo.example.com, with a port if need be, and no more", read=_url)
MODELS = Kind(says="a list of Odoo models such as [purchase.order]", read=_models)
FIELDS = Kind(says="a list of fields such as [client_order_ref, partner_id]", read=_fields)
NETWORKS = Kind(
    says="a list of networks such as [10.0.0.0/8, 2001:db8::/32], or of single addresses; a network's other bits are 0",
    read=_networks,
)
NUMBERS = Kind(says="a list of ids such as [1, 3]", read=_numbers)
SHARE = Kind(says="a number from 0 to 1", read=_share)
TRUTH = Kind(says="true or false", read=_truth)
FILE = Kind(says="the path of a file", read=lambda raw: Path(text_of(raw)).expanduser())
FOLDER = Kind(says="the path of a folder", read=lambda raw: Path(text_of(raw)).expanduser())
SECRETS = Kind(says="a secret or a list of them, best given as ${env:NAME} or ${file:PATH}", read=_secrets)
KEYS = Kind(says="keys of its own, see below", read=_mapping)
BY_NAME = Kind(says="names, each with keys of its own, see below", read=_mapping)
