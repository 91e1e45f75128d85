"""The command `odoo-otel`; other packages add sub-commands through the entry-point group `odoo_otel.commands`."""

import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NoReturn

import click

from exporter.errors import ConfigError, OdooOtelError

GROUP = "odoo_otel.commands"
EX_CONFIG = 78  # sysexits.h: something is configured wrongly
STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ODOO_OTEL_STATE",
    default=Path("state"),
    show_default=True,
    help="The folder of the store.",
)
CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A YAML file (docs/configuration.md); without it the environment is read.",
)


class Commands(click.Group):
    """Our own commands, and those of other packages, imported only when they are called."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an expected failure is its sentences on stderr, never a traceback."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            fail(*error.faults, code=EX_CONFIG)
        except OdooOtelError as error:
            fail(*str(error).splitlines())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in order."""
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group=GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Our own command, else another package's."""
        own = super().get_command(ctx, cmd_name)
        others = entry_points(group=GROUP, name=cmd_name)
        return own or next((_added(entry) for entry in others), None)


def _added(entry: EntryPoint) -> click.Command:
    """Another package's command; one that cannot be imported says so, and leaves the others alone."""
    try:
        command = entry.load()
    except Exception as error:  # noqa: BLE001 whatever its import raises, our own commands go on
        reason = f"cannot be loaded from {entry.value}: {error}"
        return click.Command(entry.name, callback=lambda: fail(f"{entry.name} {reason}"), help=f"({reason})")
    return command if isinstance(command, click.Command) else click.command(entry.name)(command)


def fail(*sentences: str, code: int = 1) -> NoReturn:
    """Say on stderr what is wrong, a line each, and leave with the code."""
    for sentence in sentences:
        click.echo(f"odoo-otel: {sentence}", err=True)
    sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """What happens in and around Odoo as OpenTelemetry traces, metrics and logs.

    Scheduled actions, queue jobs, approvals, webhooks, automation rules, mail and n8n: `check` says what can be seen,
    `run` tells it, `demo` shows it without an Odoo.
    """
