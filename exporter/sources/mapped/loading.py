"""Where mappings come from: those that are shipped, and files of the operator's."""

from importlib.resources import files
from pathlib import Path

from exporter.errors import ConfigError
from exporter.sources.mapped.definition import Definition, parse_mapping

SHIPPED = ("alertmanager", "github-actions", "hookdeck", "n8n", "stripe", "svix")


def shipped(name: str) -> Definition:
    """A mapping that comes with the program."""
    text = files("exporter.sources.mapped").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return parse_mapping(text, name)


def load_mapping(name: str, folder: Path = Path()) -> Definition:
    """The mapping that is shipped under a name, else the YAML file at a path (relative to `folder`).

    Raises:
        ConfigError: there is none, or it has faults; all of them are listed.
    """
    if name in SHIPPED:
        return shipped(name)
    path = folder / Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        said = f"mapping {name}: is none of {', '.join(SHIPPED)}, and the file cannot be read ({reason})."
        raise ConfigError([said]) from error
    return parse_mapping(text, name)
