"""An estimate in words."""

from exporter.estimating import Estimate

ONE = Estimate(
    database="acme",
    days=7.0,
    series=1234,
    spans=56789.4,
    logs=12.0,
    bytes_sent=3_456_000.0,
    bytes_kept=2 * 1024.0**2,
    calls=40_320.0,
    kept_for=90,
    faults=("odoo/jobs: install the module queue_job.",),
)


def test_an_estimate_is_a_line_a_number() -> None:
    """Each number with its unit, and what is not in them with its reason."""
    assert [*ONE.lines()] == [
        "acme, as its last 7 days were:",
        "  series             1,234",
        "  spans             56,789 a day",
        "  log events            12 a day",
        "  OTLP                3.46 MB a day, before compression",
        "  store               2.00 MiB a day, 180 MiB in 90 days",
        "  Odoo calls        40,320 a day, one at a time",
        "  not counted: odoo/jobs: install the module queue_job.",
    ]
