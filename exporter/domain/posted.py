"""What a request brought, once it was found authentic, and before anything of it was understood."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One request to `/hooks/<hook>`.

    Attributes:
        delivery: the id that the sender's scheme gives it (`webhook-id`); "" where there is none.
        kind: what the sender's scheme says it is about (`X-GitHub-Event`); "" where it says nothing.
        traceparent: W3C's header, "" where there is none.
        signed_at: when the sender says it signed it.
        sender: the address it came from; "" where that is not known.
    """

    hook: str
    raw: bytes
    received_at: datetime
    delivery: str = ""
    kind: str = ""
    traceparent: str = ""
    signed_at: datetime | None = None
    sender: str = ""
