import re
from pathlib import Path

import pytest

import exporter.fold
from exporter.telemetry.instruments import INSTRUMENTS, Instrument

ROOT = Path(__file__).parents[3]
TABLE = pytest.mark.parametrize("found", INSTRUMENTS.values(), ids=lambda found: found.name)
RESERVED = {"instance", "job", "env", "environment_name", "le", "quantile", "odoo_database", "type", "owner", "stage"}


@TABLE
def test_names_follow_prometheus(found: Instrument) -> None:
    """Base units, `_total` for counters alone, `_timestamp_seconds` for points in time, no reserved label."""
    assert re.fullmatch(r"odoo(_[a-z][a-z0-9]*)+", found.name)
    assert found.name.endswith("_total") == (found.kind == "counter")
    assert ("_seconds" in found.name) == (found.unit == "s")
    assert found.unit != "1"  # the Collector would append _ratio
    assert not RESERVED & set(found.labels)
    assert not re.search(r"_(count|sum|bucket|created)$", found.name)


@TABLE
def test_otlp_names_translate_to_the_prometheus_ones(found: Instrument) -> None:
    """What the Collector makes of the OTLP name (dots, unit, `_total`) is our own Prometheus name."""
    assert re.fullmatch(r"odoo(\.[a-z][a-z0-9]*(_[a-z]+)*)+", found.otlp)
    unit, total = {"s": "_seconds", "By": "_bytes"}.get(found.unit, ""), "_total" if found.kind == "counter" else ""
    assert found.otlp.replace(".", "_") + unit + total == found.name
    assert found.unit in {"s", "By"} or re.fullmatch(r"\{[a-z]+\}", found.unit)


@TABLE
def test_lines_are_whole(found: Instrument) -> None:
    """Buckets rise and stand with histograms only, known values belong to labels, help is one plain sentence."""
    assert bool(found.bounds) == (found.kind == "histogram")
    assert list(found.bounds) == sorted(set(found.bounds))
    assert set(found.known) <= set(found.labels)
    assert re.fullmatch(r"[^\\\"\n|]+\.", found.help)


def test_every_instrument_is_documented_once() -> None:
    """docs/metrics.md has a line for each instrument."""
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)`", page, re.MULTILINE) == list(INSTRUMENTS)


def test_the_process_speaks_for_itself() -> None:
    """Only what concerns the program as a whole goes without odoo_database."""
    assert {name for name, found in INSTRUMENTS.items() if found.scope == "process"} == {
        "odoo_otel_build_info",
        "odoo_otel_store_size_bytes",
        "odoo_otel_store_used_bytes",
        "odoo_otel_store_log_bytes",
        "odoo_otel_store_refusing",
        "odoo_otel_config_last_reload_successful",
        "odoo_otel_config_last_reload_success_timestamp_seconds",
        "odoo_otel_disk_free_bytes",
        "odoo_otel_outbox_items",
        "odoo_otel_webhooks_total",
        "odoo_otel_log_lines_total",
        "odoo_otel_outbox_oldest_timestamp_seconds",
        "odoo_otel_exported_total",
        "odoo_otel_export_errors_total",
        "odoo_otel_refused_total",
    }


def test_the_fold_measures_what_the_table_has() -> None:
    """Every metric the fold names is a line of the table: the two rooms may not import one another."""
    room = Path(exporter.fold.__file__ or "").parent
    named = {name for path in room.glob("*.py") for name in re.findall(r'"(odoo_[a-z0-9_]+)"', path.read_text())}
    assert named - {"odoo_queue_job"} <= set(INSTRUMENTS)
