"""From the environment or a YAML file to a Config, with every fault found in one go."""

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from exporter.config.action import Action
from exporter.config.integration import Hook
from exporter.config.kinds import Setting, setting_of
from exporter.config.model import Config, Database, Skipped
from exporter.config.needs import unseen
from exporter.config.references import References, Unresolved
from exporter.config.secret import SHOWN
from exporter.errors import ConfigError

Raw = Mapping[object, object]
PREFIX = "ODOO_OTEL_"
OTHERS = frozenset({"ODOO_OTEL_LOGS_TOKEN", "ODOO_OTEL_INTAKE"})  # no settings: other commands of ours read them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What was read of one dataclass, and what was wrong with it. `label` turns a field into the key to be named."""

    label: Callable[[str], str]
    references: References
    values: dict[str, object] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def read(self, model: type[Any], raw: Raw, *, also: tuple[str, ...] = ()) -> "_Reading":
        """Read every setting of the model; unknown keys are faults, with the nearest known one suggested."""
        settings = {of.name: (found, of.default) for of in fields(model) if (found := setting_of(of))}
        for key in raw:
            if key not in settings and key not in also:
                self.faults.append(_unknown(self.label(str(key)), str(key), [*settings, *also]))
        for name, (found, default) in settings.items():
            if raw.get(name) is not None and found.part is not None:
                self._part(name, found, raw[name])
            elif raw.get(name) is not None:
                self._value(name, found, raw[name])
            elif default is MISSING:
                self.faults.append(f"{self.label(name)}: is missing; it must be {found.kind.says}.")
        return self

    def _part(self, name: str, found: Setting, raw: object) -> None:
        """Settings of their own below a key: one set, or one a name."""
        if not isinstance(raw, dict):
            self.faults.append(f"{self.label(name)}: must be {found.kind.says}.")
            return
        if not found.by_name:
            self.values[name] = self._inner(found, raw, self.label(name))
            return
        each = [self._inner(found, of, f"{self.label(name)}.{key}", name=str(key)) for key, of in raw.items()]
        self.values[name] = tuple(one for one in each if one is not None)

    def _inner(self, found: Setting, raw: object, label: str, name: str = "") -> object:
        """One part; None, with its faults listed, where it cannot be used."""
        if not isinstance(raw, dict) or (found.by_name and not found.names.fullmatch(name)):
            named = "under a name of letters, digits, dots, dashes and underscores, " if found.by_name else ""
            self.faults.append(f"{label}: must stand {named}with keys of its own.")
            return None
        reading = _Reading(label=lambda key: f"{label}.{key}", references=self.references)
        model: type[Any] = found.part  # type: ignore[assignment] # a part has one
        reading.read(model, raw)
        self.faults.extend(reading.faults)
        return None if reading.faults else model(**reading.values, **({"name": name} if found.by_name else {}))

    def _value(self, name: str, found: Setting, raw: object) -> None:
        try:
            self.values[name] = found.kind.read(self.references.resolve(raw))
        except Unresolved as error:
            self.faults.append(f"{self.label(name)}: {error}.")
        except (ValueError, TypeError, KeyError):  # the value is not shown: it may hold what a reference led to
            self.faults.append(f"{self.label(name)}: must be {found.kind.says}.")


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration of a YAML file, or of the environment alone.

    A database with faults goes to `Config.skipped` and the others stay, unless none is left.

    Raises:
        ConfigError: a fault that concerns the whole program, or no database that can be read; all faults are listed.
    """
    variables = os.environ if environ is None else environ
    return _from_environment(variables) if path is None else _from_file(path, variables)


def _from_environment(environ: Mapping[str, str]) -> Config:
    given = {key: value for key, value in environ.items() if value}
    references = References(environ=environ, folder=Path())
    names = {
        of.name: found.env for m in (Config, Database) for of in fields(m) if (found := setting_of(of)) and found.env
    }
    top, database = (_Reading(label=lambda name: names.get(name, name), references=references) for _ in range(2))
    raw = {name: given.get(variable) for name, variable in names.items()} | _listen(given)
    top.read(Config, {of.name: raw.get(of.name) for of in fields(Config) if setting_of(of)})
    database.read(Database, {of.name: raw.get(of.name) for of in fields(Database)})
    known = sorted(set(names.values()))
    ours = {*known, *OTHERS}
    unknown = [_unknown(key, key, known) for key in given if key.startswith(PREFIX) and key not in ours]
    if faults := top.faults + database.faults + unknown:
        raise ConfigError(faults)
    return Config(**top.values, databases=(_database(database.values),))  # type: ignore[arg-type]


def _listen(given: Mapping[str, str]) -> dict[str, str | None]:
    host, _, port = given.get("ODOO_OTEL_LISTEN", "").rpartition(":")
    return {"listen_host": host.strip("[]") or None, "listen_port": port or None}


def _from_file(path: Path, environ: Mapping[str, str]) -> Config:
    raw = _parse(path)
    references = References(environ=environ, folder=path.parent)
    top = _Reading(label=str, references=references).read(Config, raw, also=("databases",))
    entries = raw.get("databases")
    if not isinstance(entries, list) or not entries:
        raise ConfigError([*top.faults, "databases: must be a list with at least one database."])
    databases, skipped = _databases(entries, references)
    if top.faults or not databases:
        raise ConfigError([*top.faults, *(fault for one in skipped for fault in one.faults)])
    return Config(**top.values, databases=tuple(databases), skipped=tuple(skipped))  # type: ignore[arg-type]


def _databases(entries: list[object], references: References) -> tuple[list[Database], list[Skipped]]:
    databases: list[Database] = []
    skipped: list[Skipped] = []
    for number, entry in enumerate(entries):
        where = f"databases[{number}]"
        called = str(entry.get("name") or entry.get("database") or where) if isinstance(entry, dict) else where
        found, faults = _entry(entry, where, references)
        faults += _repeats(found, databases, where)
        if found is None or faults:
            skipped.append(Skipped(name=called, faults=tuple(faults)))
        else:
            databases.append(found)
    return databases, skipped


def _entry(entry: object, where: str, references: References) -> tuple[Database | None, list[str]]:
    if not isinstance(entry, dict):
        return None, [f"{where}: must have keys such as url, database, user and api_key."]
    reading = _Reading(label=lambda name: f"{where}.{name}", references=references).read(Database, entry)
    actions: tuple[Action, ...] = reading.values.get("limits", ())  # type: ignore[assignment]
    faults = [*reading.faults, *(fault for one in actions for fault in _grace(one, f"{where}.limits.{one.name}"))]
    faults += [*_unsigned(reading.values, where), *unseen(reading.values, where)]
    return (None if faults else _database(reading.values)), faults


def _grace(action: Action, where: str) -> list[str]:
    if action.missed is None or action.missed > action.late:
        return []
    return [f"{where}.missed: must be more than late ({action.late:g} seconds): it is late before it is missed."]


def _unsigned(values: Mapping[str, object], where: str) -> list[str]:
    """Hooks whose sender signs, and nobody knows with what; a token that is only shown may be kept hashed elsewhere."""
    hooks: tuple[Hook, ...] = values.get("hooks", ())  # type: ignore[assignment]
    bare = [hook for hook in hooks if not hook.secrets and hook.scheme not in SHOWN]
    return [f"{where}.hooks.{hook.name}.secrets: is missing; {hook.scheme} signs with one." for hook in bare]


def _database(values: Mapping[str, object]) -> Database:
    found = Database(**values)  # type: ignore[arg-type]
    return found if found.name else replace(found, name=found.database)


def _repeats(found: Database | None, others: list[Database], where: str) -> list[str]:
    if found is None:
        return []
    faults = [
        f"{where}.name: {found.name} is taken by another database; give each its own."
        for o in others
        if o.name == found.name
    ]
    same = [o for o in others if (o.url, o.database) == (found.url, found.database)]
    return faults + [f"{where}: is the same database as {other.name}; leave one of them out." for other in same]


def _unknown(label: str, key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"{label}: is not known; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}.")


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, where PyYAML silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 PyYAML's
        keys = [key.value for key, _ in node.value]
        if repeated := {key for key in keys if keys.count(key) > 1}:
            problem = f"{', '.join(sorted(repeated))} is given twice"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _parse(path: Path) -> Raw:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 it is a SafeLoader
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); name a YAML file."]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text."]) from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", "cannot be parsed")
        line = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([f"{path}{line}: is not YAML: {problem}."]) from None
    if not isinstance(raw, dict):
        raise ConfigError([f"{path}: must begin with keys such as databases."])
    return raw
