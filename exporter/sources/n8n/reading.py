"""One poll of n8n in the making: what is listed, what is read in detail, what is said of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from exporter.domain.bodies import ExecutionSeen
from exporter.domain.events import Event
from exporter.domain.times import from_micros
from exporter.errors import BadRecord, SourceDown, SourceRefused
from exporter.sources.n8n.door import N8nDoor, Unsupported
from exporter.sources.n8n.kin import TRIES, Kin, Memory, N8nOptions
from exporter.sources.n8n.listing import Listing, listing_of
from exporter.sources.n8n.marks import BLIND, GRACE, Marks, missing
from exporter.sources.n8n.parsing import FINAL, ONGOING, detailed, listed, wants_words
from exporter.sources.n8n.rows import Detail, Listed, Page
from exporter.sources.polling import Poll, RefusedRow

SOURCE = "n8n/executions"
LIVE_PAGES = 2  # of the newest executions walked in one poll; the rest is read page by page, behind everything else
OPEN_PAGES = 20  # of those that go on: 5,000 in each state
BEHIND = 10  # of more than those, as many are asked for in one poll
DETAILS = 50  # read in one poll, about 30 ms each: Odoo's polls wait meanwhile
RESTART = timedelta(seconds=10)  # no n8n is stopped and another one started within


class Reading:
    """Reads through the door and gathers what one Poll will say."""

    def __init__(self, door: N8nDoor, marks: Mapping[str, str], *, options: N8nOptions, memory: Memory) -> None:
        self._door, self._options = door, options
        self._before = dict(marks)
        self._marks = Marks(dict(marks))
        self._events: list[Event] = []
        self._refused: list[RefusedRow] = []
        self._missing: list[str] = []
        self._is_short, self._is_blind = False, False
        self._reached, self._behind = 0, list[int]()
        self.began_at = door.server_time()
        self._kin = Kin(door=door, options=options, memory=memory, began_at=self.began_at)

    def poll(self) -> Poll:
        """Read, and say what was read."""
        ongoing = [row for status in ("new", "running", "waiting") for row in self._all(status)]
        self.began_at = self._kin.began_at = (
            self._door.server_time()
        )  # by now n8n's own clock was heard; its lists are older than that
        self._walk(ongoing)
        if not self._marks.todo():
            self._walk_back()
        # What no list reached is asked for in turns, where there is room: only so is its end seen.
        self._marks.set_in_turn(self._behind, min(BEHIND, DETAILS - len(self._marks.todo())))
        self._read_details()
        more = not self._is_short and bool(self._marks.todo() or self._marks.past())
        changed = {key: mark for key, mark in self._marks.marks.items() if self._before.get(key) != mark}
        return Poll(
            began_at=self.began_at,
            events=tuple(self._events),
            mark_changes=changed | dict.fromkeys(self._before.keys() - self._marks.marks.keys()),
            more=more,
            refused=tuple(self._refused),
            missing=(*self._missing, *self._kin.missing),
            read_until=None if self._marks.todo() or self._marks.past() else self.began_at,
        )

    # --- what is listed

    def _all(self, status: str) -> Iterator[Listed]:
        """Every execution in a state that goes on."""
        cursor, rows = "", list[Listed]()
        for _ in range(OPEN_PAGES):
            try:
                page = self._door.executions(status, cursor)
            except Unsupported:
                self._is_blind = True
                self._missing.append(f"This n8n does not list {status} executions: they are seen when they are over.")
                return
            rows = self._listed(page).rows
            yield from rows
            if page.next_cursor is None:
                return
            cursor = page.next_cursor
        self._reached = max([self._reached, *(row.number for row in rows[-1:])])
        self._missing.append(f"More executions are {status} than a poll lists: the oldest are asked for in turns.")

    def _listed(self, page: Page) -> Listing:
        found = listing_of(page)
        for row, fault in found.faults:
            self._refuse(row, fault)
        return found

    def _walk(self, ongoing: list[Listed]) -> None:
        """The newest executions down to the lowest id that may still show, and whatever goes on."""
        gaps, high = self._marks.gaps(), self._marks.high
        floor = min([high, *(low - 1 for low, _ in gaps)])
        rows, cursor, newest, numbers = self._newest(floor)
        top = max([row.number for row in ongoing] + numbers, default=0)
        if newest is not None and top < high and self._is_another_database(newest):
            for number in self._marks.open():
                self._gone(number)  # nobody will ever say how those of the other database end
            self._marks.restart()
            gaps, high, floor = [], 0, 0
            rows, cursor, _, numbers = self._newest(floor)
        walked = numbers[-1] if cursor else floor + 1
        shown = {row.number: row for row in (*ongoing, *rows) if not self._is_old(row)}
        top = max([high, *numbers, *(row.number for row in ongoing)])
        for row in shown.values():
            self._look(row, is_new=row.number > high or any(low <= row.number <= last for low, last in gaps))
        self._lost(shown.keys())
        if high:  # at the first start nothing is missed: what n8n does not show then was not saved
            ranges = iter([*gaps, (max(high + 1, walked), top)])
            self._marks.set_gaps(missing(ranges, set(shown)), self.began_at, BLIND if self._is_blind else GRACE)
        if cursor and walked > high + 1:
            self._marks.set_past(high, cursor)
        self._marks.rise(top, self.began_at)

    def _newest(self, floor: int) -> tuple[list[Listed], str | None, Listed | None, list[int]]:
        """Rows above `floor`, newest first; the cursor where the walk broke off; the newest row there is; all ids."""
        found: list[Listed] = []
        numbers: list[int] = []
        newest: Listed | None = None
        cursor: str | None = ""
        for _ in range(LIVE_PAGES):
            page = self._door.executions("", cursor or "")
            shown = self._listed(page)
            newest = newest or next(iter(shown.rows), None)
            found += [row for row in shown.rows if row.number > floor]
            numbers += shown.numbers
            cursor = None if self._is_end(shown, floor) else page.next_cursor
            if cursor is None:
                break
        return found, cursor, newest, numbers

    def _is_end(self, shown: Listing, floor: int) -> bool:
        """Whether nothing is to be read behind a page."""
        old = bool(shown.rows) and self._is_old(shown.rows[-1])
        return old or not shown.numbers or shown.numbers[-1] <= floor

    def _is_another_database(self, newest: Listed) -> bool:
        """Whether n8n began again with its ids: its newest is one that was passed, and began well after that.

        One that began about then may have been passed by a higher one that is gone (an unsaved success); one that is
        known, or was missed, began when it came to it (n8n takes ids before it starts).
        """
        if newest.started_at is None or f"open/{newest.number}" in self._marks.marks:
            return False
        return newest.started_at > self._marks.high_at + RESTART and not self._marks.misses(newest.number)

    def _look(self, row: Listed, *, is_new: bool) -> None:
        """What a listed execution asks for: nothing, an Event, or that its details are read."""
        if row.status in ONGOING:
            if self._marks.is_told(row):
                return
            if row.status == "waiting":
                self._marks.set_todo(row.number)
            else:
                self._say_listed(row)
        elif is_new or f"open/{row.number}" in self._marks.marks:
            self._marks.set_todo(row.number)

    def _lost(self, shown: Iterable[int]) -> None:
        """What went on and is listed no more was over meanwhile, or is gone; but for what no list reached."""
        lost = self._marks.open().keys() - set(shown)
        for number in lost:
            if number >= self._reached:
                self._marks.set_todo(number)
        self._behind = sorted(one for one in lost if one < self._reached)

    def _walk_back(self) -> None:
        """One page of what was there before."""
        past = self._marks.past()
        if past is None:
            return
        low, cursor = past
        try:
            page = self._door.executions("", cursor)
        except Unsupported as refused:  # the cursor of another version: what it led to cannot be found any more
            self._refuse(f"below {cursor}"[:80], f"n8n does not take its own cursor any more: {refused}")
            self._marks.set_past(low, None)
            return
        shown = self._listed(page)
        for row in shown.rows:
            if row.number > low and not self._is_old(row):
                self._look(row, is_new=True)
        self._marks.set_past(low, None if self._is_end(shown, low) else page.next_cursor)

    def _is_old(self, row: Listed) -> bool:
        """Whether it is older than what is read at all; what goes on never is."""
        since = self.began_at - timedelta(days=self._options.history_days)
        return row.status in FINAL and row.started_at is not None and row.started_at < since

    # --- what is read in detail

    def _read_details(self) -> None:
        for number, tries in list(self._marks.todo().items())[:DETAILS]:
            try:
                self._read_one(number, tries)
            except SourceRefused:
                raise  # a key that may list and not read: no execution will ever be told with it
            except SourceDown as down:
                self._is_short = True  # not tried again at once, and nothing else behind it
                self._refuse(str(number), str(down))
                return

    def _read_one(self, number: int, tries: int) -> None:
        """Read it, place it among its kin and say it; SourceDown leaves it to do."""
        try:
            detail = self._detail(number, tries)
        except BadRecord as bad:
            self._refuse(str(number), str(bad))
            self._marks.done(number)
            return
        except SourceDown:
            self._marks.set_todo(number, tries + 1)
            raise
        if detail is None:
            self._gone(number)
        else:
            self._say(detail)  # what fails in here is its kin: that counts its own tries
        self._marks.marks.pop(f"todo/{number}", None)

    def _detail(self, number: int, tries: int) -> Detail | None:
        detail = self._shown(number, data=tries < TRIES)
        if detail is not None and self._options.words and detail.status in FINAL and wants_words(detail):
            return self._whole(number) or detail
        return detail

    def _shown(self, number: int, *, data: bool) -> Detail | None:
        """The execution; where its data has another shape than n8n's has, that is counted and the rest is told."""
        try:
            return self._door.execution(number, data=data)
        except BadRecord as bad:
            if not data:
                raise
            self._refuse(str(number), str(bad))
            return self._door.execution(number, data=False)

    def _whole(self, number: int) -> Detail | None:
        """The same unredacted; None where it is not given out: that is counted, and the redacted answer must do."""
        try:
            return self._door.execution(number, whole=True)
        except (SourceDown, BadRecord) as why:
            self._refuse(str(number), f"Why something failed in it cannot be read: {why}")
            return None

    def _say(self, detail: Detail) -> None:
        number, final = detail.number, detail.status not in ONGOING
        if not final and self._marks.is_told(detail):
            return
        body = detailed(detail, self.began_at, reference=self._options.reference, native=self._options.native)
        self._kin.remember(body)
        body = replace(self._kin.placed(body), workflow=body.workflow or self._kin.name(body.workflow_id))
        if final:
            self._marks.done(number)
            self._emit("n8n.execution.finished", detail.status, body.stopped_at or body.started_at, body)
            return
        at = (body.stopped_at if detail.status == "waiting" else None) or body.started_at
        self._emit("n8n.execution.changed", self._state(detail, at), at, body)
        self._marks.set_open(detail, body.started_at)

    def _say_listed(self, row: Listed) -> None:
        body = listed(row, self._kin.name(str(row.workflow_id or "")), self.began_at)
        self._emit("n8n.execution.changed", self._state(row, body.started_at), body.started_at, body)
        self._marks.set_open(row, body.started_at)

    def _state(self, row: Listed, at: datetime) -> str:
        """The version in an Event's key: a state may come back (waiting, running, waiting)."""
        if row.status == "waiting":
            return f"waiting-{int(at.timestamp() * 1000)}"
        again = f"open/{row.number}" in self._marks.marks
        return f"{row.status}-{int(self.began_at.timestamp() * 1000)}" if again else row.status

    def _gone(self, number: int) -> None:
        """It was deleted: of one that went on that is its end, of one that was over nothing can be said any more."""
        before = self._marks.open().get(number)
        self._marks.done(number)
        if before is None:
            self._refuse(str(number), "The execution was deleted before it was read: read n8n more often.")
            return
        started = from_micros(before.started * 1000)
        body = ExecutionSeen(
            execution=str(number),
            workflow_id=before.workflow,
            workflow=self._kin.name(before.workflow),
            status="unknown",
            mode=before.mode,
            started_at=started,
            stopped_at=self.began_at,
        )
        self._emit("n8n.execution.finished", "unknown", self.began_at, body)

    def _emit(self, name: str, state: str, at: datetime, body: ExecutionSeen) -> None:
        key = f"{self._marks.epoch}/{SOURCE}/{body.execution}/{state}"
        event = Event(source=SOURCE, key=key, name=name, at=at, seen=self.began_at, precision=1000, body=body)
        self._events.append(event)

    def _refuse(self, row: str, reason: str) -> None:
        self._refused.append(RefusedRow(row=row, reason=reason))
