"""`python -m tests.bench [key ...]`: every figure beside its target and its peer, as a table and as bench.json.

A ratio is of two figures of the same run and gates: missed, the exit code is 1. So do the figures that are promised on
every machine: calls, memory while history is read, how long Odoo waits for an answer to its webhook, how long a person
waits for the span. Any other absolute figure depends on the machine and its neighbours: it is printed and said, and
gates nothing. What cannot be measured here is said, and is no figure.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.bench import (
    bench_backfill,
    bench_fleet,
    bench_hooks,
    bench_kernel,
    bench_logs,
    bench_nudge,
    bench_past,
    bench_start,
    bench_store,
    bench_telemetry,
)

OUT = Path(__file__).resolve().parents[2] / "bench.json"
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One line of the table.

    Attributes:
        key: its name in bench.json; the peer's figure is `<key>_peer`.
        floor: what the figure must reach; `ceiling`: what it must stay below.
        also: other figures of the same run, and what each must stay below.
        gates: its ceilings gate.
        lacking: why it cannot be measured here, "" where it can.
        ratio: how many times better than the peer it must be.
        better: whether more is better (per second) or less (seconds).
    """

    key: str
    what: str
    run: Callable[[], Figures]
    floor: float | None = None
    ceiling: float | None = None
    also: Figures = field(default_factory=dict)
    gates: bool = False
    lacking: Callable[[], str] = str
    ratio: float | None = None
    better: Literal["more", "less"] = "more"

    @property
    def ceilings(self) -> Figures:
        """What its figures must stay below."""
        return {**({} if self.ceiling is None else {self.key: self.ceiling}), **self.also}

    def times(self, found: Figures) -> float | None:
        """How many times better than the peer, if there is one."""
        if f"{self.key}_peer" not in found:
            return None
        ours, peer = found[self.key], found[f"{self.key}_peer"]
        return ours / peer if self.better == "more" else peer / ours


BENCHMARKS = (
    Benchmark(
        key="spans_vs_sdk",
        what="Run -> told -> encoded span, 11 attributes, spans/s; peer: told, then the SDK (_ready: told before)",
        run=bench_telemetry.spans_vs_sdk,
        ratio=6,
    ),
    Benchmark(
        key="spans_per_s",
        what="Event -> folded -> encoded span rows, spans/s of CPU; peer: the SDK, given the same spans",
        run=bench_kernel.spans_per_s,
        floor=30_000,
    ),
    Benchmark(
        key="durable_events_per_s",
        what="append, read, fold, Commit with outbox: scheduled actions, events/s; peer: JSON in a table, no fold",
        run=bench_kernel.durable_events_per_s,
        floor=10_000,
    ),
    Benchmark(
        key="durable_events_per_s_records",
        what="the same: purchases with tier reviews",
        run=bench_kernel.durable_events_per_s_records,
        floor=5_000,
    ),
    Benchmark(
        key="append_rows_per_s",
        what="durable append, 100 per commit, rows/s; peer: one row per commit",
        run=bench_store.append_rows_per_s,
        floor=20_000,
        ratio=8,
    ),
    Benchmark(
        key="scrape_36k_s",
        what="CPU seconds of one scrape of 36,000 lines; peer: prometheus_client",
        run=bench_telemetry.scrape_36k,
        ratio=4,
        better="less",
    ),
    Benchmark(
        key="hooks_per_s",
        what="webhooks of 1 KB, HMAC, durable before the 202, one process; peer: Flask on waitress, a commit a request",
        run=bench_hooks.hooks_per_s,
        floor=1_000,
        ratio=3,
    ),
    Benchmark(
        key="hook_p999_ms",
        what="p99.9 of 50 webhooks a second with 500 a second for 5 s twice, beside polls; and p50 and p99",
        run=bench_hooks.hook_latency,
        ceiling=bench_hooks.LONGEST,
        also={"hook_p50_ms": bench_hooks.MEDIAN, "hook_p99_ms": bench_hooks.MOST},
        gates=True,
        better="less",
    ),
    Benchmark(
        key="otlp_logs_lines_per_s",
        what="Odoo's log through /v1/logs, durable, lines/s; peer: decode the same as JSON and write it to a file",
        run=bench_logs.otlp_logs_lines_per_s,
        floor=10_000,
    ),
    Benchmark(
        key="idle_calls",
        what="calls of an idle second that polls all collections (the seldom ones by their share), one at a time",
        run=bench_fleet.idle_calls,
        ceiling=12.01,  # at most 12
        gates=True,
        better="less",
    ),
    Benchmark(
        key="backfill_rows_per_cpu_s",
        what="past messages with tracked values of a real Odoo, from the wire to the outbox, rows/s of CPU; peer",
        run=bench_past.backfill_rows_per_cpu_s,
        floor=6_000,
        lacking=bench_past.lacking,
    ),
    Benchmark(
        key="backfill_rss_mib",
        what="MiB of the exporter at most, meanwhile",
        run=bench_past.backfill_rss_mib,
        ceiling=300,
        gates=True,
        lacking=bench_past.lacking,
        better="less",
    ),
    Benchmark(
        key="backfill_fake_rows_per_cpu_s",
        what="the same of a fake Odoo that has no documents, on any machine; peer: reads them only",
        run=bench_backfill.backfill_fake_rows_per_cpu_s,
        floor=6_000,
    ),
    Benchmark(
        key="backfill_fake_rss_mib",
        what="MiB of the exporter at most, meanwhile",
        run=bench_backfill.backfill_fake_rss_mib,
        ceiling=300,
        gates=True,
        better="less",
    ),
    Benchmark(
        key="fleet_60_delay_s",
        what="60 databases, 10 of which hang: longest delay of a poll of the others, seconds; peer: none hangs",
        run=bench_fleet.fleet_60_delay_s,
        ceiling=1,
        better="less",
    ),
    Benchmark(
        key="rss_mib",
        what="MiB, polling and scraped, beside 1,000,000 Events, 100,000 Runs and Subjects; peer: an empty store",
        run=bench_start.memory,
        ceiling=120,
        ratio=0.7,
        better="less",
    ),
    Benchmark(
        key="start_s",
        what="seconds until /readyz answers 200 beside the same; peer: an empty store",
        run=bench_start.start,
        ceiling=2,
        ratio=0.5,
        better="less",
    ),
    Benchmark(
        key="nudge_s",
        what="Odoo's webhook -> the record's span in the outbox, p95, seconds; peer: polls every 15 s, no webhook",
        run=bench_nudge.nudge_s,
        ceiling=2,
        gates=True,
        ratio=4,
        better="less",
    ),
)


