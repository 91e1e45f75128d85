"""An Odoo 19 in memory, with the behaviours that lose rows (facts/odoo.md section 7), for both doors.

Rows have microseconds and show whole seconds; domains compare whole seconds; a transaction takes its ids at the insert
and shows them when it commits; mail.message filters by access after the limit; unknown fields, models and forbidden
models answer as Odoo does.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.domain.redact import Secret
from exporter.sources.odoo.door import JSON, Access, Domain, Row, fault, require_read, rows_of, search_arguments
from tests.fakes.odoo_models import DEFAULTS, LINKS, NO_LOG

Values = dict[str, Any]
Backup = tuple[dict[str, dict[int, Values]], dict[str, int]]
T0 = datetime(2026, 11, 22, 13, 0, 0, tzinfo=UTC)
ACCESS = Access(url="http://127.0.0.1:1", database="lab", user="monitor", key=Secret("fake-key"))


class OdooFault(Exception):
    """What Odoo answers instead of a result: status of JSON-2, class name, message."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message


@dataclass(slots=True)
class Transaction:
    """Begun at `start`; nothing of it shows before commit(), its ids are taken at once."""

    odoo: "FakeOdoo"
    start: datetime
    changes: list[tuple[str, int, Values | None]] = field(default_factory=list)

    def insert(self, model: str, /, **values: Any) -> int:
        """A new row; returns its id."""
        one = self.odoo.sequences[model] = self.odoo.sequences[model] + 1
        stamps = {} if model in NO_LOG else {"create_date": self.start, "write_date": self.start}
        self.changes.append((model, one, {"id": one} | DEFAULTS.get(model, {}) | stamps | values))
        return one

    def write(self, model: str, one: int, /, **values: Any) -> None:
        """ORM write: write_date is this transaction's start."""
        stamps = {} if model in NO_LOG else {"write_date": self.start}
        self.changes.append((model, one, stamps | values))

    def raw(self, model: str, one: int, /, **values: Any) -> None:
        """Raw SQL as the scheduler does it: write_date stays."""
        self.changes.append((model, one, dict(values)))

    def unlink(self, model: str, one: int) -> None:
        """Delete a row."""
        self.changes.append((model, one, None))

    def commit(self) -> None:
        """Everything shows at once."""
        for model, one, values in self.changes:
            table = self.odoo.tables[model]
            if values is None:
                table.pop(one, None)
            elif one in table or "id" in values:
                table[one] = table.get(one, {}) | values
        self.changes.clear()

    def rollback(self) -> None:
        """Nothing ever shows; the ids stay taken."""
        self.changes.clear()


