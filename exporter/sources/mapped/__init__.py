"""Anything that can POST: a mapping in YAML turns its payload into deliveries."""

from exporter.sources.mapped.definition import Definition, parse_mapping
from exporter.sources.mapped.loading import SHIPPED, load_mapping
from exporter.sources.mapped.reading import digest, event_of, parse

__all__ = ["SHIPPED", "Definition", "digest", "event_of", "load_mapping", "parse", "parse_mapping"]
