"""Reading the configuration: what is given arrives, what is wrong is all said at once."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from detectors.__main__ import detect
from exporter import cli
from exporter.cli import ingesting
from exporter.config import Config, Database, load
from exporter.config.kinds import setting_of
from exporter.config.loading import OTHERS
from exporter.errors import ConfigError

ENVIRON = {
    "ODOO_URL": "https://odoo.example.com/",
    "ODOO_DB": "acme",
    "ODOO_USER": "bot@example.com",
    "ODOO_API_KEY": "c4n4ry",
}
ACME = "{url: https://a.example, database: acme, user: bot, api_key: k}"

Load = Callable[..., Config]


@pytest.fixture
def load_yaml(tmp_path: Path) -> Load:
    """Load a configuration from text, with an environment."""

    def loaded(text: str, **environ: str) -> Config:
        path = tmp_path / "odoo-otel.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ)

    return loaded


def faults(call: Callable[[], object]) -> tuple[str, ...]:
    """What the call finds wrong."""
    with pytest.raises(ConfigError) as caught:
        call()
    return caught.value.faults


def test_variables_of_other_commands_are_no_faults() -> None:
    """One environment may serve `run`, `ingest-log` and the detectors: each knows the variables of the others."""
    for name in OTHERS:
        assert load(environ=ENVIRON | {name: "x"}).databases
    read = {one.envvar for command in cli.main.commands.values() for one in command.params if one.envvar}
    read |= {one.envvar for one in detect.params if one.envvar} | {ingesting.TOKEN}
    settings = {found.env for model in (Config, Database) for of in fields(model) if (found := setting_of(of))}
    assert read - settings == OTHERS


def test_four_variables_are_enough() -> None:
    """The address, the database, the user and the key alone make a whole configuration."""
    config = load(environ=ENVIRON)

    (database,) = config.databases
    assert (database.name, database.database, database.url) == ("acme", "acme", "https://odoo.example.com")
    assert database.api_key.reveal() == "c4n4ry"
    assert (config.state_dir, config.listen_host, config.listen_port) == (Path("state"), "127.0.0.1", 9464)


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("0.0.0.0:80", "0.0.0.0", 80), (":0", "127.0.0.1", 0), ("9000", "127.0.0.1", 9000), ("[::1]:9464", "::1", 9464)],
)
def test_the_listener_is_one_variable(listen: str, host: str, port: int) -> None:
    """ODOO_OTEL_LISTEN holds host and port, or the port alone; ODOO_OTEL_STATE the folder of the store."""
    config = load(environ=ENVIRON | {"ODOO_OTEL_LISTEN": listen, "ODOO_OTEL_STATE": "/var/x"})

    assert (config.listen_host, config.listen_port, config.state_dir) == (host, port, Path("/var/x"))


def test_trusted_proxies_are_networks_and_addresses(load_yaml: Load) -> None:
    """A list, or text with commas; IPv4 and IPv6, an address is a network of one; a fault says how they look."""
    text = "trusted_proxies: {}\ndatabases: [{{url: http://a, database: a, user: u, api_key: k}}]"
    for given in ("[10.0.0.0/8, '2001:db8::/32', 192.0.2.1]", "10.0.0.0/8,2001:db8::/32,192.0.2.1"):
        found = load_yaml(text.format(given)).trusted_proxies
        assert [str(one) for one in found] == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]
    (fault,) = faults(lambda: load_yaml(text.format("10.0.0.1/8")))
    assert fault.startswith("trusted_proxies: must be a list of networks such as [10.0.0.0/8, 2001:db8::/32],")


def test_every_fault_of_the_environment_is_listed_at_once() -> None:
    """Three faults give three sentences, each with the variable's name and what to change."""
    wrong = {"ODOO_URL": "odoo", "ODOO_DB": "acme", "ODOO_USER": "bot", "ODOO_OTEL_LISTN": ":1"}

    assert faults(lambda: load(environ=wrong)) == (
        "ODOO_URL: must be an address such as https://odoo.example.com, with a port if need be, and no more.",
        "ODOO_API_KEY: is missing; it must be text on one line, best given as ${env:NAME} or ${file:PATH}.",
        "ODOO_OTEL_LISTN: is not known; did you mean ODOO_OTEL_LISTEN?",
    )


def test_odoo_s_own_variables_are_left_alone() -> None:
    """Only names that begin with ODOO_OTEL_ can be misspelled: an Odoo server has variables of its own."""
    assert load(environ=ENVIRON | {"ODOO_RC": "/etc/odoo.conf"}).databases


