"""Definitions of business Workflows: data in YAML, read once, handed to the fold as plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import yaml

from exporter.domain.runs import WaitKind
from exporter.errors import ConfigError

Traces = Literal["single", "episodes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """What a document of one model goes through.

    Attributes:
        name: `odoo.workflow.name` and the label `workflow`.
        model: Odoo's technical name of the document.
        initial: the state a record is created in (Odoo tracks changes, not the first value).
        final: states that end the Run, with the decision each one is ("" if it decides nothing).
        waits: states in which somebody or something is waited for.
        traces: `single`: a document is one trace; `episodes`: each of its episodes is, linked to the one before
            (for backends without room for spans of weeks ago).
    """

    name: str
    model: str
    initial: str = ""
    final: Mapping[str, str] = field(default_factory=dict)
    waits: Mapping[str, WaitKind] = field(default_factory=dict)
    traces: Traces = "single"


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


ANY = "*"  # the Workflow of models that nobody described


def followed(workflows: Mapping[str, Workflow], models: Iterable[str]) -> dict[str, Workflow]:
    """The Workflows by model, with one for each of `models`: its own, else the one of any model."""
    known = {model: workflow for model, workflow in workflows.items() if model != ANY}
    other = workflows.get(ANY)
    made = {model: replace(other, name=model, model=model) for model in models if other and model not in known}
    return {**known, **made}


def in_episodes(workflows: Mapping[str, Workflow], models: Iterable[str]) -> dict[str, Workflow]:
    """The Workflows by model, those of `models` with a trace an episode; one is made where there is none."""
    changed = {
        model: replace(workflows.get(model) or Workflow(name=model, model=model), traces="episodes") for model in models
    }
    return {**workflows, **changed}


def _workflow(entry: Mapping[str, Any]) -> Workflow:
    return Workflow(**{str(key): value for key, value in entry.items()})
