"""`odoo-otel check`: connects to every database and says in sentences what can be seen there, and what cannot."""

from exporter.checking.around import around
from exporter.checking.changed import changed
from exporter.checking.database import ask
from exporter.checking.saying import CODES, Said, worst

__all__ = ["CODES", "Said", "around", "ask", "changed", "worst"]
