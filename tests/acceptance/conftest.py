"""What most acceptance tests begin with: an Odoo that lives, its server, a Collector."""

from collections.abc import Iterator

import pytest

from tests.fakes.collector import FakeCollector
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab


@pytest.fixture
def odoo() -> LiveOdoo:
    """A database whose clock runs."""
    return live_lab(running=True)


@pytest.fixture
def server(odoo: LiveOdoo) -> Iterator[LiveServer]:
    """It answers."""
    with LiveServer(odoo) as serving:
        yield serving


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    """A Collector that says yes until told otherwise."""
    with FakeCollector() as running:
        yield running
