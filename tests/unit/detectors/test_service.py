"""Rounds: from the store to the intake, once, whatever happens in between."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag

import numpy as np
import pytest

from detectors import outliers
from detectors.service import Detecting
from exporter.clock import StepClock
from exporter.domain.bodies import DetectorsBeat, FindingClosed, FindingSeen
from exporter.errors import Refused, SourceDown, StoreError
from tests.fakes.watched import ACME, LABEL, T0, KeptEvents, Place, numbers, ordinary

NOW = T0 + timedelta(days=10)
SENTENCE = (
    "Base: Auto-vacuum took 12.0 s; usually 2.1 to 3.9 s (median 3.0 s, learned from 100 runs): 4.0 times the median."
)


@dataclass
class Lab:
    """A store, an intake, and detectors that can be started again."""

    place: Place
    intake: KeptEvents
    stopping: Flag

    def detecting(self) -> Detecting:
        """A new process."""
        clock = StepClock(NOW)
        return Detecting(store=self.place.path, intake=self.intake, clock=clock, stopping=self.stopping)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A scheduled action with 100 ordinary runs, connected after the first of them."""
    place = Place(tmp_path / "store.db")
    place.start(T0 + timedelta(hours=1))
    place.add(numbers(ordinary()))
    return Lab(place, KeptEvents(), Flag())


def test_a_slow_run_is_one_finding_with_a_sentence(lab: Lab) -> None:
    """12 s after 100 runs of 2 to 4 s: exactly one Finding, naming duration and band (features 9, 44)."""
    lab.place.add(numbers([12.0], start=100))
    lab.detecting().round()
    (event,) = lab.intake.findings()

    assert (event.name, event.source, event.at) == (
        "finding.opened",
        "detectors/findings",
        numbers([0], start=100)[0].at,
    )
    assert event.key == f"outlier.duration/cron.duration/{LABEL}/cron/7#100/opened"
    assert isinstance(event.body, FindingSeen)
    assert event.body.sentence == SENTENCE
    assert (event.body.subject, event.body.name, event.body.example) == (LABEL, "Base: Auto-vacuum", "cron/7#100")
    assert (event.body.model, event.body.record_id, event.body.severity) == ("ir.cron", "7", "warning")


