"""`odoo-otel odoo-access` on the real Odoo 19: what it prints is applied, suffices, allows no write, and is undone."""

import os
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import FORBIDDEN, UNPROCESSABLE_ENTITY
from pathlib import Path
from typing import Any

import pytest

from exporter.checking import ask
from exporter.clock import SystemClock
from exporter.config import Database, Secret
from exporter.databases import options
from exporter.sources.odoo.door import JSON, Access
from exporter.sources.odoo.json2 import Json2Door
from exporter.sources.odoo.registry import odoo_sources
from tests.fakes.odoo import drained
from tests.stack.lab import Lab, company, running
from tests.stack.servers.odoo import Json2Error
from tests.stack.servers.odoo_program import OdooOptions
from tests.stack.servers.postgres import Postgres

LOGIN = "odoo-otel@example.com"
MADE = ("res_groups", "ir_model_access", "ir_rule", "res_users", "res_partner", "ir_model_data", "res_users_apikeys")
OPEN = {"tier.review"}  # base_tier_validation lets every internal user write it
IDLE = 12  # calls of one idle cycle of all collections (bench: idle_calls)


@dataclass(slots=True)
class Office:
    """A lab in which an administrator grants and undoes."""

    lab: Lab
    folder: Path

    def printed(self, *words: str) -> str:
        """What the command prints, without any configuration."""
        command = [Path(sys.executable).with_name("odoo-otel"), "odoo-access", *words]
        env = {"PATH": os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=60).stdout

    def administer(self, what: str, **env: str) -> str:
        """Run the printed program as the administrator."""
        program = self.folder / "access.py"
        program.write_text(self.printed("--format", "rpc"))
        given = {"ODOO_URL": self.lab.odoo.url, "ODOO_DB": self.lab.odoo.db, "ODOO_ADMIN": "admin"}
        given |= {"ODOO_ADMIN_KEY": company().keys["admin"], **env}
        command = [sys.executable, program, what]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=given, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def imported(self, name: str, text: str) -> None:
        """Import a data file as a module does."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        self.lab.odoo.shell(
            f"from odoo.tools.convert import convert_xml_import\n"
            f"convert_xml_import(env, 'otel_lab', open({str(path)!r}, 'rb'), {{}}, mode='init', noupdate=False)\n"
        )

    def count(self) -> dict[str, int]:
        """Rows of everything that is made."""
        parts = (f"(SELECT count(*) FROM {name}) AS {name}" for name in MADE)  # noqa: S608 - names of ours
        return {name: int(number) for name, number in self.lab.sql("SELECT " + ", ".join(parts))[0].items()}

    def key(self, login: str = LOGIN) -> str:
        """An API key of a user, as it would make one itself; of one without any group of ours, where it is new."""
        code = f"user = env['res.users'].search([('login', '=', {login!r})])\n"
        code += "users = env['res.users'].with_context(no_reset_password=True)\n"
        code += f"user = user or users.create({{'name': {login!r}, 'login': {login!r}}})\n"
        code += "print(env['res.users.apikeys'].with_user(user).sudo()._generate(None, 'exporter', None))\n"
        return self.lab.odoo.shell(code).splitlines()[-1]

    def database(self, key: str) -> Database:
        """How the exporter is told to read it."""
        return Database(
            url=self.lab.odoo.url,
            database=self.lab.odoo.db,
            name="lab",
            user=LOGIN,
            api_key=Secret(key),
            hosting="self",
        )


@pytest.fixture(name="office", scope="module")
def _office(postgres: Postgres, stack_folder: Path) -> Iterator[Office]:
    """A lab whose people do not know us yet."""
    folder = stack_folder / "access"
    folder.mkdir()
    folder.chmod(0o755)
    with running(postgres, folder / "odoo", OdooOptions(cron_threads=1)) as lab:
        yield Office(lab, folder)


class Counting(Json2Door):
    """Counts its calls."""

    calls = 0

    def call(self, model: str, method: str, **named: JSON) -> JSON:
        """One more."""
        self.calls += 1
        return super().call(model, method, **named)


def test_what_is_printed_suffices_and_no_more(office: Office) -> None:
    """A new user reads every collection, writes nothing that not all may, undone it is gone (features 52, 63, 115)."""
    anybody = office.key("anybody@example.com")
    before = office.count()
    assert "can be read" in office.administer("grant")
    key = office.key()
    database = office.database(key)
    door = Counting(Access(url=database.url, database=database.database, user=LOGIN, key=Secret(key)))
    _reads_everything(office, database, door)
    _writes_nothing(office, key, anybody)
    assert [one for one in ask(database, SystemClock()) if one.severity in {"warning", "error"}] == []
    office.administer("undo")
    assert office.count() == before


def _reads_everything(office: Office, database: Database, door: Counting) -> None:
    """With something of everything there; and an idle cycle is cheap, one call after the other (idle_calls)."""
    office.lab.run_cron("ok")
    office.lab.finished_cron("ok")
    order = office.lab.create_purchase("carl", 9000)
    office.lab.request_validation("carl", order)
    office.lab.confirm("dora", office.lab.create_purchase("carl", 100))
    office.lab.finished_job(office.lab.enqueue_job("fail"))
    sources = odoo_sources(door, options(database))
    marks: dict[str, dict[str, str]] = {source.name: {} for source in sources}
    told = {}
    for _ in range(3):
        door.calls = 0
        for source in sources:
            polls = list(drained(source, marks[source.name]))
            assert [(poll.missing, poll.refused) for poll in polls if poll.missing or poll.refused] == []
            told[source.name] = told.get(source.name, 0) + sum(len(poll.events) for poll in polls)
    assert {name for name, number in told.items() if number} >= {
        "odoo/crons",
        "odoo/jobs",
        "odoo/approvals",
        "odoo/keys",
    }
    assert door.calls <= IDLE


def _writes_nothing(office: Office, key: str, anybody: str) -> None:
    """Of every model that may be read: no row is made, changed or deleted, but what every internal user may."""
    (line,) = (line for line in office.printed("--format", "rpc").splitlines() if line.startswith("MODELS = "))
    tried = 0
    for model in literal_eval(line.removeprefix("MODELS = ")):
        rows = office.lab.odoo.json2(model, "search_read", key, domain=[], fields=["id"], limit=1)
        one = [row["id"] for row in rows]
        writes: dict[str, dict[str, Any]] = {"create": {"vals_list": [{}]}}
        if one:
            writes |= {"write": {"ids": one, "vals": {}}, "unlink": {"ids": one}}
        answers = {method: _answer(office, key, (model, method), given) for method, given in writes.items()}
        refused = set(answers.values()) <= {FORBIDDEN, UNPROCESSABLE_ENTITY}
        assert refused == (model not in OPEN), (model, answers)
        tried += len(answers)
    assert tried > 20
    for model in OPEN:
        assert _answer(office, anybody, (model, "create"), {"vals_list": [{}]}) == 200


def _answer(office: Office, key: str, call: tuple[str, str], given: dict[str, Any]) -> int:
    """The status of a call: 200 where it was done."""
    try:
        office.lab.odoo.json2(*call, key, **given)
    except Json2Error as refused:
        return refused.status
    return 200


def test_the_other_door_and_the_data_file_do_the_same(office: Office) -> None:
    """By JSON-RPC, as before Odoo 19, and as XML: granted and undone without a trace."""
    before = office.count()
    office.administer("grant", ODOO_JSONRPC="1")
    granted = office.count()
    office.administer("undo", ODOO_JSONRPC="1")
    assert office.count() == before
    office.imported("access.xml", office.printed("--format", "xml"))
    made = office.count()
    assert [made[name] - before[name] for name in MADE[:3]] == [granted[name] - before[name] for name in MADE[:3]]
    office.imported("undo.xml", office.printed("--format", "xml", "--undo"))
    after = office.count()
    assert [after[name] for name in MADE[:3]] == [before[name] for name in MADE[:3]]
