"""Runs and traces as text for a terminal: pure, and safe to print whatever stands in a name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TextIO

from exporter.domain.redact import plain
from exporter.domain.tenants import Tenant
from exporter.domain.told import Span
from exporter.fold.tell import decode_run, redraw
from exporter.screen import BAR, MARK, bar
from exporter.store.entries import RunRow

TENTHS = 10
NAME = 44
TITLE = ("STARTED (UTC)", "TOOK", "RESULT", "DATABASE", "WORKFLOW", "TRACE", "RUN")
FINDING_TITLE = ("SINCE (UTC)", "CLOSED (UTC)", "DATABASE", "SEVERITY", "DETECTOR", "NAME", "TRACE", "WHAT")
SENTENCE = 1000
_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_TENTH, _MINUTE = 0.1, 60


def took(duration: timedelta | None) -> str:
    """A duration in the two units that matter: `850 ms`, `12.3 s`, `3 h 20 min`; `open` for None."""
    if duration is None:
        return "open"
    seconds = duration.total_seconds()
    if seconds < _MINUTE:
        return f"{seconds * 1000:.0f} ms" if seconds < _TENTH else f"{seconds:.1f} s"
    size, unit, small, part = next(line for line in _UNITS if seconds >= line[0])
    return f"{seconds // size:.0f} {unit} {seconds % size // small:.0f} {part}"


def when(at: datetime) -> str:
    """A time to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%S")


def run_fields(tenant: str, run: RunRow) -> dict[str, object]:
    """A Run as plain values, for JSON."""
    return {
        "run": run.id,
        "database": tenant,
        "kind": run.kind,
        "workflow": run.workflow,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "seconds": (run.ended_at - run.started_at).total_seconds() if run.ended_at else None,
        "result": run.result,
        "origin": run.origin,
        "trace_id": run.trace_id.hex(),
    }


def finding_fields(tenant: str, row: RunRow) -> dict[str, str]:
    """A Finding as plain values; `closed_at` is "" while it is open."""
    run = decode_run(row.body)
    said = {name: str(value) for name, value in run.attributes}
    return {
        "database": tenant,
        "severity": said.get("odoo.finding.severity", ""),
        "detector": said.get("odoo.finding.detector", ""),
        "name": run.title or row.workflow,
        "since": said.get("odoo.finding.since", row.started_at.isoformat()),
        "closed_at": row.ended_at.isoformat() if row.ended_at else "",
        "sentence": said.get("odoo.finding.sentence", ""),
        "subject": row.workflow,
        "trace_id": row.trace_id.hex(),
        "run": row.id,
    }


def findings_table(found: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """The lines of a table of Findings (finding_fields), the sentence last: it may be long."""
    return _table([FINDING_TITLE, *map(_finding_row, found)])


def _finding_row(found: Mapping[str, str]) -> tuple[str, ...]:
    times = (when(datetime.fromisoformat(at)) if at else "open" for at in (found["since"], found["closed_at"]))
    words = (plain(found[name], NAME) for name in ("database", "severity", "detector", "name"))
    return (*times, *words, found["trace_id"][:12], plain(found["sentence"], SENTENCE))


def runs_table(found: Iterable[tuple[str, RunRow]]) -> Iterator[str]:
    """The lines of a table of Runs."""
    return _table([TITLE, *(_row(tenant, run) for tenant, run in found)])


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _row(tenant: str, run: RunRow) -> tuple[str, ...]:
    ended = run.ended_at - run.started_at if run.ended_at else None
    names = (plain(name, NAME) for name in (tenant, run.workflow))
    return (when(run.started_at), took(ended), run.result or "open", *names, run.trace_id.hex()[:12], plain(run.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What the bars are drawn in: the time from the first start to the last end of a trace."""

    start: datetime
    length: timedelta

    def bar(self, span: Span) -> str:
        """Where in the window the span lies, an open one up to its end; at least one mark."""
        whole = self.length.total_seconds() or 1
        left = min(int((span.started_at - self.start).total_seconds() / whole * BAR), BAR - 1)
        end = self.start + self.length if _is_open(span) else span.ended_at
        width = max(1, round((end - span.started_at).total_seconds() / whole * BAR))
        return (" " * left + MARK * min(width, BAR - left)).ljust(BAR)


def trace(found: Sequence[tuple[str, RunRow]]) -> Iterator[str]:
    """The lines of one trace: what it is, then its tree. Its Runs are told again, as when they closed."""
    tenant, first = found[0]
    runs = f"{len(found)} run" + "s" * (len(found) > 1)
    yield f"trace {first.trace_id.hex()}  {plain(tenant)}  {when(first.started_at)} UTC  {runs}"
    # Only the tree is drawn, no id is printed: so the tenant's uuid, which is not stored here, does not matter.
    spans = [span for name, run in found for span in redraw(run.body, Tenant(name=name, database=name, uuid="")).spans]
    yield from tree(spans)


def tree(spans: Sequence[Span]) -> Iterator[str]:
    """One trace as a tree: name, bar, duration, result, what was waited for, what went wrong.

    A span whose parent is not among them stands at the top. The order is that of their starts.
    """
    start = min(span.started_at for span in spans)
    window = _Window(start=start, length=max(span.ended_at for span in spans) - start)
    known = {span.span_id for span in spans}
    children: dict[bytes, list[Span]] = {}
    for span in sorted(spans, key=lambda one: (one.started_at, one.ended_at, one.span_id)):
        children.setdefault(span.parent_id if span.parent_id in known else b"", []).append(span)
    for root in children.get(b"", ()):
        yield from _branch(root, children, window, indent=("", ""))


def _branch(
    span: Span, children: Mapping[bytes, Sequence[Span]], window: _Window, *, indent: tuple[str, str]
) -> Iterator[str]:
    first, rest = indent
    label = plain(f"{first}{span.name}", NAME).ljust(NAME)
    duration = None if _is_open(span) else span.ended_at - span.started_at
    yield f"{label} {window.bar(span)} {took(duration):>12}  {_outcome(span)}".rstrip()
    below = children.get(span.span_id, ())
    yield from (f"{rest}{'│' if below else ' '}  → {_link(link.attributes)}" for link in span.links)
    for number, child in enumerate(below, start=1):
        last = number == len(below)
        marks = (rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
        yield from _branch(child, children, window, indent=marks)


def _is_open(span: Span) -> bool:
    """A root without a result: its Run is going on."""
    return not span.parent_id and "odoo.run.result" not in dict(span.attributes)


def _outcome(span: Span) -> str:
    said = dict(span.attributes)
    wait = said.get("odoo.wait.kind")
    parts = (said.get("odoo.run.result", ""), f"wait: {wait}" if wait else "", span.error)
    return "  ".join(plain(str(part), 100) for part in parts if part)


def _link(attributes: Iterable[tuple[str, object]]) -> str:
    return "linked: " + plain(str(dict(attributes).get("odoo.link.reason", "another trace")))


@dataclass(slots=True)
class Progress:
    """A progress bar on a stream: redrawn in place on a terminal, elsewhere a line for every tenth."""

    stream: TextIO
    tenths: int = -1

    def show(self, part: float, words: str) -> None:
        """How much is done (0 to 1), and of what; words after the end stand on a line of their own."""
        tenths, ended = int(part * 10), self.tenths >= TENTHS
        line = plain(words) if ended else bar(part, words)
        if self.stream.isatty() and not ended:
            self.stream.write(f"\r{line}\x1b[K" + "\n" * (part >= 1))
        elif ended or tenths > self.tenths:
            self.stream.write(line + "\n")
        self.tenths = max(tenths, self.tenths)
        self.stream.flush()
