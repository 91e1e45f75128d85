"""The token: made once, for its owner's eyes, and compared as a whole."""

import logging
from hashlib import sha256
from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.intake.tokens import TOKEN_FILE, digest, is_bearer, token


def test_it_is_made_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """32 random bytes in hex, mode 0600, the same at the next start, and in no log (R15)."""
    caplog.set_level(logging.DEBUG)
    first, second = token(tmp_path), token(tmp_path)
    path = tmp_path / TOKEN_FILE

    assert first.reveal() == second.reveal() == path.read_text(encoding="ascii").strip()
    assert len(bytes.fromhex(first.reveal())) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [TOKEN_FILE]
    assert first.reveal() not in caplog.text


def test_two_folders_have_two_tokens(tmp_path: Path) -> None:
    """It is random."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()

    assert token(folders[0]) != token(folders[1])


def test_what_a_crash_left_behind_does_not_matter(tmp_path: Path) -> None:
    """A file that was being written is written anew."""
    (tmp_path / "detectors.new").write_text("half", encoding="ascii")

    assert token(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"AB" * 32, b"\xff" * 64, b"ab" * 33])
def test_a_file_that_holds_no_token_is_said(tmp_path: Path, content: bytes) -> None:
    """A weak or damaged token is never used, and its content is not shown."""
    (tmp_path / TOKEN_FILE).write_bytes(content)

    with pytest.raises(ConfigError, match="holds no token: delete it") as caught:
        token(tmp_path)
    assert "ABAB" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The sentence names the file."""
    with pytest.raises(ConfigError, match=r"detectors\.token: cannot be used"):
        token(tmp_path / "missing")


def test_a_token_that_others_can_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It still works: whoever mounts it may have to; the log says what to do."""
    token(tmp_path)
    (tmp_path / TOKEN_FILE).chmod(0o644)

    assert token(tmp_path)
    assert "chmod 600" in caplog.text


def test_only_the_whole_token_opens(tmp_path: Path) -> None:
    """Scheme in any case, the token in its own; what is kept is its digest."""
    secret = token(tmp_path)
    expected = digest(secret)

    assert expected == sha256(secret.reveal().encode()).digest()
    assert is_bearer(f"Bearer {secret.reveal()}", expected)
    assert is_bearer(f"bearer  {secret.reveal()}", expected)
    assert not is_bearer(secret.reveal(), expected)
    assert not is_bearer("Bearer \udcff", expected)
