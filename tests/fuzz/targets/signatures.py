"""Headers, tokens and bodies of those who do not know the secret: no scheme ever believes them.

The first byte is the scheme, a line a header (`name:value`), then an empty line and the body.
"""

from datetime import UTC, datetime
from typing import get_args

from exporter.config import Secret
from exporter.config.secret import Scheme
from exporter.intake.signatures import Proof, Shown, prove

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
SECRETS = (Secret("whsec_bm9ib2R5IGtub3dzIHRoaXMgb25l"), Secret("n0body-kn0ws-this-0ne"))


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that fuzzers look for
    """A word that says why not; a Proof would be a forgery."""
    head, _, raw = data[1:].partition(b"\n\n")
    headers = dict(line.partition(":")[::2] for line in head.decode("latin-1").split("\n"))
    shown = Shown(headers=headers, token=headers.get("token", ""), raw=raw)
    found = prove(SCHEMES[(data or b"\0")[0] % len(SCHEMES)], SECRETS, shown, NOW)
    assert not isinstance(found, Proof)
    assert found in {"missing", "signature", "timestamp"}