def test_a_file_holds_several_databases(load_yaml: Load) -> None:
    """Each database keeps its own settings; the rest have their defaults."""
    config = load_yaml(
        "listen_port: 0\nlabel_cap: 50\ndatabases:\n"
        f"  - {ACME}\n"
        "  - {name: eu, url: http://b:8069, database: b, user: bot, api_key: k, poll_seconds: 2.5, door: JSON2,"
        " history_spans: no, approvals: [sale.order, purchase.order]}\n"
    )

    assert [one.name for one in config.databases] == ["acme", "eu"]
    assert (config.listen_port, config.label_cap) == (0, 50)
    eu = config.databases[1]
    assert (eu.poll_seconds, eu.door, eu.history_spans) == (2.5, "json2", False)
    assert eu.approvals == ("sale.order", "purchase.order")


def test_values_come_from_variables_and_files(load_yaml: Load, tmp_path: Path) -> None:
    """${env:NAME} and ${file:PATH} are whole values or parts of one; files are looked up beside the configuration."""
    (tmp_path / "key").write_text("c4n4ry\n", encoding="utf-8")
    config = load_yaml(
        "label_cap: ${env:CAP}\ndatabases: [{url: 'https://${env:HOST}:8069', database: acme,"
        " user: 'a$${b}', api_key: '${file:key}', approvals: ['${env:MODEL}']}]",
        CAP="7",
        HOST="odoo.example.com",
        MODEL="sale.order",
    )

    (database,) = config.databases
    assert (config.label_cap, database.url, database.user) == (7, "https://odoo.example.com:8069", "a${b}")
    assert (database.api_key.reveal(), database.approvals) == ("c4n4ry", ("sale.order",))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${env:NOPE}", "the environment variable NOPE is not set"),
        ("${env:EMPTY}", "the environment variable EMPTY is not set"),
        ("x${file:nope}y", "the file nope cannot be read (No such file or directory)"),
        ("${file:.}", "the file . cannot be read (Is a directory)"),
        ("${file:empty}", "the file empty is empty"),
        ("${file:binary}", "the file binary cannot be read (it is not UTF-8 text)"),
        ("${NOPE}", "write ${env:NAME} or ${file:PATH}"),
        ("${vault:x}", "write ${env:NAME} or ${file:PATH}"),
        ("${env:NOPE", "write ${env:NAME} or ${file:PATH}"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_fault(load_yaml: Load, tmp_path: Path, value: str, said: str) -> None:
    """A missing variable or file, and anything else in ${}, is said with the key it stands at."""
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    (fault,) = faults(lambda: load_yaml(f"log_level: '{value}'\ndatabases: [{ACME}]", EMPTY=""))

    assert fault.startswith(f"log_level: {said}")


def test_a_wrong_database_is_skipped_and_the_others_stay(load_yaml: Load) -> None:
    """Its faults are kept under its name, to be reported; the right ones run."""
    config = load_yaml(f"databases: [{{name: broken, url: nowhere, database: b, usr: x}}, {ACME}, 3]")

    assert [one.name for one in config.databases] == ["acme"]
    assert [one.name for one in config.skipped] == ["broken", "databases[2]"]
    assert [fault.split(":")[0] for fault in config.skipped[0].faults] == [
        "databases[0].usr",
        "databases[0].url",
        "databases[0].user",
        "databases[0].api_key",
    ]
    assert config.skipped[0].faults[0] == "databases[0].usr: is not known; did you mean user?"


def test_when_no_database_is_left_all_faults_are_raised(load_yaml: Load) -> None:
    """Faults of the top level and of every database arrive together."""
    found = faults(lambda: load_yaml("label_cap: none\nlisten: x\ndatabases: [{url: http://a}, {}]"))

    assert [fault.split(":")[0] for fault in found] == [
        "listen",
        "label_cap",
        *(f"databases[0].{key}" for key in ("database", "user", "api_key")),
        *(f"databases[1].{key}" for key in ("url", "database", "user", "api_key")),
    ]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("{name: acme, url: https://b.example, database: b, user: bot, api_key: k}", "acme is taken"),
        ("{name: b, url: https://a.example/, database: acme, user: bot, api_key: k}", "is the same database as acme"),
    ],
)
def test_a_database_given_twice_is_skipped_the_second_time(load_yaml: Load, second: str, said: str) -> None:
    """Two of one name would mix their facts, one under two names would tell everything twice."""
    config = load_yaml(f"databases: [{ACME}, {second}]")

    assert len(config.databases) == 1
    assert said in config.skipped[0].faults[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must begin with keys"),
        ("- a", "must begin with keys"),
        ("a: [", "line 1, column 5: is not YAML"),
        ("label_cap: 1\nlabel_cap: 2", "label_cap is given twice"),
        ("databases: []", "databases: must be a list with at least one database."),
        ("databases: {a: 1}", "databases: must be a list with at least one database."),
        ("!!python/object/apply:os.system ['x']", "is not YAML"),
        ("\u0000", "is not YAML"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(load_yaml: Load, text: str, said: str) -> None:
    """Broken YAML, keys given twice and files without databases are refused with a sentence."""
    (fault,) = faults(lambda: load_yaml(text))

    assert said in fault


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A path that leads nowhere, or to no text, is named."""
    (tmp_path / "latin").write_bytes(b"\xff")

    assert "No such file" in faults(lambda: load(tmp_path / "nope", {}))[0]
    assert "not UTF-8" in faults(lambda: load(tmp_path / "latin", {}))[0]


@pytest.mark.parametrize(
    "line",
    [
        "listen_port: 65536",
        "listen_port: 1.5",
        "listen_port: true",
        "label_cap: 0",
        "trusted_proxies: [10.0.0.1/8]",
        "trusted_proxies: [10.0.0.0/33]",
        "trusted_proxies: [proxy.example.com]",
        "trusted_proxies: {10.0.0.0/8: yes}",
        "label_cap: [1]",
        "state_dir: ''",
        "log_level: loud",
    ],
)
def test_values_out_of_range_are_refused(load_yaml: Load, line: str) -> None:
    """Whatever is not of its kind is a fault of its key."""
    (fault,) = faults(lambda: load_yaml(f"{line}\ndatabases: [{ACME}]"))

    assert fault.startswith(line.split(":", maxsplit=1)[0] + ": must be ")


@pytest.mark.parametrize(
    "entry",
    [
        "url: ftp://a",
        "url: https://bot:pw@a",
        "url: https://a?x=1",
        "url: https://a/odoo",
        "url: 'http://a:99999'",
        "url: 'http://[a'",
        "name: 'a b'",
        'user: "a\\nb"',
        "poll_seconds: .nan",
        "poll_seconds: 0",
        "history_spans: perhaps",
        "history_spans: [1]",
        "approvals: purchase",
        "approvals: 3",
    ],
)
def test_wrong_values_of_a_database_are_refused(load_yaml: Load, entry: str) -> None:
    """Addresses with passwords, control characters, not-a-number: each is a fault of its key, its value not shown."""
    key = entry.split(":", maxsplit=1)[0]
    base = {"url": "https://b", "database": "b", "user": "bot", "api_key": "k"}
    lines = "".join(f"    {name}: {value}\n" for name, value in base.items() if name != key)

    (skipped,) = load_yaml(f"databases:\n  - {ACME}\n  - {entry}\n{lines}").skipped

    (fault,) = skipped.faults
    assert fault.startswith(f"databases[1].{key}: must be ")
    assert "pw" not in fault


PARTS = """
databases:
  - url: https://a.example
    database: acme
    user: bot
    api_key: k
    hooks:
      stripe: {scheme: stripe, secrets: ["${env:NEW}", "${env:OLD}"], criticality: high, latency_tolerance: 5}
      odoo: {scheme: token, secrets: plain}
    n8n: {url: https://n8n.example, api_key: "${env:N8N}"}
"""


def test_parts_are_read_under_their_names(load_yaml: Load) -> None:
    """Hooks by name and one n8n, with secrets that are references and may be several (feature 72)."""
    (database,) = load_yaml(PARTS, NEW="n3w", OLD="old", N8N="key").databases
    stripe, odoo = database.hooks
    assert (stripe.name, stripe.scheme, stripe.criticality, stripe.latency_tolerance) == ("stripe", "stripe", "high", 5)
    assert [secret.reveal() for secret in stripe.secrets] == ["n3w", "old"]
    assert (odoo.name, odoo.criticality, [secret.reveal() for secret in odoo.secrets]) == ("odoo", "normal", ["plain"])
    assert database.n8n is not None
    assert (database.n8n.url, database.n8n.api_key.reveal(), database.n8n.native_otel) == (
        "https://n8n.example",
        "key",
        False,
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("scheme: token", "scheme: magic", "databases[0].hooks.odoo.scheme: must be one of standard,"),
        ("odoo: {", "'o/o': {", "databases[0].hooks.o/o: must stand under a name of letters,"),
        ("secrets: plain", "secret: plain", "databases[0].hooks.odoo.secret: is not known; did you mean secrets?"),
        (
            'stripe, secrets: ["${env:NEW}", "${env:OLD}"]',
            "stripe",
            "databases[0].hooks.stripe.secrets: is missing; stripe signs with one.",
        ),
        ("secrets: plain", "secrets: []", "databases[0].hooks.odoo.secrets: must be a secret or a list of them,"),
        ("{url: https://n8n.example,", "{", "databases[0].n8n.url: is missing;"),
        ("${env:OLD}", "${env:NONE}", "databases[0].hooks.stripe.secrets: the environment variable NONE is not set;"),
    ],
)
def test_faults_of_parts_name_their_place(load_yaml: Load, old: str, new: str, fault: str) -> None:
    """A wrong hook or n8n is one sentence with its full key."""
    text = PARTS.replace(old, new, 1)
    assert any(one.startswith(fault) for one in faults(lambda: load_yaml(text, NEW="n3w", OLD="old", N8N="key")))
