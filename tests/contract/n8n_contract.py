"""What every door to n8n promises, whatever stands behind it: the fake here, the real n8n in tests/stack_n8n.

The functions take a door to an n8n that holds, of the workflows in tests/data/n8n, a success, an execution whose HTTP
node got an error, one whose failing node was ignored, and one that waits for a call.
"""

from collections.abc import Iterator

from exporter.sources.n8n.door import N8nDoor
from exporter.sources.n8n.listing import listing_of
from exporter.sources.n8n.parsing import ONGOING, wants_words
from exporter.sources.n8n.rows import Detail, Listed, Page

CALM = ("success", "error", "waiting")


def every(door: N8nDoor, status: str = "") -> Iterator[Listed]:
    """Every execution of a state."""
    cursor: str | None = ""
    while cursor is not None:
        page: Page = door.executions(status, cursor)
        yield from listing_of(page).rows
        cursor = page.next_cursor


def details(door: N8nDoor, status: str) -> Iterator[Detail]:
    """Every execution of a state, redacted."""
    for row in every(door, status):
        detail = door.execution(row.number)
        if detail is not None:
            yield detail


def newest_come_first(door: N8nDoor) -> None:
    """Pages go back in time, and no id comes twice."""
    numbers = [row.number for row in every(door)]
    assert numbers
    assert numbers == sorted(set(numbers), reverse=True)


def states_are_filtered(door: N8nDoor) -> None:
    """A list of one state holds no other; the list of all holds nothing that runs."""
    for status in CALM:
        found = [row.status for row in every(door, status)]
        assert found
        assert set(found) == {status}
    assert {row.status for row in every(door)} & (ONGOING - {"waiting"}) == set()


def details_say_more_than_lists(door: N8nDoor) -> None:
    """Nodes with times, the workflow's name; and where nobody asked for data, none."""
    for detail in details(door, "success"):
        assert detail.data is not None
        assert detail.data.result_data is not None
        assert detail.workflow_data is not None
        assert detail.workflow_data.name
        bare = door.execution(detail.number, data=False)
        assert bare is not None
        assert (bare.data, bare.status) == (None, "success")


def redaction_takes_the_words(door: N8nDoor) -> None:
    """An error keeps its class and code; its words, and what was ignored, show only in the unredacted answer."""
    for detail in details(door, "error"):
        assert detail.data is not None
        assert detail.data.result_data is not None
        assert detail.data.result_data.error is None
        assert detail.data.result_data.redacted_error is not None
        whole = door.execution(detail.number, whole=True)
        assert whole is not None
        assert whole.data is not None
        assert whole.data.result_data is not None
        assert whole.data.result_data.error is not None
    assert [detail for detail in details(door, "success") if wants_words(detail)]


def what_waits_can_be_resumed(door: N8nDoor) -> None:
    """A parked node says that somebody has to call."""
    for detail in details(door, "waiting"):
        assert detail.data is not None
        assert detail.data.result_data is not None
        entries = [entry for runs in detail.data.result_data.run_data.values() for entry in runs]
        parked = [entry for entry in entries if entry.execution_status == "waiting"]
        assert [entry for entry in parked if entry.metadata is not None and entry.metadata.is_resumable]


def absent_ones_are_none(door: N8nDoor) -> None:
    """An id that is not there is nothing, and no error."""
    assert door.execution(999_999_999) is None


def workflows_have_names(door: N8nDoor) -> None:
    """By id."""
    names = door.workflows()
    assert all(names.get(str(row.workflow_id)) for row in every(door))


CHECKS = (
    newest_come_first,
    states_are_filtered,
    details_say_more_than_lists,
    redaction_takes_the_words,
    what_waits_can_be_resumed,
    absent_ones_are_none,
    workflows_have_names,
)
