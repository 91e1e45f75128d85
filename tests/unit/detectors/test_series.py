"""Reading series: what is judged, and that nothing is missed."""

from pathlib import Path

import pytest

from detectors.series import OVERLAP, Reading, series
from exporter.store import open_reader
from tests.fakes.watched import ACME, APART, DURATION, T0, Place, numbers


@pytest.mark.parametrize(
    ("name", "detector", "workflow"),
    [
        ("cron.duration/base.autovacuum_job", "outlier.duration", "base.autovacuum_job"),
        ("cron.delay/7", "outlier.delay", "7"),
        ("job.duration/root.mail/x", "outlier.duration", "root.mail/x"),
        ("job.delay/root", "outlier.delay", "root"),
    ],
)
def test_names_say_what_a_series_is_about(name: str, detector: str, workflow: str) -> None:
    """Kind and number choose the detector, the rest is the subject."""
    found = series(name)

    assert found is not None
    assert (found.detector, found.workflow, found.is_delay) == (detector, workflow, "delay" in detector)


@pytest.mark.parametrize("name", ["record.duration/purchase", "finding.duration/x", "cron.rows/x", "nonsense", ""])
def test_others_are_left_alone(name: str) -> None:
    """Business workflows take days, and Findings are no workflow."""
    assert series(name) is None


def test_every_number_is_read_once(tmp_path: Path) -> None:
    """First all of them, then what is new, also where it lies before what was read."""
    place, reading, found = Place(tmp_path / "s.db"), Reading(ACME, DURATION), numbers([1.0, 2.0, 3.0, 4.0])
    place.add([found[0], found[2]])
    reader = open_reader(place.path)

    assert reading.fresh(reader, T0) == [found[0], found[2]]
    assert reading.fresh(reader, T0) == []
    place.add([found[1], found[3]])
    assert APART < OVERLAP
    assert reading.fresh(reader, T0) == [found[1], found[3]]
    assert reading.fresh(reader, T0) == []


def test_only_what_ended_after_the_first_start_is_live(tmp_path: Path) -> None:
    """History teaches; without a first start everything is history (decision 6)."""
    place, found = Place(tmp_path / "s.db"), numbers([1.0, 2.0, 3.0])
    place.add(found)
    reader = open_reader(place.path)

    assert [one.live for one in Reading(ACME, DURATION).fresh(reader, found[1].at)] == [False, True, True]
    assert not any(one.live for one in Reading(ACME, DURATION).fresh(reader, None))
