"""A short name that is the same for failures that differ in numbers, values, names and addresses only.

The key by which Runs, logs and Findings are grouped: 8 bytes in hex over the class of the exception, the HTTP status
and the words with everything that changes taken out. Only a head is read: a text of any length takes bounded time.
"""

import re
from hashlib import blake2b

_HEAD, _KEPT = 1024, 160  # characters read, and of what is left: well before the place where a long text was cut
_PROSE = 3  # spaces between quotes: above that they hold a message, not a value
_HOLE = "*"

# Each is linear: every repetition stands before something it cannot match itself, or is bounded.
# PostgreSQL's, after the message; Odoo shows the first as "Detail".
_APPENDIX = re.compile(r"\n[ \t]{0,8}(?:LINE \d{1,9}:|DETAIL:|Detail:|HINT:|CONTEXT:|QUERY:)")
_ASIDE = re.compile(r"\([^()\n]{0,40}\)")
_BULLETS = re.compile(r"(?:\n[ \t]{0,8}[-*\u2022][ \t][^\n]*)+")
_QUOTES = re.compile(
    r"\\\"[^\"\\]{0,200}\\\""
    r"|(?<![\w\\])'[^'\n]{0,200}'(?!\w)"
    r"|(?<!\w)\"[^\"\n]{0,200}\"(?!\w)"
    r"|[\u201c\u201e][^\u201c\u201d\n]{0,200}[\u201c\u201d]"
    r"|\u00ab[^\u00bb\n]{0,200}\u00bb"
    r"|(?<!\w)`[^`\n]{0,200}`"
)
_MARKS = "\\\"'`\u201c\u201d\u201e\u00ab\u00bb"
_STRING = re.compile(r"(?:\"([\w.-]{1,64})\" ?: ?)?\"((?:[^\"\\]|\\.){0,300})\"")
_CODES = frozenset(  # the members of a JSON body that name a kind of failure
    {"category", "code", "decline_code", "error", "errorCode", "error_code", "errorType"}
    | {"issue", "name", "reason", "status", "title", "type"}
)
_BRACKETS = str.maketrans("()[]{}<>=,;|", " " * 12)
_ENDS = ".:!?'\"\u2026*"


def fingerprint(exception: str, text: str, status: int | None = None) -> str:
    """8 bytes in hex; `exception` may be dotted: what a log and a job call by the same last name is the same."""
    key = f"{exception.rsplit('.', 1)[-1]}\x00{status or ''}\x00{template(text)}"
    return blake2b(key.encode("utf-8", "replace"), digest_size=8, person=b"odoo-otel-fp").hexdigest()


def template(text: str) -> str:
    """The words of a message, with one hole in place of what changes from one to the next."""
    head = text[:_HEAD]
    if head.startswith(('{"', "[{")):
        head = _members(head) or head
    head = _BULLETS.sub(" ", _APPENDIX.split(head, maxsplit=1)[0])
    head = _ASIDE.sub(f" {_HOLE} ", _QUOTES.sub(_quoted, _QUOTES.sub(_quoted, head)))
    return " ".join(_words(head.translate(_BRACKETS).replace("HTTPS", "HTTP")))[:_KEPT]


def _members(body: str) -> str:
    """What a JSON body says: its codes, and whatever is a sentence; names of fields and values are left out."""
    told = []
    for key, value in _STRING.findall(body):
        if " " in value:
            told.append(value.replace('\\"', "'"))
        elif key in _CODES:
            told.append(value.upper())
    return "\n".join(told)


def _quoted(found: re.Match[str]) -> str:
    inner = found[0].strip(_MARKS)
    return _HOLE if inner.count(" ") <= _PROSE else inner


def _words(text: str) -> list[str]:
    kept: list[str] = []
    for line in text.split("\n"):
        words = line.split()
        for place, word in enumerate(words):
            one = _HOLE if _named(words, place) else _word(word, first=not kept)
            if one and (one != _HOLE or kept[-1:] != [_HOLE]):
                kept.append(one)
    return kept


def _named(words: list[str], place: int) -> bool:
    """Whether a word is the value that a line ends with: `Unknown operation: push`."""
    return place > 0 and place + 1 == len(words) and words[place - 1].endswith(":") and not _code(words[place])


def _code(word: str) -> bool:
    return "_" in word and word.isupper()


def _word(word: str, *, first: bool) -> str:
    """The word itself, or a hole for what has a digit, a path, an address or an identifier in it, and for names."""
    bare = word.strip(_ENDS)
    if bare.isalpha():
        name = bare[0].isupper() and (bare[1:].islower() or bare.isupper())
        return _HOLE if name and not first else bare
    if not any(map(str.isalnum, bare)):
        return _HOLE if _HOLE in word else ""
    changes = any(sign in bare for sign in "/@._\\") or any(map(str.isdigit, bare))
    return bare if _code(bare) or not changes else _HOLE
