"""Which of the two text formats a scraper wants, and whether it takes gzip."""

from werkzeug.datastructures import Accept, MIMEAccept

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_SPOKEN = frozenset({"", "1.0.0"})


def wants_openmetrics(accept: MIMEAccept) -> bool:
    """Whether OpenMetrics 1.0.0 is asked for by name, and not less than plain text: only it carries exemplars."""
    return 0 < _best(accept, "application/openmetrics-text") >= _best(accept, "text/plain")


def takes_gzip(accept: Accept) -> bool:
    """Whether gzip is accepted by name."""
    return bool(accept.quality("gzip") > 0 and "gzip" in accept.values())


def _best(accept: MIMEAccept, kind: str) -> float:
    """The highest quality given to a media type in a version we speak."""
    return max((quality for value, quality in accept if _is(value, kind)), default=0.0)


def _is(value: str, kind: str) -> bool:
    name, *parameters = (part.strip().lower() for part in value.split(";"))
    versions = [part.removeprefix("version=").strip('"') for part in parameters if part.startswith("version=")]
    return name == kind and (kind == "text/plain" or all(version in _SPOKEN for version in versions))