def test_without_pyod_there_is_none(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Finding comes from PyOD's scores: made constant, they find nothing (negative control)."""
    monkeypatch.setattr(outliers, "scores", lambda _, new: np.zeros(new.size))
    lab.place.add(numbers([12.0], start=100))
    lab.detecting().round()

    assert lab.intake.findings() == []


def test_a_restart_repeats_nothing(lab: Lab) -> None:
    """Another process says what the first said, under the same keys, and goes on where it was (R3)."""
    lab.place.add(numbers([12.0, 13.0], start=100))
    lab.detecting().round()
    before = dict(lab.intake.events)
    lab.detecting().round()
    assert lab.intake.events == before
    lab.place.add(numbers([3.0, 3.0, 3.0], start=102))
    lab.detecting().round()

    assert [one.name for one in lab.intake.findings()] == ["finding.opened", "finding.updated", "finding.closed"]
    assert isinstance(lab.intake.findings()[-1].body, FindingClosed)


def test_round_by_round_is_all_at_once(lab: Lab) -> None:
    """How the numbers are spread over rounds changes no Event."""
    found = numbers([12.0, 3.0, 13.0, 3.0, 3.0, 3.0, 40.0], start=100)
    slow, detecting = KeptEvents(), lab.detecting()
    detecting.intake = slow
    for one in found:
        lab.place.add([one])
        detecting.round()
    lab.detecting().round()

    assert slow.findings() == lab.intake.findings()
    assert len(slow.findings()) == 4


def test_a_finding_of_which_nothing_is_seen_any_more_is_closed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart that no longer sees why a Finding is open closes it, once; Findings of others are left alone."""
    row = ("finding", LABEL, "outlier.duration", 1, T0)
    others = [("finding", LABEL, "schedule.late", 1, T0), ("cron", LABEL, "running", 1, T0)]
    monkeypatch.setattr("exporter.store.reading.SqliteReader.open_runs", lambda *_: [row, *others])
    for _ in range(2):
        lab.detecting().round()
    (event,) = lab.intake.findings()

    assert isinstance(event.body, FindingClosed)
    assert (event.body.detector, event.body.subject) == ("outlier.duration", LABEL)
    assert event.at > numbers([0], start=99)[0].at


def test_a_late_number_finds_its_place(lab: Lab) -> None:
    """Of two slow runs the later one comes first into the store: the story is that of time."""
    one, two, three = numbers([3.0, 12.0, 3.1], start=100)
    detecting = lab.detecting()
    lab.place.add([three])
    detecting.round()
    lab.place.add([one, two])
    detecting.round()

    assert [found.key.rsplit("/", 1)[0][-10:] for found in lab.intake.findings()] == ["cron/7#101"]


def test_history_that_comes_later_is_read(lab: Lab) -> None:
    """A backlog lies far behind what was read: after a minute everything is read again, and taught."""
    detecting = lab.detecting()
    detecting.round()
    lab.place.series = "cron.duration/other"
    lab.place.add(numbers([3.0], start=200))
    detecting.round()
    lab.place.add(numbers(ordinary(), live=False))
    detecting.round()
    detecting.clock.wait(Flag(), 61)
    detecting.round()
    beat = [one.body for one in lab.intake.events.values() if isinstance(one.body, DetectorsBeat)][-1]

    assert (beat.series, beat.judged) == (2, 2)


def test_every_minute_has_its_heartbeat(lab: Lab) -> None:
    """Two rounds in a minute are one Event, the next minute is another; it says what could be judged."""
    detecting = lab.detecting()
    for _ in range(7):
        detecting.round()
        detecting.clock.wait(Flag(), 10)
    beats = [one for one in lab.intake.events.values() if one.name == "detectors.series.judged"]

    assert [one.key for one in beats] == ["judged/2026-03-12T08:00", "judged/2026-03-12T08:01"]
    assert isinstance(beats[0].body, DetectorsBeat)
    assert (beats[0].body.series, beats[0].body.judged) == (1, 1)


def test_the_heartbeat_says_what_was_learned_from(lab: Lab) -> None:
    """How many numbers each detector has, and when the newest ended: one that learns no more shows (feature 69)."""
    detecting = lab.detecting()
    detecting.round()
    (beat,) = [one.body for one in lab.intake.events.values() if isinstance(one.body, DetectorsBeat)]

    assert [(one.detector, one.samples) for one in beat.learned] == [("outlier.duration", len(ordinary()))]
    assert beat.learned[0].newest == max(number.at for number in numbers(ordinary(), live=False))


def test_an_exporter_that_is_away_is_waited_for(lab: Lab) -> None:
    """Nothing is lost, and the pauses grow."""
    lab.place.add(numbers([12.0], start=100))
    lab.intake.faults += [SourceDown("away")] * 4
    detecting = lab.detecting()
    detecting.round()

    assert len(lab.intake.findings()) == 1
    assert detecting.clock.monotonic() == 1 + 2 + 4 + 8


def test_refused_events_are_counted(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """What the intake does not take is logged once and counted; a minute later everything is said again."""
    lab.place.add(numbers([12.0], start=100))
    lab.intake.faults += [Refused(400, "no such tenant")] * 2
    detecting = lab.detecting()
    detecting.round()
    detecting.round()
    assert (detecting.refused, caplog.text.count("no such tenant"), lab.intake.findings()) == (3, 1, [])
    detecting.clock.wait(Flag(), 61)
    detecting.round()

    assert len(lab.intake.findings()) == 1


def test_a_store_that_comes_later_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Started before the exporter, they wait, and say so once."""
    place, intake = Place(tmp_path / "store.db"), KeptEvents()

    @dataclass
    class Until(StepClock):
        """Makes the store at the third wait and ends everything at the fifth."""

        waits: int = 0

        def wait(self, flag: Flag, seconds: float) -> bool:
            self.waits += 1
            if self.waits == 3:
                place.start(T0)
            if self.waits == 5:
                flag.set()
            return super().wait(flag, seconds)

    clock = Until(NOW)
    Detecting(store=place.path, intake=intake, clock=clock, stopping=Flag()).run()

    assert caplog.text.count("there is no store") == 1
    assert [tenant for tenant, _ in intake.events] == [ACME]


def test_a_store_that_fails_in_a_round_loses_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read and not reported is found again."""
    lab.place.add(numbers([12.0], start=100))
    detecting = lab.detecting()

    def broken(*_: object) -> None:
        monkeypatch.undo()
        raise StoreError("the disk hums")

    monkeypatch.setattr("exporter.store.reading.SqliteReader.trace", broken)
    detecting.clock = _Rounds(NOW, stopping=lab.stopping)
    detecting.run()

    assert len(lab.intake.findings()) == 1


@dataclass
class _Rounds(StepClock):
    """Ends after three rounds."""

    stopping: Flag = None  # type: ignore[assignment]
    left: int = 3

    def wait(self, flag: Flag, seconds: float) -> bool:
        """Counts down."""
        self.left -= 1
        if self.left == 0:
            self.stopping.set()
        return super().wait(flag, seconds)
