"""A mapping: what the JSON that somebody posts means, as data in YAML.

Places are JSON Pointers (RFC 6901) into the payload, or into one element of it where `each` names a list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, get_args

import yaml

from exporter.domain.runs import FailureClass, Result
from exporter.errors import ConfigError

Pointer = tuple[str, ...]
RESULTS = frozenset(get_args(Result))
CLASSES: frozenset[FailureClass] = frozenset({"business", "technical"})
ONGOING = "open"  # what a status means while it goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One mapping.

    Attributes:
        name: what it is called in sentences.
        each: the list whose elements are deliveries of their own, () where the payload is that list; None where the
            payload is one delivery.
        delivery, run, episode, kind, status, attempt, started, ended, error_type, error, http_status: where it stands;
            each a list of places, the first that holds something counts. `episode` tells runs of one id apart: the time
            at which an alert fired, the number of a re-run.
        correlation: places of references to records; attributes: name -> place of what else may be kept.
        constants: attributes that are always the same.
        results: status -> Result, or `open` while it goes on; `otherwise` for every other status.
        classes: status -> whose fault it is where that is a failure; for others its cause says so.
        required: places without which a payload is not what this mapping expects (schema drift).
        known: top-level names; others are schema drift. Empty: all are taken.
    """

    name: str
    each: Pointer | None = None
    delivery: tuple[Pointer, ...] = ()
    run: tuple[Pointer, ...] = ()
    episode: tuple[Pointer, ...] = ()
    kind: tuple[Pointer, ...] = ()
    status: tuple[Pointer, ...] = ()
    attempt: tuple[Pointer, ...] = ()
    started: tuple[Pointer, ...] = ()
    ended: tuple[Pointer, ...] = ()
    error_type: tuple[Pointer, ...] = ()
    error: tuple[Pointer, ...] = ()
    http_status: tuple[Pointer, ...] = ()
    correlation: tuple[Pointer, ...] = ()
    attributes: Mapping[str, Pointer] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = "success"
    required: tuple[Pointer, ...] = ()
    known: frozenset[str] = frozenset()


KNOWN = sorted(of.name for of in fields(Definition) if of.name != "name")


def parse_mapping(text: str, name: str) -> Definition:
    """A mapping from its text.

    Raises:
        ConfigError: one sentence for every fault.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([f"mapping {name}: is not YAML: {getattr(error, 'problem', error)}."]) from error
    if not isinstance(raw, dict):
        raise ConfigError([f"mapping {name}: must have keys such as {', '.join(KNOWN)}."])
    faults: list[str] = []
    values = {key: _value(f"mapping {name}, {key}", key, raw[key], faults) for key in raw if key in KNOWN}
    faults += [_unknown(name, key) for key in raw if key not in KNOWN]
    if faults:
        raise ConfigError(faults)
    return Definition(name=name, **values)


def _unknown(name: str, key: object) -> str:
    near = get_close_matches(str(key), KNOWN, n=1)
    return f"mapping {name}, {key}: is not known; " + (f"did you mean {near[0]}?" if near else f"known: {KNOWN}.")


def _value(where: str, key: str, raw: object, faults: list[str]) -> Any:  # noqa: ANN401 - as the field says
    return _READERS.get(key, _places)(where, raw, faults)


def _places(where: str, raw: object, faults: list[str]) -> tuple[Pointer, ...]:
    return tuple(_pointer(where, one, faults) for one in (raw if isinstance(raw, list) else [raw]))


def _attributes(where: str, raw: object, faults: list[str]) -> dict[str, Pointer]:
    return {str(name): _pointer(f"{where}.{name}", at, faults) for name, at in _mapping(where, raw, faults).items()}


def _constants(where: str, raw: object, faults: list[str]) -> dict[str, str]:
    return {str(name): str(value) for name, value in _mapping(where, raw, faults).items()}


def _results(where: str, raw: object, faults: list[str]) -> dict[str, str]:
    return {str(name): _result(f"{where}.{name}", to, faults) for name, to in _mapping(where, raw, faults).items()}


def _classes(where: str, raw: object, faults: list[str]) -> dict[str, str]:
    found = {str(name): str(to) for name, to in _mapping(where, raw, faults).items()}
    for name, to in found.items():
        if to not in CLASSES:
            _fault(f"{where}.{name}", " or ".join(sorted(CLASSES)), faults)
    return found


def _names(where: str, raw: object, faults: list[str]) -> frozenset[str]:
    return frozenset(map(str, raw)) if isinstance(raw, list) else frozenset(_fault(where, "a list of names", faults))


def _pointer(where: str, raw: object, faults: list[str]) -> Pointer:
    if not isinstance(raw, str) or not raw.startswith("/"):
        _fault(where, "a JSON Pointer such as /data/object/id, or a list of them", faults)
        return ()
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in raw.split("/")[1:])


def _list(where: str, raw: object, faults: list[str]) -> Pointer:
    """Where the list is; "" is the whole payload (RFC 6901)."""
    return () if raw == "" else _pointer(where, raw, faults)


def _mapping(where: str, raw: object, faults: list[str]) -> Mapping[object, object]:
    if isinstance(raw, dict):
        return raw
    _fault(where, "names with values", faults)
    return {}


def _result(where: str, raw: object, faults: list[str]) -> str:
    if raw not in RESULTS | {ONGOING}:
        _fault(where, f"one of {', '.join(sorted(RESULTS | {ONGOING}))}", faults)
    return str(raw)


def _fault(where: str, wanted: str, faults: list[str]) -> Sequence[str]:
    faults.append(f"{where}: must be {wanted}.")
    return ()


_READERS: Mapping[str, Callable[[str, object, list[str]], object]] = {
    "each": _list,
    "attributes": _attributes,
    "constants": _constants,
    "results": _results,
    "classes": _classes,
    "known": _names,
    "otherwise": _result,
}
