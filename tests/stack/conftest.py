"""Fixtures of the stack tests: the servers of one session, and labs of one test's own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stack import lab as labs
from tests.stack.installs.everything import ALL
from tests.stack.lab import Lab
from tests.stack.servers.alertmanager import Alertmanager
from tests.stack.servers.collector import Collector, Targets
from tests.stack.servers.jaeger import Jaeger
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres
from tests.stack.servers.prometheus import Prometheus

CONFIG = Path(__file__).parents[2] / "otel-collector.yaml"
# A second thread, woken a moment later, may find a partially done action ready again and run it at once.
ONE_THREAD = OdooOptions(cron_threads=1)
LabMaker = Callable[[OdooOptions | None], Lab]


def pytest_sessionstart() -> None:
    """Say in one sentence what is missing, instead of failing in every test."""
    missing = [install.name for install in ALL if not install.done]
    if missing:
        pytest.exit(f"not installed: {', '.join(missing)}; run `python tests/stack/install.py` first", returncode=2)


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[Path]:
    """A folder the user `postgres` may pass through; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="odoo-otel-stack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(stack_folder: Path) -> Path:
    """A fresh folder of one test."""
    path = Path(tempfile.mkdtemp(dir=stack_folder))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def postgres(stack_folder: Path) -> Iterator[Postgres]:
    """The cluster of the session, with the lab's database to copy from."""
    with Postgres(stack_folder / "postgres") as server:
        labs.prepare(server)
        yield server


@pytest.fixture(scope="session")
def lab(postgres: Postgres, stack_folder: Path) -> Iterator[Lab]:
    """The lab that tests share which neither stop it nor mind what others did in it."""
    with labs.running(postgres, stack_folder / "odoo", ONE_THREAD) as shared:
        yield shared


@pytest.fixture
def new_lab(postgres: Postgres, folder: Path) -> Iterator[LabMaker]:
    """Make labs of the test's own, to be killed and changed at will."""
    with ExitStack() as stack:
        count = iter(range(100))

        def make(options: OdooOptions | None = None) -> Lab:
            return stack.enter_context(labs.running(postgres, folder / f"odoo{next(count)}", options))

        yield make


@pytest.fixture(scope="session")
def jaeger(stack_folder: Path) -> Iterator[Jaeger]:
    """The Jaeger of the session."""
    with Jaeger(stack_folder / "jaeger") as server:
        yield server


@pytest.fixture(scope="session")
def prometheus(stack_folder: Path) -> Iterator[Prometheus]:
    """The Prometheus of the session, which takes OTLP and scrapes nothing."""
    with Prometheus(stack_folder / "prometheus") as server:
        yield server


@pytest.fixture(scope="session")
def alertmanager(stack_folder: Path) -> Iterator[Alertmanager]:
    """The Alertmanager of the session, which tells nobody."""
    with Alertmanager(stack_folder / "alertmanager") as server:
        yield server


@pytest.fixture(scope="session")
def collector(stack_folder: Path, jaeger: Jaeger, prometheus: Prometheus) -> Iterator[Collector]:
    """The Collector of the session with our configuration, sending to the session's Jaeger and Prometheus."""
    targets = Targets(jaeger=jaeger.otlp_grpc, prometheus=prometheus.otlp)
    with Collector(stack_folder / "collector", CONFIG, targets) as server:
        yield server
