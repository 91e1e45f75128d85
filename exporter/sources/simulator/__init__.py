"""A seeded company that never existed: what `make demo` reads instead of an Odoo, and what detectors are scored on."""

from exporter.sources.simulator.company import Company
from exporter.sources.simulator.incidents import Incident
from exporter.sources.simulator.rhythm import business_morning
from exporter.sources.simulator.source import SimulatedSource, resumed, simulated_sources

__all__ = ["Company", "Incident", "SimulatedSource", "business_morning", "resumed", "simulated_sources"]
