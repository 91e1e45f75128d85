"""What the log says of runs laid over the same runs as polling shows them: the most exact words are told."""

from collections.abc import Container, Sequence
from datetime import datetime

from msgspec.structs import replace

from exporter.domain.runs import BAD
from exporter.fold.cron_lines import LOG, ROWS, SETTLE, Told, take_each
from exporter.fold.cron_results import Settled
from exporter.fold.cron_rows import Execution


def laid_over(
    settled: Sequence[Settled], found: Sequence[Execution], told: Sequence[Told], *, awaited: Container[str]
) -> tuple[list[Settled], dict[datetime, Told]]:
    """The settled runs with what the log says of them, and runs that only the log saw; and the Told of each, by start.

    Args:
        settled: runs as polling knows them, by start.
        found: all executions, also those still open.
        told: runs as the log tells them, by start.
        awaited: which of the log and ir.logging are expected to speak of every run.
    """
    free = list(told)
    lain: list[Settled] = []
    mine: dict[datetime, Told] = {}
    others = [one for one in found if not one.ended or not any(known.execution is one for known in settled)]
    spans = [(one.start, one.end if one.ended else None) for one in others]
    mine_spans = [(one.start, None if one.is_endless else one.end) for one in settled]
    lines = take_each(free, [*mine_spans, *spans])
    for one, line in zip(settled, lines, strict=False):
        whole = _exact(one, line) if line else one
        lain.append(replace(whole, known_at=whole.known_at + SETTLE) if _waits(line, awaited) else whole)
        if line:
            mine[whole.start] = line
    for line in free:
        if line.end is not None:
            alone = _alone(line, settled)
            lain.append(alone)
            mine[alone.start] = line
    return sorted(lain, key=lambda one: (one.start, one.end)), mine


def _waits(line: Told | None, awaited: Container[str]) -> bool:
    """Whether a better witness than those that spoke is to come."""
    if LOG in awaited:
        return line is None or line.end is None or line.source != LOG
    return ROWS in awaited and (line is None or line.end is None)


def _exact(one: Settled, line: Told) -> Settled:
    """The run with the log's times and result; a line that began it and none that ended it says its start alone."""
    if line.end is None:
        end = max(one.end, line.start)
        why = line.failure if one.result in BAD else None
        exact = line.source == LOG
        return replace(one, start=line.start, end=end, failure=why, polled_at=one.start, is_lined=True, is_exact=exact)
    result = line.result or one.result
    return replace(
        one,
        start=line.start,
        end=max(line.end, line.start),
        result=result,
        failure=line.failure if result in BAD else None,
        known_at=max(one.known_at, line.end),
        counted=result not in {"error", "partial"},
        polled_at=one.start,
        is_lined=True,
        is_exact=line.source == LOG,
        is_endless=False,
    )


def _alone(line: Told, settled: Sequence[Settled]) -> Settled:
    """A run that only the log saw: polling is waited for, it may have rows that were not read yet."""
    end = line.end or line.start
    before = [one for one in settled if one.start <= line.start]
    return Settled(
        execution=None,
        start=line.start,
        end=max(end, line.start),
        result=line.result or "unknown",
        known_at=end + SETTLE,
        counted=True,
        row=before[-1].row if before else None,
        failure=line.failure if line.result in BAD else None,
        is_lined=True,
        is_exact=line.source == LOG,
    )
