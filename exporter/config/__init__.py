"""What the operator decides: read once at start from the environment or a YAML file, then frozen."""

from exporter.config.loading import load
from exporter.config.model import STORE_FILE, Config, Database, Skipped
from exporter.config.secret import REDACTED, Secret

__all__ = ["REDACTED", "STORE_FILE", "Config", "Database", "Secret", "Skipped", "load"]