def number(figure: float | None) -> str:
    """A figure as the table shows it."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def verdict(line: Benchmark, found: Figures) -> str:
    """`ok`, `MISSED` (a ratio, a ceiling that gates) or `below`, `above` (a floor, a ceiling: said)."""
    times = line.times(found)
    if times is not None and line.ratio is not None and times < line.ratio:
        return "MISSED"
    if any(found[key] >= ceiling for key, ceiling in line.ceilings.items()):
        return "MISSED" if line.gates else "above"
    return "below" if line.floor is not None and found[line.key] < line.floor else "ok"


def row(line: Benchmark, found: Figures, seconds: float) -> str:
    """One printed line."""
    must = " and ".join(
        text
        for text in (
            f">= {number(line.floor)}" if line.floor else "",
            f"< {number(line.ceiling)}" if line.ceiling else "",
            f">= {number(line.ratio)}x" if line.ratio else "",
        )
        if text
    )
    times = line.times(found)
    peer = f"{number(found.get(line.key + '_peer'))} ({times:.2g}x)" if times else "-"
    figure = number(found[line.key])
    others = "".join(f"\n    {key} {number(found[key])}, must be < {number(most)}" for key, most in line.also.items())
    return f"{line.key:30} {figure:>10} {peer:>16}  {must:20} {verdict(line, found):7} {seconds:4.0f} s{others}"


def main(wanted: list[str]) -> int:
    """Run what is wanted and print it; nothing named: everything, and write bench.json. 1 when a ratio was missed."""
    figures: dict[str, float] = {}
    missed = False
    print(f"{'key':30} {'figure':>10} {'peer':>16}  {'must reach':20}")
    for line in BENCHMARKS:
        if wanted and line.key not in wanted:
            continue
        if why := line.lacking():
            print(f"{line.key:30} NOT MEASURED: {why}", flush=True)
            continue
        began = time.perf_counter()
        found = line.run()
        figures |= found
        missed |= verdict(line, found) == "MISSED"
        print(f"{row(line, found, time.perf_counter() - began)}\n    {line.what}", flush=True)
    if not wanted:
        OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    verdicts = "a figure that gates was MISSED" if missed else "everything that gates holds"
    print(f"{verdicts}{'' if wanted else f'; figures in {OUT.name}'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
