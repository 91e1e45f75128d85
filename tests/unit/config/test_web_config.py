"""The file of --web.config.file: what is served is read, everything else is a fault with its key."""

from pathlib import Path

import pytest
import yaml

from exporter.config.web_config import Tls, WebConfig, load_web_config
from exporter.errors import ConfigError

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"  # the exporter-toolkit's own example
TLS = {"cert_file": "server.crt", "key_file": "server.key"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the files that a configuration may name."""
    for name in ("server.crt", "server.key", "ca.crt"):
        (tmp_path / name).touch()
    return tmp_path


def load(folder: Path, found: object) -> WebConfig:
    """The configuration of that YAML."""
    path = folder / "web.yml"
    path.write_text(yaml.safe_dump(found))
    return load_web_config(path)


def test_everything_that_is_served_is_read(folder: Path) -> None:
    """TLS with paths beside the file, users, headers (the exporter-toolkit's form)."""
    tls = {**TLS, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.crt", "min_version": "TLS13"}
    http = {"http2": False, "headers": {"X-Frame-Options": "deny"}}
    found = load(folder, {"tls_server_config": tls, "http_server_config": http, "basic_auth_users": {"prom": HASH}})
    assert found == WebConfig(
        tls=Tls(
            certificate=folder / "server.crt",
            key=folder / "server.key",
            client_auth="RequireAndVerifyClientCert",
            clients=folder / "ca.crt",
            lowest="TLS13",
        ),
        users={"prom": HASH},
        headers={"X-Frame-Options": "deny"},
    )
    assert HASH not in repr(found)


@pytest.mark.parametrize("found", [{}, None, {"tls_server_config": None}, {"basic_auth_users": {}}])
def test_an_empty_file_asks_nobody(folder: Path, found: object) -> None:
    """As the exporter-toolkit: plain HTTP for everybody."""
    assert load(folder, found) == WebConfig()


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([1], "must have keys"),
        ({"rate_limit": {}}, "rate_limit: is not served here"),
        ({"tls_server_config": "on"}, "tls_server_config: must have keys of its own"),
        ({"tls_server_config": {"cert_file": "server.crt"}}, "tls_server_config: key_file: is missing"),
        ({"tls_server_config": {**TLS, "cert_file": "gone"}}, "cert_file: must be the path of a PEM file"),
        ({"tls_server_config": {**TLS, "cipher_suites": []}}, "cipher_suites: is not served here"),
        ({"tls_server_config": {**TLS, "client_auth_type": "RequestClientCert"}}, "client_auth_type: must be one of"),
        ({"tls_server_config": {**TLS, "client_auth_type": "RequireAndVerifyClientCert"}}, "set both or neither"),
        ({"tls_server_config": {**TLS, "client_ca_file": "ca.crt"}}, "set both or neither"),
        ({"tls_server_config": {**TLS, "min_version": "TLS10"}}, "must be TLS12 or TLS13"),
        ({"tls_server_config": {**TLS, "min_version": ["TLS12"]}}, "must be TLS12 or TLS13"),
        ({"tls_server_config": {**TLS, "min_version": "TLS13", "max_version": "TLS12"}}, "is above max_version"),
        ({"http_server_config": {"http2": True}}, "http2: is not served here"),
        ({"http_server_config": {"headers": []}}, None),
        ({"http_server_config": {"headers": ["x"]}}, "headers: must have keys of its own"),
        ({"http_server_config": {"headers": {"Server": "x"}}}, "headers.Server: must be one of"),
        ({"http_server_config": {"headers": {"X-Frame-Options": "a\nb"}}}, "must be ASCII text on one line"),
        ({"http_server_config": {"headers": {"X-Frame-Options": "\u2713"}}}, "must be ASCII text on one line"),
        ({"basic_auth_users": {"a": "secret"}}, "a: must be a bcrypt hash"),
        ({"basic_auth_users": {"a:b": HASH}}, "a name must be text without a colon"),
        ({"basic_auth_users": {123: HASH}}, "123: a name must be text"),
    ],
)
def test_what_is_not_served_is_a_fault(folder: Path, found: object, says: str | None) -> None:
    """One sentence that names the key; nothing is left out in silence, and no password is shown."""
    if says is None:
        assert load(folder, found) == WebConfig()
        return
    with pytest.raises(ConfigError) as caught:
        load(folder, found)
    assert any(says in fault for fault in caught.value.faults)
    assert "secret" not in str(caught.value)


def test_all_faults_are_listed(folder: Path) -> None:
    """At once."""
    with pytest.raises(ConfigError) as caught:
        load(folder, {"tls_server_config": {"key_file": "gone"}, "basic_auth_users": {"a": "b"}})
    assert len(caught.value.faults) == 3


def test_a_file_that_cannot_be_read_is_a_fault(folder: Path) -> None:
    """Missing, or no YAML."""
    (folder / "bad.yml").write_text("a: [")
    for name, says in (("gone.yml", "cannot be read"), ("bad.yml", "is not YAML")):
        with pytest.raises(ConfigError, match=says):
            load_web_config(folder / name)
