"""What an error of n8n's says: its class or code, an HTTP status, a masked message. Nothing else of it is read."""

from typing import NamedTuple

import msgspec

from exporter.domain.redact import mask, plain
from exporter.sources.n8n.rows import ErrorWords, Item, Redacted

SHORT = 80
_FAILS, _LAST = 400, 599


class Said(NamedTuple):
    """`type` is a class, a socket code, or `_OTHER` where all that is known is that it failed."""

    type: str
    status: int | None = None
    message: str = ""


NOTHING = Said("")


class _InItem(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw(b"null")


def of_words(error: ErrorWords) -> Said:
    """Of an error as it is; httpCode is text, `401` or `ECONNABORTED` (facts/n8n.md section 3)."""
    codes = [_text(one) for one in (error.http_code, error.status, error.code)]
    message = mask(_text(error.message))
    return _said(_text(error.name), codes, message)


def of_redacted(error: Redacted) -> Said:
    """Of an error that was redacted: class and code."""
    return _said(error.type or "", [str(error.http_code or "")], "")


def of_item(item: Item) -> Said | None:
    """Of an item that a node put out instead of failing; None where it holds no error."""
    try:
        raw = msgspec.json.decode(item.json, type=_InItem).error
        if bytes(raw).startswith(b"{"):
            found = of_words(msgspec.json.decode(raw, type=ErrorWords))
            return found if found.message or found.status or found.type != "_OTHER" else None
    except msgspec.MsgspecError:
        return None  # an item may hold anything
    value = msgspec.json.decode(raw)
    return Said("_OTHER", None, mask(value)) if isinstance(value, str) and value else None


def _said(name: str, codes: list[str], message: str) -> Said:
    status = next((int(code) for code in codes if code.isdecimal() and _FAILS <= int(code[:4]) <= _LAST), None)
    socket = next((code for code in codes if _is_socket(code)), "") if status is None else ""
    return Said(plain(mask(socket or name, SHORT)) or "_OTHER", status, message)


def _is_socket(code: str) -> bool:
    """Whether it is a code of Node's for what broke below HTTP, such as `ECONNABORTED`; it says more than a class."""
    return code.startswith("E") and code.isascii() and code.isupper() and len(code) < SHORT


def _text(raw: msgspec.Raw) -> str:
    value = msgspec.json.decode(raw)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
