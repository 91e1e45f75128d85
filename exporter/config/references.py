"""`${env:NAME}` and `${file:PATH}` inside values, so that no secret has to stand in the file itself; `$${` is `${`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REFERENCE = re.compile(r"\$\$\{|\$\{(?P<scheme>\w+):(?P<name>[^}]*)\}|\$\{[^}]*\}?")


class Unresolved(ValueError):
    """A reference that leads nowhere; the text completes "key: ..."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Where references lead: the environment, and files relative to the folder of the configuration."""

    environ: Mapping[str, str]
    folder: Path

    def resolve(self, raw: object) -> object:
        """A raw value with every reference in it replaced, also inside lists.

        Raises:
            Unresolved: a variable that is not set, a file that cannot be read, anything else in `${}`.
        """
        if isinstance(raw, list):
            return [self.resolve(part) for part in raw]
        return REFERENCE.sub(self._target, raw) if isinstance(raw, str) else raw

    def _target(self, match: "re.Match[str]") -> str:
        if match[0] == "$${":
            return "${"
        name = match["name"] or ""
        if match["scheme"] == "env":
            return self._variable(name)
        if match["scheme"] == "file":
            return self._content(name)
        message = "write ${env:NAME} or ${file:PATH}, and $${ for a literal ${"
        raise Unresolved(message)

    def _variable(self, name: str) -> str:
        if self.environ.get(name):
            return self.environ[name]
        raise Unresolved(f"the environment variable {name} is not set; set it, or change ${{env:{name}}}")

    def _content(self, name: str) -> str:
        try:
            text = (self.folder / Path(name).expanduser()).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise Unresolved(f"the file {name} cannot be read ({reason}); change ${{file:{name}}}") from None
        if not text:
            raise Unresolved(f"the file {name} is empty; write the value into it")
        return text
