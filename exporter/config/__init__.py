"""What the operator decides: read once at start from the environment or a YAML file, then frozen."""

from exporter.config.action import Action
from exporter.config.cost import Cost
from exporter.config.integration import Expected, Happens, Hook, N8n, UniqueKey
from exporter.config.loading import load
from exporter.config.model import STORE_FILE, Config, Database, Hosting, Skipped
from exporter.config.quiet import Quiet
from exporter.config.secret import REDACTED, Secret

__all__ = [
    "REDACTED",
    "STORE_FILE",
    "Action",
    "Config",
    "Cost",
    "Database",
    "Expected",
    "Happens",
    "Hook",
    "Hosting",
    "N8n",
    "Quiet",
    "Secret",
    "Skipped",
    "UniqueKey",
    "load",
]
