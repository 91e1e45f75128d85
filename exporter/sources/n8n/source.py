"""The Source `n8n/executions`: see polling.Source; how it is read stands in reading.py and docs/n8n.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.sources.n8n.door import N8nDoor
from exporter.sources.n8n.kin import Memory, N8nOptions
from exporter.sources.n8n.reading import SOURCE, Reading
from exporter.sources.polling import Poll


@dataclass(slots=True, kw_only=True)
class N8nSource:
    """The executions of one n8n."""

    door: N8nDoor
    options: N8nOptions = field(default_factory=N8nOptions)
    name: str = SOURCE
    memory: Memory = field(default_factory=Memory)

    def poll(self, marks: Mapping[str, str]) -> Poll:
        """Read what is new since the marks."""
        return Reading(self.door, marks, options=self.options, memory=self.memory).poll()
