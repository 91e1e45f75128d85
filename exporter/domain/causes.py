"""From what failed to a Failure: its class, and a fingerprint of its masked text."""

import re
from hashlib import blake2b

from exporter.domain.redact import mask
from exporter.domain.runs import Failure

# Odoo's own words for "a rule of the business said no" (odoo/exceptions.py); everything else is technical.
BUSINESS = frozenset({"UserError", "ValidationError", "RedirectWarning", "AccessError", "MissingError"})
# queue_job's and PostgreSQL's words for "try again later".
TRANSIENT = frozenset(
    {"RetryableJobError", "OperationalError", "SerializationFailure", "DeadlockDetected", "LockNotAvailable"}
)
_NUMBERS = re.compile(r"\d+")


def failure(exception: str, message: str) -> Failure:
    """The Failure of an exception's dotted class name and its message (masked here)."""
    text = mask(message)
    name = exception.rsplit(".", 1)[-1]
    business = name in BUSINESS
    return Failure(
        type=exception,
        message=text,
        failure_class="business" if business else "technical",
        cause="business_rule" if business else "unknown",
        transient=name in TRANSIENT,
        fingerprint=fingerprint(exception, text),
    )


def fingerprint(exception: str, masked: str) -> str:
    """8 bytes in hex that are the same for texts that differ in numbers only."""
    words = _NUMBERS.sub("#", f"{exception} {masked}")
    return blake2b(words.encode(), digest_size=8, person=b"odoo-otel-fp").hexdigest()
