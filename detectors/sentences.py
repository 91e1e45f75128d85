"""What a Finding says to a person."""

from detectors.features import Baseline, ratio

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_UNITS = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s"))


def took(seconds: float) -> str:
    """A duration in the one or two units that matter: `12.0 s`, `3 min 20 s`, `2 h 5 min`."""
    if round(seconds, 1) < 2 * _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    size, unit, small, part = next(line for line in _UNITS if whole >= line[0])
    return f"{whole // size} {unit} {whole % size // small} {part}"


def sentence(name: str, seconds: float, usual: Baseline, *, delay: bool = False) -> str:
    """What happened, what is ordinary, from how much that was learned, and how far apart they are."""
    happened = f"{name} started {took(seconds)} late" if delay else f"{name} took {took(seconds)}"
    band = _band(usual.low, usual.high)
    learned = f"(median {took(usual.median)}, learned from {usual.count} runs)"
    times = ratio(seconds, usual)
    far = "." if times is None else f": {times:.1f} times the median."
    return f"{happened}; usually {band} {learned}{far}"


def _band(low: float, high: float) -> str:
    first, last = took(low), took(high)
    if first == last:
        return first
    one_unit = first.count(" ") == last.count(" ") == 1
    return f"{first.split()[0]} to {last}" if one_unit else f"{first} to {last}"
