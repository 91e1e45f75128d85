"""Domains of automation rules, the text of somebody's Python: a set of values, or None for "cannot be said"."""

from exporter.sources.odoo.conditions import Values, values


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """Never an error, and nothing of it is run."""
    found = values(data.decode(errors="replace"), "state")
    assert found is None or isinstance(found, Values)
