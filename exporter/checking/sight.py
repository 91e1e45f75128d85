"""What a user can see, collection by collection: models, fields, and the history of the states it is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from exporter.checking.saying import Severity
from exporter.clock import Clock
from exporter.config import Database
from exporter.databases import options, sources
from exporter.errors import SourceError
from exporter.sources.odoo.door import Door, Missing, NotInstalled
from exporter.sources.odoo.sight import Need, needs

State = Literal["seen", "absent", "forbidden", "broken"]
HINTS: Mapping[str, str] = {
    "base": "this version of Odoo has none",
    "": "name another under `approvals`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What became of a look at one model: which of the wanted fields it lacks, or what was answered instead."""

    need: Need
    state: State
    lacks: tuple[str, ...] = ()
    error: str = ""


def look(database: Database, door: Door, clock: Clock) -> Iterator[tuple[Severity, str]]:
    """Every collection: what is seen in one sentence, what is not in one each."""
    del clock
    chosen = options(database, door.version())
    looked = [_look(door, need) for need in needs(chosen.approvals, sources(database), chosen.unique)]
    for _, of in groupby(sorted(looked, key=_source), key=_source):
        yield from _collection(list(of), database.user)
    seen = {one.need.model for one in looked if one.state == "seen"}
    for approval in chosen.approvals:
        if approval.model in seen and "ir.model.fields" in seen:
            yield from _tracked(door, approval.model, approval.state_field)


def _source(looked: Looked) -> str:
    return looked.need.source


def _look(door: Door, need: Need) -> Looked:
    try:
        known = door.call(need.model, "fields_get", allfields=list(need.fields), attributes=["type"])
        found = [one for one in need.fields if isinstance(known, Mapping) and one in known]
        door.search_read(need.model, [], found, limit=1)
    except NotInstalled:
        return Looked(need=need, state="absent")
    except Missing:
        return Looked(need=need, state="forbidden")
    except SourceError as error:
        return Looked(need=need, state="broken", error=str(error))
    return Looked(need=need, state="seen", lacks=tuple(one for one in need.fields if one not in found))


def _collection(looked: Sequence[Looked], user: str) -> Iterator[tuple[Severity, str]]:
    seen = [one for one in looked if one.state == "seen"]
    if seen:
        yield "ok", f"{looked[0].need.source} sees {'; '.join(one.need.shows for one in seen)}."
    for one in looked:
        yield from _unseen(one, user)


def _unseen(one: Looked, user: str) -> Iterator[tuple[Severity, str]]:
    need = one.need
    if one.state == "absent":
        hint = HINTS.get(need.module, f"the module {need.module} brings it")
        yield "note", f"There is no {need.model} here ({hint}): {need.without}."
    elif one.state == "forbidden":
        severity: Severity = "error" if need.vital else "warning"
        yield severity, f"{user} may not read {need.model}: {need.without}. `odoo-otel odoo-access` prints the rights."
    elif one.state == "broken":
        yield "error" if need.vital else "warning", f"{need.model} cannot be read, so {need.without}. {one.error}"
    elif one.lacks:
        yield "note", f"{need.model} has no {', '.join(one.lacks)} here, or {user} may not read that: left out."


def _tracked(door: Door, model: str, field: str) -> Iterator[tuple[Severity, str]]:
    """Whether Odoo keeps the history of a state: only of fields that are tracked."""
    wanted = [["model", "=", model], ["name", "=", field]]
    rows = door.search_read("ir.model.fields", wanted, ["tracking"], limit=1)
    if not rows:
        yield "warning", f"{model} has no field {field}: no state of it is seen."
    elif not rows[0].get("tracking"):
        said = f"{model}.{field} is not tracked: Odoo keeps no history of it, so only its present value is seen."
        yield "warning", f"{said} Set Enable Ordered Tracking on the field."
