"""The command `odoo-otel`: every module here adds its commands to the group by being imported."""

from exporter.cli import granting, hooking, ingesting, looking, opening, reviewing, running, storing
from exporter.cli.group import main

__all__ = ["granting", "hooking", "ingesting", "looking", "main", "opening", "reviewing", "running", "storing"]
