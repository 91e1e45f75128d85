"""`python -m tests.contract.frozen`: freeze two stores of this version, for every version to come (promise R22).

It writes tests/data/stores/schema-N.sqlite.xz, the company of the demo, and kinds/schema-N.sqlite.xz, every kind of
Event and Subject there is, a tenant each; beside each what the Reader says of it. Run it once for a schema or a version
of a body or state that is about to be released, and never again: a fixture that follows the code proves nothing.
"""

import json
import lzma
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw

from exporter.clock import StepClock
from exporter.domain.bodies import DatabaseChanged, DetectorsBeat, KeyCounted, SightChanged
from exporter.fold.subjects import Integration
from exporter.fold.tell import decode_run
from exporter.loops.folding import Folding, FoldingOptions
from exporter.loops.tenants import remember
from exporter.store import open_reader, open_store, schema
from exporter.store.review import SetAside
from tests.fakes.simulated import LIVE, NAME, company, store_of
from tests.unit.fold.test_golden import KINDS, Story
from tests.worlds import FLOW, SOURCES, TENANT, at, event, read, webhook

STORES = Path(__file__).parents[1] / "data" / "stores"


def said(path: Path) -> Mapping[str, Any]:
    """What a store says: counts, every Run as it is drawn, the names of its series, open Findings, what waits."""
    reader = open_reader(path)
    try:
        runs = reader.runs(NAME, limit=100_000)
        return {
            "tenants": reader.tenants(),
            "counts": dict(sorted(reader.counts().items())),
            "runs": [[row.id, row.result, row.trace_id.hex(), len(decode_run(row.body).steps)] for _, row in runs],
            "series": reader.series(NAME),
            "totals": len(reader.totals(NAME)),
            "open_findings": [row.id for row in reader.open_findings(NAME)],
            "outbox": [[signal, rows] for signal, rows, _ in reader.outbox()],
            "set_aside": [one.reason for one in reader.set_aside(10)],
            "first_start": str(known.first_start) if (known := reader.tenant(NAME)) else "",
        }
    finally:
        reader.close()


SIGHT = SightChanged(spot="mail.mail", why="no_access", blind=True)
UPGRADED = DatabaseChanged(what="upgraded", was="18.0", now="19.0")
BEAT = DetectorsBeat(series=1, judged=1, seconds=0.5)
OTHERS = Story(
    facts=(
        event("odoo.key.counted", 5, "key", KeyCounted(keys=1, expires_at=at(5_000)), source="odoo/keys"),
        event("odoo.sight.changed", 6, "sight", SIGHT, source="odoo/mails"),
        event("odoo.database.changed", 7, "base", UPGRADED, source="odoo/database"),
        event("detectors.series.judged", 8, "beat", BEAT, source="detectors/findings"),
        webhook("evt_1", 10, kind="invoice.paid", began=1),  # nine seconds, and two are tolerated
    ),
    flow=replace(FLOW, hooks={"stripe": Integration(tolerance=timedelta(seconds=2))}),
)
STORIES: Mapping[str, Story] = {**KINDS, "others": OTHERS}


def kinds(path: Path) -> Mapping[str, Any]:
    """What a store of every kind says: of each tenant the Events by name, the Runs, and the Subjects."""
    with closing(apsw.Connection(str(path))) as connection:
        rows = {
            "events": "SELECT tenant, name, count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2",
            "subjects": "SELECT tenant, key, kind FROM subjects ORDER BY 1, 2",
            "runs": "SELECT tenant, id, kind, result, hex(trace_id) FROM runs ORDER BY 1, 2",
        }
        return {name: [list(row) for row in connection.execute(sql).fetchall()] for name, sql in rows.items()}


def store_of_kinds(path: Path) -> None:
    """Every story, folded as it was configured, in a store at the path."""
    store = open_store(path)
    for name, story in STORIES.items():
        tenant = replace(TENANT, name=name)
        clock = StepClock(at(story.until))
        remember(store, tenant, clock)
        store.append(name, story.facts)
        store.append(name, [read(source, story.until) for source in SOURCES])
        flow = replace(story.flow, tenant=tenant)
        folding = Folding(ledger=store, flow=flow, clock=clock, options=FoldingOptions(host_id=name))
        while folding.step():
            pass
    store.close()


def freeze(folder: Path) -> None:
    """Write the fixtures of this version. Raises FileExistsError for one that is there."""
    name = f"schema-{len(schema.MIGRATIONS)}"
    (folder / "kinds").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as place:
        path = Path(place) / "store.db"
        store_of_kinds(path)
        _write(folder / "kinds" / name, path, kinds(path))
    with TemporaryDirectory() as place:
        path = Path(place) / "store.db"
        store_of(company(5, days=1), path, hours=3)
        store = open_store(path)
        store.review.keep(SetAside(tenant=NAME, origin="hooks/shop", key="k", reason="no_list: why", body=b"{}"))
        store.upkeep.drop(NAME, LIVE - timedelta(hours=12), LIVE - timedelta(days=40))
        store.close()
        _write(folder / name, path, said(path))


def _write(fixture: Path, path: Path, says: Mapping[str, Any]) -> None:
    with fixture.with_name(f"{fixture.name}.sqlite.xz").open("xb") as file:
        file.write(lzma.compress(path.read_bytes(), preset=9))
    fixture.with_name(f"{fixture.name}.json").write_text(json.dumps(says) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze(STORES)
    sys.stdout.write(f"frozen in {STORES}: keep it as it is\n")
