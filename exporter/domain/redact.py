"""What may leave Odoo as text: secrets never, personal details masked, control characters made visible, short."""

import re

from exporter.config.secret import REDACTED, Secret

__all__ = ["CLIP", "REDACTED", "Secret", "mask", "plain"]

CLIP = 256
_BYTE = 0xFF

# What a secret is called: in a header, a query, a form, a dict, a document of JSON's (also one quoted in another).
_CALLED = (
    r"(?:token|secret|passw(?:or)?d|passphrase|pwd|(?:api|access|private)[_-]?key|credentials?|authorization|"
    r"session[_-]?id|signature|jwt|otp)"
)
_IS = r"\\?[\"']?\s*(?:=>|[:=])\s*"
_SCHEME = r"(?:(?:bearer|basic|digest)\s+)?"
_DONE = r"\[TOKEN\](?!\w)"  # masked already: what stands behind it is no part of it
# What is masked in free text, in this order (longer shapes first, so that an IBAN is not half a digit run).
_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)[^\s/@:]{0,64}:[^\s/@]{1,256}@"), "[TOKEN]@"),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[EMAIL]"),
    (re.compile(rf"(?i)(cookies?{_IS})[^\n\"']{{4,}}"), r"\1[TOKEN]"),
    (
        re.compile(rf"(?i)({_CALLED}{_IS}(?!{_SCHEME}{_DONE}){_SCHEME})(?:\"[^\"]+\"|'[^']+'|\S{{4,}})"),
        r"\1[TOKEN]",
    ),
    (re.compile(rf"(?i)\b(bearer|token|api[_-]?key|password|passwd|secret)(\s+)(?!{_DONE})\S{{4,}}"), r"\1\2[TOKEN]"),
    (re.compile(r"((?i:\bbasic)\s+)(?=[A-Za-z0-9+/]+[A-Z0-9=])[A-Za-z0-9+/]{8,}={0,2}"), r"\1[TOKEN]"),
    (re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9_-]{32,}\b"), "[TOKEN]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), "[IBAN]"),
    (re.compile(r"(?<![\w+])(?:\+|00)\d(?:[ ()./-]{0,2}\d){6,14}(?!\w)"), "[PHONE]"),
    (re.compile(r"(?<![\w.])0\d{1,4}(?:[ /-]\d{2,4}){2,5}(?!\w)"), "[PHONE]"),
    (re.compile(r"\d{7,}"), "[NUMBER]"),
)
# C0, DEL, C1, zero-width and bidirectional marks, line and paragraph separators, BOM: what lets a line of a log lie.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: str, clip: int = CLIP) -> str:
    """The text on one line: control, ANSI and bidirectional characters escaped, clipped to `clip` characters."""
    shown = _UNSAFE.sub(_escape, text[: clip + 1])
    return shown if len(shown) <= clip else shown[: clip - 1] + "…"


def mask(text: str, clip: int = CLIP) -> str:
    """The text without e-mail addresses, phone numbers, IBANs, tokens and runs of 7 digits or more; then `plain`.

    Only the head can be shown, so only a head is searched: 4 clips, which bounds the work on a text of any length.
    """
    head = text[: 4 * clip]
    for shape, instead in _MASKS:
        head = shape.sub(instead, head)
    return plain(head, clip)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code <= _BYTE else f"\\u{code:04x}")
