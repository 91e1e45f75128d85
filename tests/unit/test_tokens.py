"""Tokens of the intake: made once, shown once, kept as digests, several at once; older folders are taken over."""

import json
import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from exporter import cli
from exporter.config import Secret
from exporter.errors import ConfigError
from exporter.intake import signatures
from exporter.intake.signatures import Proof, Shown, is_bearer, prove
from exporter.tokens import DETECTORS, FILE, HOOKS, LOGS, OPERATOR, OWN, Tokens

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SHOP = HOOKS + "shop"


def everything(folder: Path) -> bytes:
    """All bytes of all files."""
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_file_that_cannot_be_read_now_shuts_nobody_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor is left when a token was added: the old ones stay good, that is said once, then it is read."""
    tokens = Tokens(tmp_path)
    tokens.make(SHOP, NOW)
    before = tokens.digests(SHOP)
    Tokens(tmp_path).make(SHOP, NOW)

    def fails(_path: Path) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fails)
        assert [tokens.digests(SHOP) for _ in range(3)] == [before] * 3
    assert [record.getMessage().count("Too many open files") for record in caplog.records] == [1]
    assert len(tokens.digests(SHOP)) == 2


def test_only_its_digest_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """32 random bytes; nothing in the folder and no log holds them, in hex or raw; the file is its owner's (R15)."""
    caplog.set_level(logging.DEBUG)
    first, second = (Tokens(tmp_path).make(SHOP, NOW) for _ in range(2))

    assert first != second
    assert len(bytes.fromhex(first.reveal())) == 32
    for form in (first.reveal().encode(), first.reveal().upper().encode(), bytes.fromhex(first.reveal())):
        assert form not in everything(tmp_path)
    assert sha256(first.reveal().encode()).hexdigest().encode() in everything(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert first.reveal() not in caplog.text + repr(Tokens(tmp_path).kept())


def test_a_token_opens_what_it_was_made_for_alone(tmp_path: Path) -> None:
    """A Collector's token posts no webhook, and a hook's token neither that of another hook nor logs (R11)."""
    tokens = Tokens(tmp_path)
    secret = tokens.make(SHOP, NOW)

    opens = {what: is_bearer(f"Bearer {secret.reveal()}", tokens.digests(what)) for what in (SHOP, HOOKS + "x", LOGS)}
    assert opens == {SHOP: True, HOOKS + "x": False, LOGS: False}


@pytest.mark.parametrize(
    ("scheme", "shows"),
    [
        ("bearer", lambda secret: Shown(headers={"authorization": f"Bearer {secret}"}, token="", raw=b"")),
        ("token", lambda secret: Shown(headers={}, token=secret, raw=b"")),
    ],
)
def test_several_are_good_at_once_until_one_is_revoked(
    tmp_path: Path, scheme: signatures.Scheme, shows: Callable[[str], Shown]
) -> None:
    """Rotation: the old, the new and the configured one are believed; what was revoked is not, at once (feature 94)."""
    asking, tokens, configured = Tokens(tmp_path), Tokens(tmp_path), Secret("c4n4ry-configured")

    def believed(one: Secret) -> bool:
        found = prove(scheme, [configured], shows(one.reveal()), NOW, digests=asking.digests(SHOP))
        return isinstance(found, Proof)

    old = tokens.make(SHOP, NOW)
    assert [believed(old), believed(configured)] == [True, True]
    new = tokens.make(SHOP, NOW + timedelta(days=1))
    assert [believed(one) for one in (old, new, configured, Secret("x"))] == [True, True, True, False]
    tokens.revoke(tokens.kept()[0].name)
    assert [believed(one) for one in (old, new, configured)] == [False, True, True]
    tokens.forget(new)
    assert [believed(one) for one in (old, new, configured)] == [False, False, True]


def test_as_much_is_compared_whatever_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first, the last, none: every digest is compared, each of 32 bytes, in constant time."""
    tokens, compared = Tokens(tmp_path), []
    real = signatures.hmac.compare_digest

    def counting(one: bytes, two: bytes) -> bool:
        compared.append((len(one), len(two)))
        return real(one, two)

    secrets = [tokens.make(SHOP, NOW).reveal() for _ in range(3)]
    monkeypatch.setattr(signatures.hmac, "compare_digest", counting)
    seen = []
    for shown in (*secrets, "", "x" * 10_000, secrets[0][:-1], "\udcff"):
        is_bearer(f"Bearer {shown}", tokens.digests(SHOP))
        seen.append(list(compared))
        compared.clear()
    assert seen == [[(32, 32)] * 3] * 7


def test_only_the_whole_token_opens(tmp_path: Path) -> None:
    """The scheme in any case, the token in its own, and without the scheme nothing."""
    tokens = Tokens(tmp_path)
    secret = tokens.make(LOGS, NOW).reveal()
    good = tokens.digests(LOGS)

    assert is_bearer(f"Bearer {secret}", good)
    assert is_bearer(f"bearer  {secret}", good)
    for wrong in (secret, f"Basic {secret}", f"Bearer {secret.upper()}", f"Bearer {secret}0", "Bearer", ""):
        assert not is_bearer(wrong, good)
    assert not is_bearer(f"Bearer {sha256(secret.encode()).hexdigest()}", good)  # what is kept opens nothing
    assert not is_bearer("Bearer ", ())


@pytest.mark.parametrize(("file", "opens"), [("detectors.token", DETECTORS), ("logs.token", LOGS)])
def test_plain_tokens_of_an_older_folder_stay_good(tmp_path: Path, file: str, opens: str) -> None:
    """Migrated once: the digest is kept, the plain text gone from the folder, the token as good as before."""
    secret = "ab" * 32
    (tmp_path / file).write_text(f"{secret}\n")
    (tmp_path / "operator.token").write_text("cd" * 32)
    (tmp_path / "logs.new").write_text("ef" * 16)
    for _ in range(2):
        Tokens(tmp_path).migrate(NOW)

    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert secret.encode() not in everything(tmp_path)
    assert is_bearer(f"Bearer {secret}", Tokens(tmp_path).digests(opens))
    assert [(one.opens, one.own) for one in Tokens(tmp_path).kept()] == [(opens, False), (OPERATOR, False)]


def test_a_crash_while_migrating_loses_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is kept before the plain file goes; where a crash came between, the next start removes that."""
    (tmp_path / "logs.token").write_text("ab" * 32)
    unlink = Path.unlink

    def crashing(path: Path, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - pathlib's
        if path.name == "logs.token":
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", crashing)
        with pytest.raises(KeyboardInterrupt):
            Tokens(tmp_path).migrate(NOW)
    assert (tmp_path / "logs.token").exists()
    assert is_bearer("Bearer " + "ab" * 32, Tokens(tmp_path).digests(LOGS))
    Tokens(tmp_path).migrate(NOW)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert len(Tokens(tmp_path).kept()) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"AB" * 32, b"\xff" * 64, b"ab" * 33])
