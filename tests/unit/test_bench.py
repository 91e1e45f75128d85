"""The bench judges what it measures: what gates fails it, and nothing that is late or not measured is passed over."""

import pytest

from tests.bench import __main__ as bench
from tests.bench.__main__ import BENCHMARKS, Benchmark, main, row, verdict
from tests.bench.bench_fleet import longest

GATING = {
    "idle_calls": {"idle_calls"},
    "backfill_rss_mib": {"backfill_rss_mib"},
    "backfill_fake_rss_mib": {"backfill_fake_rss_mib"},
    "hook_p999_ms": {"hook_p50_ms", "hook_p99_ms", "hook_p999_ms"},
    "nudge_s": {"nudge_s"},
}


def _line(**words: object) -> Benchmark:
    return Benchmark(**{"key": "k", "what": "what", "run": dict, **words})  # type: ignore[arg-type]


def test_a_database_that_is_never_polled_again_is_late_until_the_end() -> None:
    """The gap between its last poll and the end of looking counts as one between two polls."""
    assert longest({10.0, 15.0, 20.5}, 25.0) == 5.5
    assert longest({10.0, 15.0}, 50.0) == 35.0
    assert longest({10.0}, 50.0) == 40.0


def test_what_is_promised_on_every_machine_gates() -> None:
    """Memory of the backfill, p50, p99 and p99.9 of hooks, p95 of nudges: each at its ceiling fails the bench."""
    gating = {line.key: line for line in BENCHMARKS if line.gates}
    assert {key: set(line.ceilings) for key, line in gating.items()} == GATING
    for line in gating.values():
        below = {key: ceiling - 0.001 for key, ceiling in line.ceilings.items()}
        assert verdict(line, below) == "ok"
        for key, ceiling in line.ceilings.items():
            assert verdict(line, {**below, key: ceiling}) == "MISSED"
    assert {key: line.ceilings[key] for line in gating.values() for key in line.also} == {
        "hook_p50_ms": 50,
        "hook_p99_ms": 250,
    }


def test_other_absolute_figures_are_said() -> None:
    """A floor or a ceiling that does not gate is `below` or `above`, a ratio gates."""
    assert verdict(_line(ceiling=1), {"k": 2}) == "above"
    assert verdict(_line(floor=1), {"k": 0.5}) == "below"
    assert verdict(_line(ratio=4, better="less"), {"k": 1, "k_peer": 3}) == "MISSED"
    assert verdict(_line(ratio=4, better="less"), {"k": 1, "k_peer": 4}) == "ok"


def test_every_peer_is_printed() -> None:
    """Also where no ratio must be reached."""
    assert "30 (3x)" in row(_line(better="less"), {"k": 10, "k_peer": 30}, 1)
    assert "k2 5, must be < 50" in row(_line(also={"k2": 50}), {"k": 10, "k2": 5}, 1)


@pytest.mark.parametrize(("figure", "code"), [(2.0, 1), (0.5, 0)])
def test_the_exit_code_says_what_was_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], figure: float, code: int
) -> None:
    """1 where a figure that gates was missed; what cannot be measured here is one line, no figure and no fault."""
    gone = _line(key="gone", lacking=lambda: "no real Odoo", run=lambda: pytest.fail("it was run"))
    line = _line(ceiling=1, gates=True, run=lambda: {"k": figure})
    monkeypatch.setattr(bench, "BENCHMARKS", (gone, line))
    assert main(["gone", "k"]) == code
    said = capsys.readouterr().out
    assert "gone                           NOT MEASURED: no real Odoo" in said
    assert ("MISSED" in said) == bool(code)
