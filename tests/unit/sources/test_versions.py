"""What each version shows: the table, and the sentences for what it does not."""

import pytest

from exporter.errors import SourceDown
from exporter.sources.odoo.connect import doorless, version_through
from exporter.sources.odoo.versions import OLDEST, VERSIONS, Version, named, shows, unseen, verified
from tests.fakes.odoo import ACCESS, FakeDoor
from tests.fakes.odoo_lab import lab
from tests.fakes.odoo_versions import PROFILES


@pytest.mark.parametrize("major", PROFILES)
def test_the_table_agrees_with_the_facts(major: int) -> None:
    """What is asked of a version is what the facts pages say that it has (feature 52)."""
    found, profile = shows((major, 0)), PROFILES[major]
    assert found.progress == ("ir.cron.progress" not in profile.absent)
    assert found.triggers == ("ir.cron.trigger" not in profile.absent)
    assert (found.called == "ended") == profile.ended
    assert found.loads == profile.loads
    assert found.tracked not in profile.lacks["mail.tracking.value"]
    assert ("json2" in found.doors) == profile.json2
    assert found.webhooks == ("base_automation_id" not in profile.lacks.get("ir.actions.server", ()))


@pytest.mark.parametrize(
    ("version", "like"),
    [((13, 0), 14), ((8, 0), 14), ((99, 0), max(VERSIONS)), ((19, 0), 19)],
)
def test_unknown_versions_are_taken_for_the_nearest(version: Version, like: int) -> None:
    """Older than the oldest is the oldest, newer than the newest is the newest."""
    assert shows(version) == VERSIONS[like]
    assert min(VERSIONS) == OLDEST


def test_a_version_between_is_asked_for_what_comes() -> None:
    """saas~17.4 is 17 with what 18 brought: its own answers say which half is there."""
    assert shows((17, 4)).progress
    assert shows((17, 4)).doors == ("jsonrpc",)
    assert shows((17, 4)).called == "began"


def test_only_what_is_tested_is_verified() -> None:
    """19.0 has nothing to say; the others say that they are unverified, and what they do not show."""
    assert unseen((19, 0)) == ()
    assert verified((19, 0))
    for major in {*PROFILES} - {19}:
        said = unseen((major, 0))
        assert said[0].startswith(f"Odoo {major}.0 is unverified")
        assert not verified((major, 0))
    assert [len(unseen((major, 0))) for major in (14, 15, 16, 17, 18, 20)] == [5, 3, 3, 2, 1, 1]
    assert named((18, 2)) == "18.2"


def test_a_door_that_a_version_lacks_is_said() -> None:
    """One sentence that says what to set; `auto` always fits."""
    assert doorless("json2", (17, 0)) == "Odoo 17.0 has no json2: set door to jsonrpc, or leave it out."
    assert doorless("jsonrpc", (22, 0)) == "Odoo 22.0 has no jsonrpc: set door to json2, or leave it out."
    assert [doorless("auto", (major, 0)) for major in PROFILES] == [""] * len(PROFILES)
    with pytest.raises(SourceDown, match=r"Odoo 19\.0 has no xmlrpc"):
        version_through(FakeDoor(lab()), ACCESS, "xmlrpc")  # type: ignore[arg-type]
