"""What `odoo-otel odoo-access` prints: the same rights as text, as a program and as XML, and what takes them back."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from xml.etree import ElementTree as ET

import pytest

from exporter.sources.odoo import access
from exporter.sources.odoo.door import READS
from exporter.sources.odoo.options import Approval
from exporter.sources.odoo.registry import COLLECTIONS
from exporter.sources.odoo.sight import Need, needs

LOGIN = "o'brien@example.com"  # a quote, so that nothing printed can be broken by one


def every(*models: str) -> Sequence[Need]:
    """What all collections need, and these documents."""
    return needs([Approval(model=model) for model in models], COLLECTIONS)


@pytest.fixture(name="grant")
def _grant() -> access.Grant:
    return access.Grant(needs=every("purchase.order", "sale.order"), login=LOGIN)


def records(grant: access.Grant, model: str) -> list[dict[str, str]]:
    """Records of one model in the data file, their fields as text."""
    found = ET.fromstring(access.xml(grant)).findall(f"record[@model='{model}']")  # noqa: S314 - ours
    return [{f.attrib["name"]: "".join([f.text or "", *f.attrib.values()]) for f in one} for one in found]


def settings(script: str) -> dict[str, object]:
    """What the printed program begins with."""
    found = (one for one in ast.parse(script).body if isinstance(one, ast.Assign))
    plain = [one for one in found if isinstance(one.value, ast.Constant | ast.List)]
    return {ast.unparse(one.targets[0]): ast.literal_eval(one.value) for one in plain}


def test_all_forms_grant_the_same(grant: access.Grant) -> None:
    """Text, program and data file name the same models: what every internal user may not read (feature 63)."""
    named = {re.findall(r"'([a-z.]+)'\)\]", one["model_id"])[0] for one in records(grant, "ir.model.access")}
    given = settings(access.script(grant))
    assert named == set(grant.models) == set(given["MODELS"])  # type: ignore[call-overload]
    assert {"ir.cron", "queue.job", "sale.order"} <= named
    assert "mail.message" not in named
    assert given["LOGIN"] == LOGIN
    assert all(f"  {model} " in access.text(grant) for model in named)


def test_a_right_is_one_to_read(grant: access.Grant) -> None:
    """No right and no rule says more than reading, and a rule only shows rows (feature 52)."""
    for one in [*records(grant, "ir.model.access"), *records(grant, "ir.rule")]:
        assert {name: "True" in one[name] for name in access.PERMISSIONS} == {
            name: name == "perm_read" for name in access.PERMISSIONS
        }
    assert len(records(grant, "ir.rule")) == len(grant.ruled) == 3


def test_what_is_granted_can_be_taken_back() -> None:
    """The undo names the three kinds of records that were made, rights before their group."""
    gone = [one.attrib for one in ET.fromstring(access.undo_xml()).findall("delete")]  # noqa: S314 - ours
    assert [one["model"] for one in gone] == ["ir.model.access", "ir.rule", "res.groups"]
    assert all(access.GROUP in one["search"] for one in gone)


@pytest.mark.parametrize(("hosting", "words"), [("self", "Community"), ("odoo.sh", "one seat"), ("online", "Custom")])
def test_what_the_user_costs_is_said(hosting: access.Hosting, words: str) -> None:
    """A seat where Odoo counts users, and what a user without one does not see (feature 63)."""
    said = " ".join(access.text(access.Grant(needs=every(), login=LOGIN, hosting=hosting)).split())
    assert words in said
    assert "Without Internal User it is no seat" in said


def test_only_the_program_can_write() -> None:
    """What is printed writes, for whoever runs it; our own doors know no method that does (feature 52)."""
    assert READS.isdisjoint({"create", "write", "unlink"})
    called = set(re.findall(r'call\("?[a-z._]+"?, "(\w+)"', access.script(access.Grant(needs=every(), login=LOGIN))))
    assert called & {"create", "write", "unlink"}


HTML = "<html><body>Bad Gateway</body></html>"
VERSION = "/web/webclient/version_info"
NINETEEN = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"server_version_info": [19, 0]}})
ANOTHER = "something before Odoo answered (a proxy, a login page), or there is no Odoo at this address"


class Before(BaseHTTPRequestHandler):
    """Answers as its server says by path; any other path is answered with the last one."""

    def do_POST(self) -> None:
        """See BaseHTTPRequestHandler."""
        self.rfile.read(int(self.headers["Content-Length"]))
        answers: Mapping[str, tuple[int, str]] = self.server.answers  # type: ignore[attr-defined]
        status, body = answers.get(self.path) or [*answers.values()][-1]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@pytest.fixture(name="before")
def _before() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Before) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ran(grant: access.Grant, **environ: str) -> str:
    """What the printed program says at its end, which is no good one."""
    found = subprocess.run(
        [sys.executable, "-c", access.script(grant), "grant"], env=environ, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (1, "")
    assert "Traceback" not in found.stderr
    return found.stderr.strip()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({VERSION: (502, HTML)}, f"{VERSION} answered 502: {ANOTHER}."),
        ({VERSION: (200, HTML)}, f"{VERSION} answered what is not JSON: {ANOTHER}."),
        ({VERSION: (200, "[]")}, f"{VERSION} answered what Odoo does not: {ANOTHER}."),
        ({VERSION: (200, NINETEEN), "": (403, HTML)}, f"/json/2/res.groups/search_read answered 403: {ANOTHER}."),
        ({VERSION: (200, NINETEEN), "": (401, '{"message": "Bad key"}')}, "search_read answered 401: Bad key."),
    ],
)
def test_what_stands_before_odoo_is_said_in_a_sentence(
    grant: access.Grant, before: HTTPServer, answers: Mapping[str, tuple[int, str]], said: str
) -> None:
    """A proxy's page or a wrong address ends the printed program with what to look for, and no traceback."""
    before.answers = answers  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{before.server_port}"
    found = ran(grant, ODOO_URL=f"{url}/", ODOO_DB="acme", ODOO_ADMIN="admin", ODOO_ADMIN_KEY="k")
    assert found.startswith(f"{url}/")
    assert found.endswith(said)
    assert found.count("\n") == 0


def test_what_is_not_set_or_not_there_is_said_in_a_sentence(grant: access.Grant, before: HTTPServer) -> None:
    """The printed program names what it lacks, and an address at which nobody answers."""
    given = {"ODOO_DB": "acme", "ODOO_ADMIN": "admin", "ODOO_ADMIN_KEY": "k"}
    assert ran(grant, **given) == "Set ODOO_URL first."
    assert ran(grant, **given, ODOO_URL="odoo.example.com") == "ODOO_URL must begin with http:// or https://."
    url = f"https://127.0.0.1:{before.server_port}"  # it speaks no TLS
    assert ran(grant, **given, ODOO_URL=url).startswith(f"{url} does not answer: ")
