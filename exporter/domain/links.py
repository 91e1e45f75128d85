"""Link keys: how a fact names a record of Odoo that it is not itself about.

`model,id` is Odoo's own form of a reference and leads to the record's Subject by itself. `model:name` and `:name` lead
there once a fact has shown who bears that name; `cron:name` is the name of a scheduled action.
"""

import re

_ID = re.compile(r"(?P<model>[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)[,/](?P<id>[1-9]\d{0,17})")
_NAMED = re.compile(r"(?P<model>[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+):(?P<name>.+)")
_OWN = {"queue.job": "job/", "ir.cron": "cron/"}
LONGEST = 200
NAMELESS = frozenset({"", "/", "New", "Draft"})  # what Odoo calls documents that have no number yet


def by_id(model: str, record_id: int) -> str:
    """The link key of a record whose model and id are known."""
    return f"{model},{record_id}"


def by_name(name: str, model: str = "") -> str:
    """The link key of a record whose name is known, and perhaps its model."""
    return f"{model}:{name}"


def subject(model: str, record_id: int) -> str:
    """A record's Subject; jobs and scheduled actions are known by the same id whoever names them."""
    return _OWN.get(model, f"record/{model}/") + str(record_id)


def names(model: str, name: str | None, record_id: int) -> tuple[tuple[str, str], ...]:
    """The link keys that a record's name makes, each with its Subject; none for one that is not numbered yet."""
    if name is None or name in NAMELESS or len(name) > LONGEST:
        return ()
    found = subject(model, record_id)
    return (by_name(name, model), found), (by_name(name), found)


def key(text: str) -> str:
    """A link key from what somebody wrote: `sale.order,23`, `sale.order/23`, `sale.order:S00023` or `S00023`; else "".

    Text that is no reference is taken for a name.
    """
    wanted = text.strip()
    if not wanted or len(wanted) > LONGEST or not wanted.isprintable():
        return ""
    if found := _ID.fullmatch(wanted):
        return by_id(found["model"], int(found["id"]))
    if found := _NAMED.fullmatch(wanted):
        return by_name(found["name"], found["model"])
    return by_name(wanted.removeprefix(":"))


def direct(link: str) -> str:
    """The Subject that a link key leads to by itself; "" where it has to be looked up."""
    found = _ID.fullmatch(link)
    return subject(found["model"], int(found["id"])) if found else ""


def reference(of: str) -> tuple[str, str]:
    """(model, id) of a record's Subject (`record/sale.order/23`); ("", "") of anything else."""
    kind, _, rest = of.partition("/")
    model, _, record_id = rest.rpartition("/")
    return (model, record_id) if kind == "record" and model else ("", "")
