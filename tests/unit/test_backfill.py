"""How far the past is read is said honestly: shares of what was counted, all only when all is read and folded."""

import io
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from exporter.backfill import FEW, SAID, Backfill, look
from exporter.clock import StepClock
from exporter.domain.counted import Counted
from exporter.screen import Screen
from exporter.store.entries import PollReport

T0 = datetime(2026, 3, 1, tzinfo=UTC)
JOBS, CRONS, N8N = "odoo/jobs", "odoo/crons", "n8n/executions"


@dataclass(slots=True)
class Kept:
    """What a Reader would say of one database."""

    parts: list[tuple[str, Counted]] = field(default_factory=list)
    behind: set[str] = field(default_factory=set)
    asked: tuple[str, ...] = (JOBS, CRONS)
    waiting: int = 0

    def reports(self, _tenant: str) -> list[tuple[PollReport, datetime | None]]:
        """See Reader."""
        until = {name: None if name in self.behind else T0 for name in self.asked}
        each = (
            PollReport(source=name, began_at=T0, seconds=0.1, ok=True, read_until=mark) for name, mark in until.items()
        )
        return [(one, T0) for one in each]

    def counted(self, _tenant: str) -> list[tuple[str, Counted]]:
        """See Reader."""
        return self.parts

    def lag(self, _tenant: str, _consumer: str) -> tuple[int, datetime | None]:
        """See Reader."""
        return self.waiting, None


def _shown(kept: Kept, screen: Screen | None = None, clock: StepClock | None = None) -> Backfill:
    expected = {"acme": frozenset({JOBS, CRONS})}
    return Backfill(reader=kept, expected=lambda: expected, clock=clock or StepClock(T0), screen=screen)  # type: ignore[arg-type]


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_share_is_of_rows_counted_in_all_sources() -> None:
    """Rows read of rows counted over every part; before each Source was asked nothing is said: the sum is not known."""
    kept = Kept(parts=[(JOBS, Counted(read=1000, of=4000)), (CRONS, Counted(read=1000, of=1000))], behind={JOBS})
    found = look(kept, "acme", {JOBS, CRONS})  # type: ignore[arg-type]
    assert found is not None
    assert (found.part, found.reading) == (0.4, True)
    assert found.words == "history of acme: 2,000 of 5,000 rows read"
    assert look(kept, "acme", {JOBS, CRONS, N8N}) is None  # type: ignore[arg-type]


def test_all_is_said_only_when_all_is_folded() -> None:
    """What is read and not folded is 99 % at most, and how much waits is said."""
    kept = Kept(parts=[(JOBS, Counted(read=4000, of=4000))], waiting=FEW)
    found = look(kept, "acme", {JOBS})  # type: ignore[arg-type]
    assert found is not None
    assert (found.part, found.over) == (0.99, False)
    assert found.words.endswith("4,000 of 4,000 rows read, 1,000 events to fold")
    kept.waiting = FEW - 1
    found = look(kept, "acme", {JOBS})  # type: ignore[arg-type]
    assert found is not None
    assert (found.part, found.over) == (1.0, True)


def test_what_is_not_counted_is_named_and_in_no_share() -> None:
    """n8n's past, or rows that Odoo did not count, add nothing to the share and keep it from being all."""
    parts = [(JOBS, Counted(read=4000, of=4000)), (CRONS, Counted(read=500))]
    kept = Kept(parts=parts, behind={N8N, CRONS}, asked=(JOBS, CRONS, N8N))
    found = look(kept, "acme", {JOBS, CRONS, N8N})  # type: ignore[arg-type]
    assert found is not None
    assert (found.part, found.reading) == (0.99, True)
    assert (
        found.words == "history of acme: 4,000 of 4,000 rows read, odoo/crons: not counted, n8n/executions: not counted"
    )


def test_a_short_past_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    """Where one page held everything there is no bar and no line, and no later backlog makes one."""
    caplog.set_level(logging.INFO)
    kept, stream = Kept(), io.StringIO()
    shown = _shown(kept, Screen(stream))
    shown.step()
    kept.behind = {JOBS}
    kept.parts = [(JOBS, Counted(read=1, of=2))]
    shown.step()
    assert (_said(caplog), stream.getvalue()) == ([], "")


def test_without_a_terminal_there_is_a_line_a_tenth(caplog: pytest.LogCaptureFixture) -> None:
    """A log gets lines with share and rows: one a tenth, one after a while where it is slow, one at the end; no bar."""
    caplog.set_level(logging.INFO)
    kept, clock = Kept(behind={JOBS}), StepClock(T0)
    shown = _shown(kept, clock=clock)
    for read in range(0, 1001, 10):
        kept.parts = [(JOBS, Counted(read=read, of=1000))]
        kept.behind = {JOBS} if read < 1000 else set()
        shown.step()
        shown.step()
    said = _said(caplog)
    assert len(said) == 11
    assert said[5] == "history of acme: 500 of 1,000 rows read, 50%"
    assert said[-1] == "history of acme: 1,000 of 1,000 rows read: all of it"
    assert {"database": "acme", "read": 500, "of": 1000}.items() <= vars(caplog.records[5]).items()


def test_a_slow_past_is_spoken_of_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """Hours within one tenth are not silent."""
    caplog.set_level(logging.INFO)
    kept, clock = Kept(behind={JOBS}, parts=[(JOBS, Counted(read=1, of=1000))]), StepClock(T0)
    shown = _shown(kept, clock=clock)
    for _ in range(int(SAID) * 2):
        shown.step()
        clock.step(1)
    assert len(_said(caplog)) == 2


def test_on_a_terminal_there_is_a_bar_and_at_the_end_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """A bar while it lasts, gone at its end; the log says the end and nothing before."""
    caplog.set_level(logging.INFO)
    kept, stream = Kept(parts=[(JOBS, Counted(read=500, of=1000))], behind={JOBS}), io.StringIO()
    shown = _shown(kept, Screen(stream))
    shown.step()
    assert "██████████████··············  50%  history of acme: 500 of 1,000 rows read\n" in stream.getvalue()
    assert _said(caplog) == []
    kept.parts, kept.behind = [(JOBS, Counted(read=1000, of=1000))], set()
    shown.step()
    shown.step()
    assert stream.getvalue().endswith("\x1b[1A\x1b[J")
    assert _said(caplog) == ["history of acme: 1,000 of 1,000 rows read: all of it"]
