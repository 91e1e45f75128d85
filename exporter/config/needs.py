"""What a database is told to judge and could never see: refused, as it would silently never fire."""

from collections.abc import Iterator, Mapping, Sequence

from exporter.config.cost import Cost
from exporter.config.integration import Expected, Hook, N8n

CRONS, DOCUMENTS, RULES, LOGGING = "odoo/crons", "odoo/approvals", "odoo/automations", "odoo/logging"
KEYS = "odoo/keys"
Values = Mapping[str, object]
# Settings by their key, and the Sources without which nothing of them is ever judged.
NEEDS: Mapping[str, Sequence[str]] = {
    "api_key_expires": (KEYS,),
    "limits": (CRONS,),
    "odoo_log": (CRONS,),
    "expect": (DOCUMENTS,),
    "unique": (DOCUMENTS,),
    "missing_after": (DOCUMENTS, RULES),
}


def unseen(values: Values, where: str) -> list[str]:
    """Every fault of the settings of one database, which `where` names."""
    return [*_unread(values, where), *_unnamed(values, where)]


def _unread(values: Values, where: str) -> Iterator[str]:
    """What needs a Source that is left out to save cost."""
    cost: Cost = values.get("cost") or Cost()  # type: ignore[assignment] # None where it has faults of its own
    read = cost.collections()
    if not read:
        yield f"{where}.cost: leaves out every source, so nothing of this database would be read."
    for key, sources in _needed(values):
        for source in sources:
            if source not in read:
                yield f"{where}.{key}: needs {source}, which {where}.cost leaves out: read it, or leave this out."


def _needed(values: Values) -> Iterator[tuple[str, Sequence[str]]]:
    """The settings that were given, with the Sources that they need."""
    yield from ((key, sources) for key, sources in NEEDS.items() if values.get(key))
    if values.get("ir_logging") == "wait":
        yield "ir_logging", (CRONS, LOGGING)
    hooks: tuple[Hook, ...] = values.get("hooks", ())  # type: ignore[assignment]
    n8n: N8n | None = values.get("n8n")  # type: ignore[assignment]
    patient = [f"hooks.{hook.name}" for hook in hooks if hook.latency_tolerance is not None]
    patient += ["n8n"] if n8n is not None and n8n.latency_tolerance is not None else []
    yield from ((f"{name}.latency_tolerance", (DOCUMENTS,)) for name in patient)


def _unnamed(values: Values, where: str) -> Iterator[str]:
    """What is expected of a sender, a model or an n8n of which nothing is said."""
    expected: tuple[Expected, ...] = values.get("expect", ())  # type: ignore[assignment]
    hooks: tuple[Hook, ...] = values.get("hooks", ())  # type: ignore[assignment]
    models: tuple[str, ...] = values.get("approvals", ("purchase.order",))  # type: ignore[assignment]
    seen = {"hook": {hook.name for hook in hooks}, "record": set(models)}
    says = {"hook": "hooks", "record": "approvals"}
    for one in expected:
        for name, happens in (("after", one.after), ("then", one.then)):
            label = f"{where}.expect.{one.name}.{name}"
            if happens.what == "n8n" and values.get("n8n") is None:
                yield f"{label}: there is no n8n here; say under `n8n` where it answers."
            elif happens.what != "n8n" and happens.name not in seen[happens.what]:
                yield f"{label}: {happens.name} does not stand under `{says[happens.what]}`: name it there."
