"""Test-only Odoo addon."""

from . import models as models
