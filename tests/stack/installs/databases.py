"""Database templates: Odoo with the modules the tests need, and the same with the fixture company in it."""

import json
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stack.installs.cache import Install, digest, say
from tests.stack.installs.odoo import LAB_ADDONS, OCA, ODOO, VENV
from tests.stack.servers.odoo_program import OdooOptions, OdooProgram
from tests.stack.servers.postgres import Postgres

MODULES = "base_automation,rpc,queue_job,base_tier_validation,purchase,purchase_tier_validation,sale,otel_lab"
PEOPLE_MODULES = "hr_expense,hr_holidays"
LAB_CODE = Path(__file__).parent.parent / "inside_odoo" / "fixture_company.py"
PEOPLE_CODE = LAB_CODE.with_name("fixture_people.py")
QUIET = OdooOptions(cron_threads=0)
DUMP = "database.dump"
FILES = "filestore.tar"
FACTS = "lab.json"


@dataclass(frozen=True, slots=True)
class Template:
    """A database as files."""

    folder: Path

    def restore(self, postgres: Postgres, program: OdooProgram) -> None:
        """Make the database and the attachments of `program` from the files."""
        postgres.restore(program.db, self.folder / DUMP)
        self.unpack_files(program)

    def unpack_files(self, program: OdooProgram) -> None:
        """Make the attachments only; the database may be a copy made by `createdb`."""
        program.filestore.mkdir(parents=True)
        with tarfile.open(self.folder / FILES) as files:
            files.extractall(program.filestore, filter="data")

    def save(self, postgres: Postgres, program: OdooProgram) -> None:
        """Write the database and the attachments of `program` to the files."""
        postgres.dump(program.db, self.folder / DUMP)
        program.filestore.mkdir(parents=True, exist_ok=True)
        with tarfile.open(self.folder / FILES, "w") as files:
            files.add(program.filestore, ".")


@contextmanager
def _workshop() -> Iterator[tuple[Postgres, OdooProgram]]:
    """A cluster that lives as long as the template is made; under /tmp, where the user `postgres` may go."""
    folder = Path(tempfile.mkdtemp(prefix="odoo-template-"))
    folder.chmod(0o755)
    try:
        with Postgres(folder / "postgres") as postgres:
            yield postgres, OdooProgram(folder=folder, postgres_port=postgres.port, db="template", options=QUIET)
    finally:
        shutil.rmtree(folder)


def _tiny(place: Path) -> Mapping[str, str]:
    with _workshop() as (postgres, program):
        postgres.createdb(program.db)
        started = time.monotonic()
        program.run("server", "-i", MODULES, "--skip-auto-install", "--stop-after-init", "--no-http")
        say("odoo-tiny", f"initialised {MODULES}", started)
        Template(place).save(postgres, program)
    return {"modules": MODULES}


def _lab(place: Path) -> Mapping[str, str]:
    with _workshop() as (postgres, program):
        Template(TINY.place).restore(postgres, program)
        started = time.monotonic()
        _write_facts(place, program, LAB_CODE)
        say("odoo-lab", "made the fixture company", started)
        Template(place).save(postgres, program)
    return {}


def _people(place: Path) -> Mapping[str, str]:
    """The fixture company with expenses and time off: a database of its own, its modules slow all others down."""
    with _workshop() as (postgres, program):
        Template(LAB.place).restore(postgres, program)
        started = time.monotonic()
        program.run("server", "-i", PEOPLE_MODULES, "--skip-auto-install", "--stop-after-init", "--no-http")
        _write_facts(place, program, PEOPLE_CODE)
        say("odoo-people", f"initialised {PEOPLE_MODULES}", started)
        Template(place).save(postgres, program)
    return {"modules": PEOPLE_MODULES}


def _write_facts(place: Path, program: OdooProgram, code: Path) -> None:
    """What `build` of a file says of what it made."""
    printed = program.shell(code.read_text() + "\nimport json\nprint(json.dumps(build(env)))\n")
    (place / FACTS).write_text(json.dumps(json.loads(printed.splitlines()[-1]), indent=1) + "\n")


_ADDON = sorted(file for file in (LAB_ADDONS / "otel_lab").rglob("*") if file.suffix in {".py", ".csv"})
_INPUTS = (ODOO.version, VENV.version, OCA.version, MODULES, *(file.read_text() for file in _ADDON))
TINY = Install(
    name="odoo-tiny", version=digest(*_INPUTS), build=_tiny, needs=("postgresql", "odoo", "odoo-venv", "oca-addons")
)
LAB = Install(name="odoo-lab", version=digest(*_INPUTS, LAB_CODE.read_text()), build=_lab, needs=("odoo-tiny",))
PEOPLE = Install(
    name="odoo-people",
    version=digest(*_INPUTS, LAB_CODE.read_text(), PEOPLE_MODULES, PEOPLE_CODE.read_text()),
    build=_people,
    needs=("odoo-lab",),
)
