"""One poll in the making: rows in, Events and mark changes out. The collections are functions on it."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TypeVar

from exporter.domain.bodies import Body, SightChanged
from exporter.domain.events import Event
from exporter.errors import BadRecord, SourceDown
from exporter.sources.odoo.door import Domain, Door, Missing, NotInstalled, Row
from exporter.sources.odoo.options import OdooOptions
from exporter.sources.odoo.rows import instant, row_id, stamp
from exporter.sources.odoo.tail import Shown, Tail, checked
from exporter.sources.polling import Poll, RefusedRow

Parsed = TypeVar("Parsed")
ROUNDS = 20  # questions about one page; where rows are gone or came again three are enough
ABSENT_FOR = timedelta(minutes=10)
BLIND, SHOWN = "blind/", "rows/"  # marks of spots that are not seen, with why; of models of which rows showed
NO_ACCESS, NO_ROWS = "no_access", "no_rows"  # why a model is not: no right; no row of it shows, where some did


class Blind(SourceDown):
    """A part that was read, or without which there is nothing to say, may not be read any more."""

    def __init__(self, model: str, sentence: str) -> None:
        super().__init__(sentence)
        self.model = model


@dataclass(slots=True, kw_only=True)
class Memory:
    """What a Source remembers between polls and may forget: nothing that a mark has to hold.

    Attributes:
        fields: (model, wanted fields) -> those of them that it has.
        absent: model -> (until when it is not asked again, the sentence why).
        labels: (model, field) -> (when read, label -> keys).
    """

    fields: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = field(default_factory=dict)
    absent: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    labels: dict[tuple[str, str], tuple[datetime, Mapping[str, frozenset[str]]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is only appended to: which rows of it are read, and how many at once."""

    model: str
    page: int
    rows: Domain = ()


