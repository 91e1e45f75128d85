"""`python -m tests.unit.loops.many_labels totals|fold`: what 100,000 values of a label cost a process of its own.

A process of its own, as the most memory pytest ever had hides what comes after it, and memory that other tests gave
back is used again unseen. It prints JSON: `grown` (MiB of RSS from a tenth of the labels to all of them) and what the
test wants to know of the totals. With a second word every label is kept by somebody: the control.
"""

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path

from exporter.domain.told import Measurement
from exporter.loops import folding
from exporter.store.entries import Stored, Unreadable
from exporter.store.protocols import FOLD
from exporter.telemetry.exposition import text
from exporter.telemetry.metrics import Totals
from tests.fakes.exporter import Sample, samples
from tests.fakes.ledger import MemoryLedger
from tests.unit.loops.test_folding import LABEL_CAP, LABELS, NAME, done, fold_of, shown
from tests.worlds import JOBS, at, read

TOGETHER = 500


def channel(number: int) -> str:
    """A label nobody has seen yet."""
    return f"root.{number}"


def rss() -> float:
    """MiB of this process now."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def totals(reached: Callable[[int], None]) -> dict[Sample, float]:
    """Through Totals alone; what is shown at the end."""
    counted = Totals(cap=LABEL_CAP)
    kept: dict[tuple[str, object], object] = {}
    for start in range(0, LABELS, TOGETHER):
        kept |= {(row.name, row.labels): row for row in counted.add(map(_measured, range(start, start + TOGETHER)))}
        reached(start + TOGETHER)
    return samples(text([((), list(kept.values()))]).decode())  # type: ignore[list-item]


def _measured(number: int) -> Measurement:
    labels = (("channel", channel(number)), ("function", "send"), ("result", "success"))
    return Measurement(name="odoo_job_runs_total", labels=labels, value=1, at=at(number))


class _Endless(MemoryLedger):
    """Jobs that are done, each in a channel of its own; they are made when they are read and kept by nobody."""

    def read(self, _tenant: str, after: int, limit: int) -> list[Stored | Unreadable]:
        """The next ones; a mark is the last of every batch."""
        if after >= LABELS:
            return []
        numbers = range(after + 1, min(after + limit, LABELS + 1))
        jobs = [Stored(seq=n, event=done(n, n / 100, channel=channel(n))) for n in numbers]
        return [*jobs, Stored(seq=numbers[-1] + 1, event=read(JOBS, numbers[-1] / 100 + 60))]


def fold(reached: Callable[[int], None]) -> dict[Sample, float]:
    """Through the whole fold; what is shown at the end."""
    folding.CACHED_SUBJECTS = 2_000  # so that it is full at a tenth of the labels
    ledger = _Endless(forgetful=True)
    loop = fold_of(ledger, label_cap=LABEL_CAP, batch=TOGETHER)
    while loop.step():
        assert len(loop._subjects) <= folding.CACHED_SUBJECTS
        reached(ledger.offset(NAME, FOLD))
    return shown(ledger)


WORK = {"totals": totals, "fold": fold}


def main(work: str, leak: str = "") -> None:
    """Do it, measure, and print; with a second word somebody keeps every label (the control)."""
    sizes: list[float] = []
    kept: list[str] = []

    def reached(number: int) -> None:
        if leak:
            kept.extend(channel(one) for one in range(number - TOGETHER, number))
        if number in {LABELS // 10, LABELS}:
            sizes.append(rss())

    found = WORK[work](reached)
    runs = {key: n for key, n in found.items() if key[0] == "odoo_job_runs_total"}
    values: dict[str, set[str]] = {}
    for name, labels in found:
        values.setdefault(name, set()).add(dict(labels).get("channel", ""))
    overflow = {
        dict(labels)["metric"]: n for (name, labels), n in found.items() if name == "odoo_otel_series_overflow_total"
    }
    said = {
        "grown": sizes[1] - sizes[0],
        "runs": sum(runs.values()),
        "series": len(runs),
        "values": max(map(len, values.values())),
        "overflow": overflow["odoo_job_runs_total"],
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
