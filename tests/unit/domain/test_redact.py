"""Text that leaves Odoo: secrets never, personal details masked, one line, short (R15, R16)."""

import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.redact import CLIP, Secret, mask, plain

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def test_a_secret_shows_itself_to_nobody() -> None:
    """repr, str, format, %, pickle and deep copies of a Secret hold [REDACTED]; reveal() gives the value."""
    secret = Secret("canary")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} %s" % secret
    assert "canary" not in shown + repr(pickle.dumps(secret)) + repr(copy.deepcopy({"key": secret}))
    assert secret.reveal() == "canary"
    assert not Secret("")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Customer bob.smith+x@mail.example.com has no VAT", "Customer [EMAIL] has no VAT"),
        ("call +49 (30) 1234-5678 now", "call [PHONE] now"),
        ("or 0171 234 5678", "or [PHONE]"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [IBAN]."),
        ("card 4111111111111111", "card [NUMBER]"),
        ("Authorization: bearer abcdefgh", "Authorization: bearer [TOKEN]"),
        ("password=hunter22!", "password=[TOKEN]"),
        ('{"password": "hunter2", "id": 4}', '{"password": [TOKEN], "id": 4}'),
        ("{'client_secret': 'hunter2 too'}", "{'client_secret': [TOKEN]}"),
        ('{\\"api_key\\":\\"hunter2\\"}', '{\\"api_key\\":[TOKEN]'),
        ("no access_token=hunter2 any more", "no access_token=[TOKEN] any more"),
        ("x?a=1&signature=0badcafe answered", "x?a=1&signature=[TOKEN] answered"),
        ("Authorization: Basic Ym90OnB3 sent", "Authorization: Basic [TOKEN] sent"),
        ("with Basic Ym90OnB3 and", "with Basic [TOKEN] and"),
        ("Set-Cookie: session_id=hunter2; Path=/", "Set-Cookie: [TOKEN]"),
        ("at https://bot:hunter2@odoo:8069/x", "at https://[TOKEN]@odoo:8069/x"),
        ("dsn postgresql://odoo:hunter2@db/acme", "dsn postgresql://[TOKEN]@db/acme"),
        ("basic information, basic authentication", "basic information, basic authentication"),
        ("https://odoo.example.com:8069/a@b", "https://odoo.example.com:8069/a@b"),
        ("key 1b8e066c4b1d4d6f9a3e5b7c8d9e0f1a2b3c4d5e failed", "key [TOKEN] failed"),
        ("Order P00013 of 2026-11-22 in 1.5 s", "Order P00013 of 2026-11-22 in 1.5 s"),
        ("Invalid field 'nope' on 'ir.cron'", "Invalid field 'nope' on 'ir.cron'"),
    ],
)
def test_personal_details_are_masked(said: str, left: str) -> None:
    """What names a person, an account or a key is replaced; what explains the failure stays."""
    assert mask(said) == left


def test_control_characters_become_visible() -> None:
    """A line break, an escape sequence or a text turned round cannot forge a line of a log (R16)."""
    assert plain("a\nb\x1b[31m\u202egnp.exe\u2028") == "a\\nb\\x1b[31m\\u202egnp.exe\\u2028"


@given(st.text(max_size=600))
def test_any_text_is_one_short_line(text: str) -> None:
    """Whatever comes, what leaves is at most CLIP characters long and holds no control character."""
    for left in (plain(text), mask(text)):
        assert len(left) <= CLIP
        assert not UNSAFE.search(left)
        left.encode()


def test_a_clipped_secret_leaves_no_half() -> None:
    """Masking comes before clipping: the cut never goes through an address."""
    assert "bob" not in mask("x" * (CLIP - 5) + " bob@example.com")
