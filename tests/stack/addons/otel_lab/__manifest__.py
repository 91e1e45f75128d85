# Test-only addon: what the fixture company needs in Python. Never shipped, never installed outside tests/stack.
{  # noqa: B018 (Odoo reads a bare dict)
    "name": "otel_lab",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": [
        "base_automation",
        "rpc",
        "queue_job",
        "base_tier_validation",
        "purchase",
        "purchase_tier_validation",
        "sale",
    ],
    "data": ["security/ir.model.access.csv"],
}
