"""`python -m tests.contract.frozen`: freeze a store of this version, for every version to come (promise R22).

It writes tests/data/stores/schema-N.sqlite.xz and what the Reader says of it. Run it once for a schema or a version of
a body or state that is about to be released, and never again: a fixture that follows the code proves nothing.
"""

import json
import lzma
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from exporter.fold.tell import decode_run
from exporter.store import open_reader, open_store, schema
from exporter.store.review import SetAside
from tests.fakes.simulated import LIVE, NAME, company, store_of

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


def freeze(folder: Path) -> None:
    """Write the fixture of this version. Raises FileExistsError for one that is there."""
    name = f"schema-{len(schema.MIGRATIONS)}"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as place:
        path = Path(place) / "store.db"
        store_of(company(5, days=1), path, hours=3)
        store = open_store(path)
        store.review.keep(SetAside(tenant=NAME, origin="hooks/shop", key="k", reason="no_list: why", body=b"{}"))
        store.upkeep.drop(NAME, LIVE - timedelta(hours=12), LIVE - timedelta(days=40))
        store.close()
        with (folder / f"{name}.sqlite.xz").open("xb") as file:
            file.write(lzma.compress(path.read_bytes(), preset=9))
        (folder / f"{name}.json").write_text(json.dumps(said(path)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze(STORES)
    sys.stdout.write(f"frozen in {STORES}: keep it as it is\n")
