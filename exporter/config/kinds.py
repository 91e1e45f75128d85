"""What a setting may be: how a raw value of the environment or of YAML is read, and the words that say so."""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exporter.config.secret import Secret

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
MODEL = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
LIMIT_NAMES = ("late", "missed", "stuck")
TRUTHS: Mapping[object, bool] = {True: True, "true": True, "yes": True, False: False, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of value: `read` raises ValueError or TypeError for others, `says` completes "must be ..."."""

    says: str
    read: Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the dataclass field of a setting carries: its kind, its meaning, the environment variable that gives it."""

    kind: Kind
    says: str
    env: str | None = None


def setting(kind: Kind, says: str, env: str | None = None) -> Mapping[str, Setting]:
    """The metadata of a dataclass field that is a setting."""
    return {"setting": Setting(kind=kind, says=says, env=env)}


def setting_of(of: "Field[Any]") -> Setting | None:
    """The Setting of a dataclass field, if it is one."""
    return of.metadata.get("setting")


def _require(holds: object) -> None:
    if not holds:
        raise ValueError


def _text(raw: object) -> str:
    text = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    if not isinstance(text, str):
        raise TypeError
    _require(text.strip() and not CONTROL.search(text))
    return text.strip()


def _named(pattern: re.Pattern[str]) -> Callable[[object], str]:
    def read(raw: object) -> str:
        text = _text(raw)
        _require(pattern.fullmatch(text))
        return text

    return read


def _url(raw: object) -> str:
    text = _text(raw).rstrip("/")
    parts = urlsplit(text)
    _require(parts.scheme in {"http", "https"} and parts.hostname)
    _require("@" not in parts.netloc and not (parts.path or parts.query or parts.fragment or " " in text))
    _require(parts.port is None or parts.port > 0)
    return text


def _models(raw: object) -> tuple[str, ...]:
    found = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(found, list | tuple):
        raise TypeError
    return tuple(_named(MODEL)(model) for model in found if model != "")


def _limits(raw: object) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    if not isinstance(raw, dict):
        raise TypeError
    return tuple(
        (_text(label), tuple((_limit(name), _seconds(value)) for name, value in of.items()))
        for label, of in raw.items()
    )


def _limit(name: object) -> str:
    _require(name in LIMIT_NAMES)
    return str(name)


def _seconds(raw: object) -> float:
    number = float(_text(raw))
    _require(isfinite(number) and number > 0)
    return number


def _truth(raw: object) -> bool:
    return TRUTHS[raw.lower() if isinstance(raw, str) else raw]


def whole(low: int, high: int) -> Kind:
    """A whole number in a range."""

    def read(raw: object) -> int:
        number = int(_text(raw))
        _require(low <= number <= high)
        return number

    return Kind(says=f"a whole number from {low} to {high}", read=read)


def seconds(low: float, high: float) -> Kind:
    """A number of seconds in a range."""

    def read(raw: object) -> float:
        number = float(_text(raw))
        _require(isfinite(number) and low <= number <= high)
        return number

    return Kind(says=f"a number of seconds from {low:g} to {high:g}", read=read)


def choice(*choices: str) -> Kind:
    """One of some words, in any case."""

    def read(raw: object) -> str:
        text = _text(raw).lower()
        _require(text in choices)
        return text

    return Kind(says="one of " + ", ".join(choices), read=read)


TEXT = Kind(says="text on one line", read=_text)
SECRET = Kind(says="text on one line, best given as ${env:NAME} or ${file:PATH}", read=lambda raw: Secret(_text(raw)))
NAMED = Kind(says="up to 63 letters, digits, dots, dashes and underscores", read=_named(NAME))
URL = Kind(says="an address such as https://odoo.example.com, with a port if need be, and no more", read=_url)
LIMITS = Kind(
    says="seconds by action, such as {base.autovacuum_job: {late: 120, missed: 3600, stuck: 3600}}", read=_limits
)
MODELS = Kind(says="a list of Odoo models such as [purchase.order]", read=_models)
TRUTH = Kind(says="true or false", read=_truth)
FOLDER = Kind(says="the path of a folder", read=lambda raw: Path(_text(raw)).expanduser())