@dataclass
class FakeOdoo:
    """Tables by model; `now` is the server's clock and moves by hand.

    Attributes:
        forbidden: models the user may not read (403).
        absent: models that are not installed (404).
        unreadable: models whose documents the user may not read: their messages are dropped after the limit.
        selections: (model, field, language) -> [[key, label]].
        calls: what was asked.
        lacks: model -> columns that this version does not have; loads: whether its search_read takes `load`.
    """

    now: datetime = T0
    tables: defaultdict[str, dict[int, Values]] = field(default_factory=lambda: defaultdict(dict))
    sequences: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    forbidden: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    xmlids: dict[tuple[str, int], str] = field(default_factory=dict)
    selections: dict[tuple[str, str, str], list[list[str]]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    lacks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    loads: bool = True

    def step(self, seconds: float) -> None:
        """Move the server's clock."""
        self.now += timedelta(seconds=seconds)

    def begin(self) -> Transaction:
        """A transaction that starts now."""
        return Transaction(self, self.now)

    def insert(self, model: str, /, **values: Any) -> int:
        """Insert and commit at once."""
        transaction = self.begin()
        one = transaction.insert(model, **values)
        transaction.commit()
        return one

    def write(self, model: str, one: int, /, **values: Any) -> None:
        """ORM write, committed at once."""
        transaction = self.begin()
        transaction.write(model, one, **values)
        transaction.commit()

    def raw(self, model: str, one: int, /, **values: Any) -> None:
        """Raw SQL, committed at once."""
        transaction = self.begin()
        transaction.raw(model, one, **values)
        transaction.commit()

    def unlink(self, model: str, *ids: int) -> None:
        """Delete, committed at once."""
        for one in ids:
            self.tables[model].pop(one, None)

    def backup(self) -> "Backup":
        """As `pg_dump` writes it: every row, and where every sequence stands."""
        return deepcopy(dict(self.tables)), dict(self.sequences)

    def restore(self, backup: "Backup") -> None:
        """As `pg_restore` puts it in the place of what is there: ids that were given out since come again."""
        tables, sequences = backup
        self.tables = defaultdict(dict, deepcopy(tables))
        self.sequences = defaultdict(int, sequences)

    def execute(self, model: str, method: str, named: Mapping[str, Any]) -> JSON:
        """What Odoo would answer; OdooFault for what it would refuse."""
        self.calls.append((model, method))
        self._check(model)
        methods: Mapping[str, Callable[..., JSON]] = {
            "search_read": self._search_read,
            "search": self._ids,
            "search_count": lambda m, domain=(): len(self._search(m, domain)),
            "read": self._read,
            "fields_get": self._fields_get,
            "get_metadata": self._metadata,
            "context_get": lambda _model: {"lang": "en_US", "tz": "Europe/Brussels", "uid": 9},
        }
        if method not in methods:
            raise OdooFault(404, "werkzeug.exceptions.NotFound", f"The method '{model}.{method}' does not exist")
        if method == "search_read" and "load" in named and not self.loads:
            message = "search_read() got an unexpected keyword argument 'load'"
            raise OdooFault(500, "builtins.TypeError", message)
        return methods[method](model, **named)

    def _check(self, model: str) -> None:
        if model in self.absent or (model not in DEFAULTS and model not in self.tables):
            raise OdooFault(404, "werkzeug.exceptions.NotFound", f"the model '{model}' does not exist")
        if model in self.forbidden:
            message = f"You are not allowed to access '{model}' records.\n\nContact your administrator."
            raise OdooFault(403, "odoo.exceptions.AccessError", message)

    def _search_read(
        self,
        model: str,
        domain: Domain = (),
        fields: Sequence[str] = (),
        *,
        order: str = "id",
        limit: int | None = None,
        offset: int = 0,
        load: str | None = "_classic_read",
        context: Mapping[str, Any] | None = None,
    ) -> JSON:
        hidden = not (context or {}).get("active_test", True) or any("active" in str(leaf) for leaf in domain)
        rows = [row for row in self._search(model, domain) if hidden or row.get("active", True)]
        rows.sort(key=lambda row: row["id"], reverse=order == "id desc")
        rows = rows[offset : None if limit is None else offset + limit]
        if model == "mail.message":  # the user's access is looked at after the limit
            rows = [row for row in rows if row["model"] not in self.unreadable]
        return [self._shown(model, row, fields, load) for row in rows]

    def _ids(self, model: str, domain: Domain = (), *, order: str = "id", limit: int | None = None) -> JSON:
        found = self._search_read(model, domain, ["id"], order=order, limit=limit)
        return [row["id"] for row in found]  # type: ignore[union-attr,index,call-overload]

    def _read(self, model: str, ids: Sequence[int], fields: Sequence[str] = (), load: str | None = "x") -> JSON:
        table = self.tables[model]
        return [self._shown(model, table[one], fields, load) for one in ids if one in table]

    def _metadata(self, model: str, ids: Sequence[int]) -> JSON:
        return [{"id": one, "xmlid": self.xmlids.get((model, one), False)} for one in ids if one in self.tables[model]]

    def _fields_get(
        self,
        model: str,
        allfields: Sequence[str] = (),
        attributes: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
    ) -> JSON:
        language = (context or {}).get("lang", "en_US")
        known = [name for name in self._columns(model) if not allfields or name in allfields]
        answer: dict[str, JSON] = {}
        for name in known:
            chosen = self.selections.get((model, name, language))
            full: dict[str, JSON] = {"type": "char", "selection": chosen} if chosen else {"type": "char"}
            answer[name] = {key: value for key, value in full.items() if key in attributes}
        return answer

    def _columns(self, model: str) -> set[str]:
        stamps = set() if model in NO_LOG else {"create_date", "write_date"}
        return ({"id"} | DEFAULTS.get(model, {}).keys() | stamps) - self.lacks.get(model, frozenset())

    def _shown(self, model: str, row: Values, fields: Sequence[str], load: str | None) -> JSON:
        for name in fields:
            if name not in self._columns(model):
                raise OdooFault(500, "builtins.ValueError", f"Invalid field '{name}' on '{model}'")
        names = {"id", *fields} if fields else self._columns(model)
        return {name: self._value(model, name, row.get(name, False), load) for name in sorted(names)}

    def _value(self, model: str, name: str, value: Any, load: str | None) -> JSON:
        if isinstance(value, datetime):
            return _shown_date(value)
        if name in LINKS.get(model, {}) and load is not None and value:
            return [value, f"{LINKS[model][name]},{value}"]
        if isinstance(value, tuple):
            return list(value)
        return False if value is None else value

    def _search(self, model: str, domain: Domain) -> list[Values]:
        matches = _compile(list(domain), lambda row, path: self._follow(model, row, path))
        return [row for row in self.tables[model].values() if matches(row)]

    def _follow(self, model: str, row: Values, path: str) -> Any:
        head, _, rest = path.partition(".")
        if head not in self._columns(model):
            raise OdooFault(500, "builtins.ValueError", f"Invalid field {model}.{head} in condition ('{path}')")
        if not rest:
            return row.get(head, False)
        target = LINKS[model][head]
        linked = self.tables[target].get(row.get(head) or 0)
        return False if linked is None else self._follow(target, linked, rest)


class FakeDoor:
    """The in-process Door: the same refusals and errors as the real ones, without a socket."""

    def __init__(self, odoo: FakeOdoo) -> None:
        self.odoo = odoo

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """See exporter.sources.odoo.door.Door."""
        require_read(model, method)
        try:
            return self.odoo.execute(model, method, named)
        except OdooFault as refused:
            raise fault(refused.status, refused.name, refused.message, model=model, access=ACCESS) from None

    def search_read(
        self, model: str, domain: Domain, fields: Sequence[str], *, order: str = "id", limit: int | None = None
    ) -> list[Row]:
        """See exporter.sources.odoo.door.Door."""
        return rows_of(self.call(model, "search_read", **search_arguments(domain, fields, order, limit)), model)

    def server_time(self) -> datetime:
        """The server's clock, cut to its second as a Date header is."""
        return self.odoo.now.replace(microsecond=0)

    def version(self) -> tuple[int, int]:
        """Odoo 19."""
        return (19, 0)


def _shown_date(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S")


def _compile(domain: list[Any], follow: Callable[[Values, str], Any]) -> Callable[[Values], bool]:
    """A Polish-notation domain -> predicate; leaves without an operator before them are joined by and."""
    rest = list(domain)
    parts: list[Callable[[Values], bool]] = []
    while rest:
        parts.append(_term(rest, follow))
    return lambda row: all(part(row) for part in parts)


def _term(rest: list[Any], follow: Callable[[Values, str], Any]) -> Callable[[Values], bool]:
    token = rest.pop(0)
    if token == "!":
        negated = _term(rest, follow)
        return lambda row: not negated(row)
    if token in ("&", "|"):
        left, right = _term(rest, follow), _term(rest, follow)
        if token == "&":
            return lambda row: left(row) and right(row)
        return lambda row: left(row) or right(row)
    path, operator, wanted = token
    return lambda row: _compare(follow(row, path), operator, wanted)


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    """As Odoo 19 compares: datetimes in whole seconds, microseconds of the literal dropped."""
    if isinstance(value, datetime):
        value = _shown_date(value)
        wanted = str(wanted)[:19] if isinstance(wanted, str) else wanted
    if operator in ("in", "not in"):
        return (value in wanted) == (operator == "in")
    if operator in ("=", "!="):
        return (value == wanted) == (operator == "=")
    if value is False or value is None:
        return False
    orders: Mapping[str, Callable[[Any, Any], bool]] = {
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        "ilike": lambda a, b: b.lower() in a.lower(),
    }
    return orders[operator](value, wanted)


def drained(source: Any, marks: dict[str, str], limit: int = 200) -> Iterable[Any]:
    """Poll until nothing is left to read at once, keeping the marks as the store would."""
    for _ in range(limit):
        poll = source.poll(dict(marks))
        keep(marks, poll)
        yield poll
        if not poll.more:
            return
    message = f"{source.name} never stops asking for more"
    raise AssertionError(message)


def keep(marks: dict[str, str], poll: Any) -> None:
    """What append does with the mark changes."""
    for key, mark in poll.mark_changes.items():
        if mark is None:
            marks.pop(key, None)
        else:
            marks[key] = mark