def test_an_old_file_that_holds_no_token_is_said(tmp_path: Path, content: bytes) -> None:
    """A weak or damaged token is never taken over, and its content is not shown."""
    (tmp_path / "detectors.token").write_bytes(content)

    with pytest.raises(ConfigError, match="holds no token: delete it") as caught:
        Tokens(tmp_path).migrate(NOW)
    assert "ABAB" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"opens":"logs"}]', b'[{"opens":"logs","sha256":"x","made":"0"}]'])
def test_a_damaged_file_opens_nothing(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It fails closed: no token is good, the log says so once, and nobody writes over it unseen."""
    tokens = Tokens(tmp_path)
    secret = tokens.make(LOGS, NOW)
    (tmp_path / FILE).write_bytes(content)

    assert [is_bearer(f"Bearer {secret.reveal()}", tokens.digests(LOGS)) for _ in range(3)] == [False] * 3
    assert caplog.text.count("is damaged: delete it") == 1
    with pytest.raises(ConfigError, match="is damaged"):
        tokens.make(LOGS, NOW)
    assert (tmp_path / FILE).read_bytes() == content


def test_processes_that_come_and_go_fill_nothing(tmp_path: Path) -> None:
    """Of tokens that processes made for themselves the newest 32 of a kind stay; those made for others all do."""
    tokens = Tokens(tmp_path)
    made = tokens.make(DETECTORS, NOW)
    first = tokens.make(DETECTORS, NOW, own=True)
    for _ in range(OWN):
        last = tokens.make(DETECTORS, NOW, own=True)
        tokens.make(OPERATOR, NOW, own=True)

    opened = [is_bearer(f"Bearer {one.reveal()}", tokens.digests(DETECTORS)) for one in (made, first, last)]
    assert opened == [True, False, True]
    assert len(tokens.kept()) == 1 + 2 * OWN


def test_makers_at_once_lose_none(tmp_path: Path) -> None:
    """Every change is one whole change, whoever else writes."""
    found: list[Secret] = []
    threads = [Thread(target=lambda: found.extend(Tokens(tmp_path).make(SHOP, NOW) for _ in range(10))) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {one.sha256 for one in Tokens(tmp_path).kept()} == {
        sha256(one.reveal().encode()).hexdigest() for one in found
    }
    assert len(found) == 40


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    """The sentence names the file and what to do; asking whether something opens is no fault."""
    assert Tokens(tmp_path / "missing").digests(LOGS) == ()
    with pytest.raises(ConfigError, match=r"tokens\.json: cannot be written .* say the state folder of the service"):
        Tokens(tmp_path / "missing").make(LOGS, NOW)


def test_a_file_that_others_can_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It still works: digests open nothing; the log says what to do."""
    Tokens(tmp_path).make(LOGS, NOW)
    (tmp_path / FILE).chmod(0o644)
    Tokens(tmp_path).migrate(NOW)

    assert "chmod 600" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_belongs_to_the_service(tmp_path: Path) -> None:
    """`sudo odoo-otel token new` does not lock the service out of its own file."""
    os.chown(tmp_path, 12345, 12345)
    Tokens(tmp_path).make(LOGS, NOW)

    assert (tmp_path / FILE).stat().st_uid == 12345


def command(folder: Path, *words: str) -> Result:
    """`odoo-otel token ...` on a state folder."""
    return CliRunner().invoke(cli.main, ["token", words[0], "--state", str(folder), *words[1:]])


def test_the_command_makes_lists_and_revokes(tmp_path: Path) -> None:
    """A token is printed once, alone on its line; the list has its name and what it opens; revoked it is gone."""
    made = command(tmp_path, "new", SHOP)
    secret = made.stdout.strip()
    assert is_bearer(f"Bearer {secret}", Tokens(tmp_path).digests(SHOP))
    listed = command(tmp_path, "list").stdout
    assert secret not in listed
    name, opens = listed.split()[:2]
    assert opens == SHOP
    assert command(tmp_path, "revoke", name).stdout == f"revoked: {SHOP}\n"
    assert command(tmp_path, "list").stdout == ""
    again = command(tmp_path, "revoke", name)
    assert (again.exit_code, again.stderr) == (
        1,
        f"odoo-otel: there is no token {name}: see `odoo-otel token list`.\n",
    )


@pytest.mark.parametrize("opens", ["", "shop", "hooks/", "hooks/../x", "operator", "hooks/a b"])
def test_a_token_for_nothing_is_not_made(tmp_path: Path, opens: str) -> None:
    """A word that names nothing is said, and no token that could never open anything is shown."""
    said = command(tmp_path, "new", opens)
    assert (said.exit_code, said.stdout) == (1, "")
    assert "is nothing that a token opens" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_json_a_person_can_read(tmp_path: Path) -> None:
    """Its form: what it opens, the digest, when it was made."""
    Tokens(tmp_path).make(SHOP, NOW)
    rows: Sequence[dict[str, str]] = json.loads((tmp_path / FILE).read_text())
    assert [(row["opens"], row["made"], len(row["sha256"])) for row in rows] == [(SHOP, "2026-11-27T12:00:00Z", 64)]
