"""docs/ids.md on the Node that n8n itself runs on."""

from tests.stack.installs.n8n import node
from tests.unit.test_ids_page import EXPECTED, javascript


def test_the_code_node_gives_our_ids() -> None:
    """What the page says to paste into a Code node gives every test vector (features 77, 99)."""
    assert javascript(node()) == EXPECTED
