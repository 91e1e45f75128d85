"""`python -m exporter` is `odoo-otel`."""

from exporter.cli import main

main()
