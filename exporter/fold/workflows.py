"""Definitions of business Workflows: data in YAML, read once, handed to the fold as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from exporter.domain.runs import WaitKind
from exporter.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """What a document of one model goes through.

    Attributes:
        name: `odoo.workflow.name` and the label `workflow`.
        model: Odoo's technical name of the document.
        initial: the state a record is created in (Odoo tracks changes, not the first value).
        final: states that end the Run, with the decision each one is ("" if it decides nothing).
        waits: states in which somebody or something is waited for.
    """

    name: str
    model: str
    initial: str = ""
    final: Mapping[str, str] = field(default_factory=dict)
    waits: Mapping[str, WaitKind] = field(default_factory=dict)


def parse(text: str) -> dict[str, Workflow]:
    """Workflows by model.

    Raises:
        ConfigError: one sentence for every definition that cannot be used.
    """
    faults: list[str] = []
    found: dict[str, Workflow] = {}
    for number, entry in enumerate(yaml.safe_load(text) or [], start=1):
        try:
            workflow = _workflow(entry)
        except (TypeError, KeyError) as error:
            faults.append(f"Workflow {number}: {error}; it needs name and model, and may have initial, final, waits.")
        else:
            found[workflow.model] = workflow
    if faults:
        raise ConfigError(faults)
    return found


def _workflow(entry: Mapping[str, Any]) -> Workflow:
    return Workflow(**{str(key): value for key, value in entry.items()})
