"""Names of the Sources of which more than one part of the fold speaks: each knows what no other one shows."""

CRONS = "odoo/crons"
DOCUMENTS = "odoo/approvals"  # also what documents are called, and that polls go on
RULES = "odoo/automations"
EXECUTIONS = "n8n/executions"