class Reading:
    """Reads through the door and gathers what one Poll will say.

    Attributes:
        began_at: the server's clock when the poll began.
        marks: the marks as they were, with this poll's changes.
        more, read_until: see Poll; told with `told_to`.
        restored_after: see Poll.
    """

    def __init__(
        self, source: str, door: Door, marks: Mapping[str, str], *, options: OdooOptions, memory: Memory
    ) -> None:
        self.source = source
        self.door = door
        self.options = options
        self.memory = memory
        self.marks = dict(marks)
        self.began_at = door.server_time()
        self.more = False
        self.read_until: datetime | None = self.began_at
        self.restored_after: datetime | None = None
        self._before = marks
        self._events: list[Event] = []
        self._refused: list[RefusedRow] = []
        self._missing: list[str] = []

    def poll(self) -> Poll:
        """What was gathered."""
        changed = {key: mark for key, mark in self.marks.items() if self._before.get(key) != mark}
        return Poll(
            began_at=self.began_at,
            events=tuple(self._events),
            mark_changes=changed | dict.fromkeys(self._before.keys() - self.marks.keys()),
            more=self.more,
            refused=tuple(self._refused),
            missing=tuple(self._missing),
            read_until=self.read_until,
            restored_after=self.restored_after,
        )

    def blind(self, lost: Blind) -> Poll:
        """A poll that failed, as it lost its sight: nothing of it counts but that it is so."""
        self.marks, self.restored_after = dict(self._before), None
        self._events.clear()
        self.sees(lost.model, NO_ACCESS)
        poll = self.poll()
        return replace(poll, failed=str(lost), more=False, refused=(), missing=(), read_until=None)

    def note(self, key: str, mark: str | None) -> None:
        """Set a mark, or delete it with None."""
        if mark is None:
            self.marks.pop(key, None)
        else:
            self.marks[key] = mark

    def told_to(self, until: datetime | None, *, more: bool) -> None:
        """What happened after `until` is not all told, None: nobody knows up to when; `more`: go on at once."""
        self.more = self.more or more
        self.read_until = min(until, self.read_until) if until and self.read_until else None

    def restored(self, after: datetime) -> None:
        """The database was restored: what it did then, it did not do any more."""
        self.restored_after = max(after, self.restored_after or after)

    def emit(self, name: str, path: str, at: datetime, body: Body, *, epoch: int = 0) -> None:
        """One Event; `path` is its key behind epoch and source; `epoch` is how often the ids of its rows came again."""
        key = f"{epoch}/{self.source}/{path}"
        self._events.append(Event(source=self.source, key=key, name=name, at=at, seen=self.began_at, body=body))

    def refuse(self, row: str, reason: str) -> None:
        """Leave one row out, counted."""
        self._refused.append(RefusedRow(row=row, reason=reason))

    def lacks(self, sentence: str) -> None:
        """Say what cannot be read here."""
        if sentence not in self._missing:
            self._missing.append(sentence)

    def sees(self, spot: str, why: str = "") -> None:
        """Say, where it changed, why a spot is not seen, or with "" that it is."""
        mark = f"{BLIND}{spot}"
        was = self.why(spot)
        if why == was:
            return
        for cause, blind in ((was, False), (why, True)):
            if cause:
                body = SightChanged(spot=spot, why=cause, blind=blind)
                key = f"{mark}/{cause}/{second(self.began_at)}/{int(blind)}"
                self.emit("odoo.sight.changed", key, self.began_at, body)
        self.note(mark, why or None)

    def why(self, spot: str) -> str:
        """Why a spot is not seen, "" where it is."""
        return self.marks.get(f"{BLIND}{spot}", "")

    def sees_no_more(self, model: str) -> bool:
        """Whether no row of a model shows any more, of which some did.

        They are taken for hidden from this user then, by a rule or a company, not for deleted; said until one shows.
        """
        hidden = f"{SHOWN}{model}" in self.marks and not self.page(model, (), (), limit=1)
        if hidden:
            self.sees(model, NO_ROWS)
        return hidden

    def _shows(self, model: str) -> None:
        self.note(f"{SHOWN}{model}", "1")
        if self.why(model) == NO_ROWS:
            self.sees(model)

    def part(self, model: str, read: Callable[[], None], *, vital: bool = False) -> None:
        """Read one part; when its model is missing, say so, let the rest go on and do not ask again for a while.

        What was read before and is forbidden now fails the poll, as does what is `vital`: a source that lost its sight
        must not look successful, because missed runs are concluded from successful polls (decision 2).
        """
        until, sentence = self.memory.absent.get(model, (self.began_at, ""))
        if until > self.began_at:
            self.lacks(sentence)
            return
        marks, told = dict(self.marks), len(self._events)
        try:
            read()
        except Missing as missing:
            if (vital or f"read/{model}" in self.marks) and not isinstance(missing, NotInstalled):
                raise Blind(model, str(missing)) from missing
            if vital:
                raise
            self.marks = marks
            del self._events[told:]
            self.memory.absent[model] = (self.began_at + ABSENT_FOR, str(missing))
            self.lacks(str(missing))
            self.sees(model, "" if isinstance(missing, NotInstalled) else NO_ACCESS)
        else:
            self.note(f"read/{model}", "1")
            if self.why(model) == NO_ACCESS:
                self.sees(model)
            self.memory.absent.pop(model, None)

    def fields(self, model: str, wanted: Sequence[str]) -> tuple[str, ...]:
        """Those of the wanted fields the model has here (versions and access differ); asked once per process."""
        asked = (model, tuple(wanted))
        if asked not in self.memory.fields:
            known = self.door.call(model, "fields_get", allfields=list(wanted), attributes=["type"])
            if not isinstance(known, dict):
                raise BadRecord(f"Odoo's fields_get of {model} is no table of fields.")
            self.memory.fields[asked] = ("id", *(one for one in wanted if one in known))
        found = self.memory.fields[asked]
        absent = [one for one in wanted if one not in found]
        if absent:
            self.lacks(f"{model} has no {', '.join(absent)} here (or the user may not read it): left out.")
        return found

    def page(self, model: str, domain: Domain, wanted: Sequence[str], *, after: int = 0, limit: int = 0) -> list[Row]:
        """Rows with ids above `after`, in order of id."""
        above: Domain = [*domain, ["id", ">", after]] if after else domain
        rows = self.door.search_read(model, above, self.fields(model, wanted), limit=limit or self.options.page)
        if rows:
            self._shows(model)
        return rows

    def behind(
        self, tail: Tail, read: Callable[[Tail], list[Row]], table: Table, watched: Mapping[int, int] | None = None
    ) -> tuple[Tail, list[Row]]:
        """The page behind a Tail, and the Tail as it is where rows are gone; `watched` as in Shown.

        Raises:
            BadRecord: what is answered contradicts itself, however often it is asked.
        """
        told = watched or {}
        for _ in range(ROUNDS):
            rows = read(tail)
            until = row_id(rows[-1]) if len(rows) >= table.page else 0
            page = Shown(rows=dict(_made(rows, tail.highest, told)), until=until, watched=told)
            found = checked(tail, page, lambda at: self._newest_before(table, at))
            if found.begins != tail.begins:
                self.restored(from_second(str(found.begins[-1])))
            if found == tail:
                return tail, rows
            told = {one: made for one, made in told.items() if page.rows.get(one) == made}  # the others were judged
            tail = found
        raise BadRecord(f"Odoo's rows of {table.model} have other dates at every question: they cannot be told apart.")

    def _newest_before(self, table: Table, at: int) -> int:
        older: Domain = [*table.rows, ["create_date", "<=", stamp(from_second(str(at)))]]
        rows = self.door.search_read(table.model, older, ["id"], order="id desc", limit=1)
        return row_id(rows[0]) if rows else 0

    def pages(self, model: str, domain: Domain, wanted: Sequence[str]) -> Iterator[Row]:
        """Every row; not for models that filter after the limit (mail.message), where a short page is not the end."""
        after, full = 0, True
        while full:
            rows = self.page(model, domain, wanted, after=after)
            yield from rows
            full = len(rows) >= self.options.page
            after = row_id(rows[-1]) if rows else 0

    def parsed(self, model: str, rows: Iterable[Row], parse: Callable[[Row], Parsed]) -> list[Parsed]:
        """The rows as `parse` makes them; a row it refuses is left out and counted."""
        return list(self.each(model, rows, parse))

    def each(self, model: str, rows: Iterable[Row], parse: Callable[[Row], Parsed]) -> Iterator[Parsed]:
        """The same one by one, for what may be more than memory should hold."""
        for row in rows:
            try:
                found = parse(row)
            except BadRecord as bad:
                self.refuse(f"{model},{row.get('id')!r:.20}", str(bad))
            else:
                yield found


def _made(rows: Iterable[Row], highest: int, watched: Container[int]) -> Iterator[tuple[int, int]]:
    """(id, second in which it was made) of the rows that may have been told: nobody needs to know of the others."""
    for row in rows:
        try:
            one = row_id(row)
            made = instant(row, "create_date") if one <= highest or one in watched else None
        except BadRecord:
            continue  # refused where it is parsed
        if made is not None:
            yield one, second(made)


def digest(content: bytes) -> str:
    """16 hex digits that change when the content does."""
    return blake2b(content, digest_size=8).hexdigest()


def second(at: datetime) -> int:
    """Whole seconds since 1970."""
    return int(at.timestamp())


def from_second(mark: str) -> datetime:
    """The aware UTC datetime of a mark made with `second`."""
    return datetime.fromtimestamp(int(mark), UTC)
